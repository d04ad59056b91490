// SPDX-License-Identifier: Apache-2.0

package builder_test

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/apiserver/example"
	hub "goldsmith.dev/goldsmith/apiserver/example/library"
	v2 "goldsmith.dev/goldsmith/apiserver/example/library/v2"
	"goldsmith.dev/goldsmith/apiserver/resources"
)

// The objects of a resource are computed for each request. Get, list, selectors and kubectl's table work, and there is no storage.
func Example_readOnly() {
	shelf := resources.NewReadOnly(resources.ReadOnly[*hub.Book]{
		New:      func() *hub.Book { return &hub.Book{} },
		NewList:  func() runtime.Object { return &hub.BookList{} },
		Resource: hub.Resource("books"),
		Singular: "book",
		Objects: func(context.Context) ([]*hub.Book, error) {
			book := func(name, author string) *hub.Book {
				return &hub.Book{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, Labels: map[string]string{"author": author}}}
			}
			return []*hub.Book{book("solaris", "Lem"), book("eden", "Lem"), book("ubik", "Dick")}, nil
		},
	})
	server := example.Describe(builder.New("library")).
		WithResource(v2.SchemeGroupVersion, "books", func(*resources.Scope) (resources.Storages, error) {
			return resources.Storages{"": shelf}, nil
		})
	using(server, func(ctx context.Context, _ *builder.Running, library client.Client) {
		books := &v2.BookList{}
		must(library.List(ctx, books, client.MatchingLabels{"author": "Lem"}))
		for _, book := range books.Items {
			fmt.Println(book.Name)
		}
		fmt.Println(library.Delete(ctx, &books.Items[0]))
	})
	// Output:
	// eden
	// solaris
	// the server does not allow this method on the requested resource
}
