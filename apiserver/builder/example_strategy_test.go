// SPDX-License-Identifier: Apache-2.0

package builder_test

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/apiserver/example"
	hub "goldsmith.dev/goldsmith/apiserver/example/library"
	v2 "goldsmith.dev/goldsmith/apiserver/example/library/v2"
	"goldsmith.dev/goldsmith/apiserver/resources"
)

// strict is a strategy of books at one location.
type strict struct {
	resources.DefaultStrategy
	allowed string
}

// Validate refuses a new book of another location.
func (s strict) Validate(ctx context.Context, object runtime.Object) field.ErrorList {
	errs := s.DefaultStrategy.Validate(ctx, object)
	if location := object.(*hub.Book).Spec.Location; location != s.allowed {
		errs = append(errs, field.NotSupported(field.NewPath("spec", "location"), location, []string{s.allowed}))
	}
	return errs
}

// ValidateUpdate refuses to move a book to another location.
func (s strict) ValidateUpdate(ctx context.Context, object, _ runtime.Object) field.ErrorList {
	return s.Validate(ctx, object)
}

// A strategy embeds the default strategy and overrides some of its methods. Package example has a longer one.
func Example_strategy() {
	provide := func(scope *resources.Scope) (resources.Storages, error) {
		store, err := resources.NewStore(scope, resources.Resource{
			New:      func() runtime.Object { return &hub.Book{} },
			NewList:  func() runtime.Object { return &hub.BookList{} },
			Resource: hub.Resource("books"),
			Singular: "book",
			Strategy: strict{resources.NewDefaultStrategy(scope.Scheme, v2.SchemeGroupVersion), "L 1"},
		})
		return resources.Storages{"": store}, err
	}
	server := example.Describe(builder.New("branch")).
		WithResource(v2.SchemeGroupVersion, "books", provide).
		WithStorage(builder.Memory())
	using(server, func(ctx context.Context, _ *builder.Running, library client.Client) {
		book := solaris()
		book.Spec.Location = "L 1"
		fmt.Println(library.Create(ctx, book))
		book.Spec.Location = "L 3"
		fmt.Println(library.Update(ctx, book))
	})
	// Output:
	// <nil>
	// Book.library.example.com "solaris" is invalid: spec.location: Unsupported value: "L 3": supported values: "L 1"
}
