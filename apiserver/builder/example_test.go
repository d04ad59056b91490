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
	hub "goldsmith.dev/goldsmith/apiserver/example/library"
	"goldsmith.dev/goldsmith/apiserver/example/library/install"
	"goldsmith.dev/goldsmith/apiserver/example/library/openapi"
	v2 "goldsmith.dev/goldsmith/apiserver/example/library/v2"
	"goldsmith.dev/goldsmith/apiserver/resources"
)

// A custom type is served from memory. It needs no strategy: the internal type library.Book has methods
// for validation and for warnings.
func Example() {
	options, err := builder.New("library-apiserver").
		WithScheme(install.Install).
		WithOpenAPI("Library", "v2", openapi.GetOpenAPIDefinitions).
		WithResource(v2.SchemeGroupVersion, "books", provideBooks).
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

// provideBooks is called once, when the server is assembled.
func provideBooks(scope *resources.Scope) (resources.Storages, error) {
	store, err := resources.NewStore(scope, resources.Resource{
		New:      func() runtime.Object { return &hub.Book{} },
		NewList:  func() runtime.Object { return &hub.BookList{} },
		Resource: hub.Resource("books"),
		Singular: "book",
	})
	if err != nil {
		return nil, err
	}
	return resources.Storages{"": store, "status": store.Status(nil)}, nil
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
