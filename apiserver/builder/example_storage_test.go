// SPDX-License-Identifier: Apache-2.0

package builder_test

import (
	"context"
	"fmt"
	"os"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/apiserver/example"
	v1 "goldsmith.dev/goldsmith/apiserver/example/library/v1"
	v2 "goldsmith.dev/goldsmith/apiserver/example/library/v2"
	"goldsmith.dev/goldsmith/apiserver/storage/etcd"
)

// In a data directory, objects survive a restart.
func ExampleEmbeddedEtcd() {
	directory, err := os.MkdirTemp("", "library-")
	must(err)
	describe := func() *builder.Server {
		return example.Register(builder.New("library-apiserver")).WithStorage(builder.EmbeddedEtcd(directory))
	}
	using(describe(), func(ctx context.Context, _ *builder.Running, library client.Client) {
		must(library.Create(ctx, solaris()))
	})
	using(describe(), func(ctx context.Context, _ *builder.Running, library client.Client) {
		books := &v2.BookList{}
		must(library.List(ctx, books))
		fmt.Println(len(books.Items), "book:", books.Items[0].Spec.Title)
	})
	must(os.RemoveAll(directory))
	// Output:
	// 1 book: Solaris
}

// In files, objects survive a restart without an etcd.
func ExampleFiles() {
	directory, err := os.MkdirTemp("", "library-")
	must(err)
	describe := func() *builder.Server {
		return example.Register(builder.New("library-apiserver")).WithStorage(builder.Files(directory))
	}
	using(describe(), func(ctx context.Context, _ *builder.Running, library client.Client) {
		must(library.Create(ctx, solaris()))
	})
	using(describe(), func(ctx context.Context, _ *builder.Running, library client.Client) {
		book := &v2.Book{}
		must(library.Get(ctx, client.ObjectKeyFromObject(solaris()), book))
		fmt.Println(book.Spec.Title)
	})
	must(os.RemoveAll(directory))
	// Output:
	// Solaris
}

// Several servers share an etcd, and clients do not care which of them they ask.
func ExampleExternalEtcd() {
	database, err := etcd.Start(context.Background(), "") // stands for an etcd that runs elsewhere
	must(err)
	describe := func() *builder.Server {
		return example.Register(builder.New("library-apiserver")).WithStorage(builder.ExternalEtcd(database.Transport()))
	}
	using(describe(), func(ctx context.Context, _ *builder.Running, one client.Client) {
		using(describe(), func(_ context.Context, _ *builder.Running, other client.Client) {
			must(one.Create(ctx, solaris()))
			book := solaris()
			must(other.Delete(ctx, book))
			fmt.Println("gone:", client.IgnoreNotFound(one.Get(ctx, client.ObjectKeyFromObject(book), book)) == nil)
		})
	})
	must(database.Stop())
	// Output:
	// gone: true
}

// A resource is served in two versions that differ, and stored in the older one, which servers of the last release can
// read.
func ExampleServer_WithResource() {
	server := example.Describe(builder.New("library-apiserver")).
		WithResource(v2.SchemeGroupVersion, "books", example.Books, v1.SchemeGroupVersion).
		WithStorageVersion(v1.SchemeGroupVersion).
		WithStorage(builder.Memory())
	using(server, func(ctx context.Context, _ *builder.Running, library client.Client) {
		must(library.Create(ctx, solaris()))
		book := &v1.Book{}
		must(library.Get(ctx, client.ObjectKeyFromObject(solaris()), book))
		fmt.Printf("v1 has an author, %s, and a shelf, %s\n", book.Spec.Author, book.Spec.Shelf)
	})
	// Output:
	// v1 has an author, Lem, and a shelf, L 3
}
