// SPDX-License-Identifier: Apache-2.0

package builder_test

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/authentication/user"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/apiserver/example"
	"goldsmith.dev/goldsmith/apiserver/example/library/install"
	"goldsmith.dev/goldsmith/apiserver/example/library/openapi"
	v2 "goldsmith.dev/goldsmith/apiserver/example/library/v2"
)

// A custom type is served from memory. Its strategy validates objects: see Books of package example.
func Example() {
	options, err := builder.New("library-apiserver").
		WithScheme(install.Install).
		WithOpenAPI("Library", "v2", openapi.GetOpenAPIDefinitions).
		WithResource(v2.SchemeGroupVersion, "books", example.Books).
		WithStorage(builder.Memory()).
		WithBearerToken("open-sesame", &user.DefaultInfo{Name: "ada", Groups: []string{user.SystemPrivilegedGroup}}).
		ToServerOptions()
	must(err)
	ctx, stop := context.WithCancel(context.Background())
	running, err := options.Start(ctx)
	must(err)
	must(running.WaitReady(ctx))

	scheme := runtime.NewScheme()
	must(v2.AddToScheme(scheme))
	books, err := client.New(running.ClientConfig(), client.Options{Scheme: scheme})
	must(err)
	book := &v2.Book{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "solaris"},
		Spec:       v2.BookSpec{Title: "Solaris", Authors: []v2.Author{{Name: "Lem"}}},
	}
	must(books.Create(ctx, book))
	fmt.Println("lent for", *book.Spec.LoanDays, "days")

	book.Spec.Title = ""
	fmt.Println(books.Update(ctx, book))

	stop()
	must(running.Wait())
	// Output:
	// lent for 14 days
	// Book.library.example.com "solaris" is invalid: spec.title: Required value: a book has a title
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
