// SPDX-License-Identifier: Apache-2.0

// Package example serves a small API that is not Goldsmith's: the books of a library, in two versions that differ. The
// runnable examples and the tests of package builder serve it, and people read it.
package example

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"

	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/apiserver/example/library"
	"goldsmith.dev/goldsmith/apiserver/example/library/install"
	"goldsmith.dev/goldsmith/apiserver/example/library/openapi"
	v1 "goldsmith.dev/goldsmith/apiserver/example/library/v1"
	v2 "goldsmith.dev/goldsmith/apiserver/example/library/v2"
	"goldsmith.dev/goldsmith/apiserver/resources"
)

// Register adds the whole API to a server: books in both versions, and loan requests, which only v2 has.
func Register(server *builder.Server) *builder.Server {
	return Describe(server).
		WithResource(v2.SchemeGroupVersion, "books", Books, v1.SchemeGroupVersion).
		WithResource(v2.SchemeGroupVersion, "loanrequests", LoanRequests)
}

// Describe adds the types of the API to a server, and no resource.
func Describe(server *builder.Server) *builder.Server {
	return server.
		WithScheme(install.Install).
		WithOpenAPI("Library", "v2", openapi.GetOpenAPIDefinitions)
}

// Books provides the books, which are stored.
func Books(scope *resources.Scope) (resources.Storages, error) {
	store, err := resources.NewStore(scope, resources.Resource{
		New:        func() runtime.Object { return &library.Book{} },
		NewList:    func() runtime.Object { return &library.BookList{} },
		Resource:   library.Resource("books"),
		Singular:   "book",
		ShortNames: []string{"bk"},
	})
	if err != nil {
		return nil, err
	}
	return resources.Storages{"": store, "status": store.Status(nil)}, nil
}

// LoanRequests provides the loan requests, which are answered.
func LoanRequests(scope *resources.Scope) (resources.Storages, error) {
	return resources.Storages{"": resources.NewCreateOnly(scope, resources.CreateOnly[*library.LoanRequest]{
		New:      func() *library.LoanRequest { return &library.LoanRequest{} },
		Singular: "loanrequest",
		Answer:   answer,
	})}, nil
}

// longestLoan is for how many days everybody gets a book.
const longestLoan = 28

func answer(_ context.Context, request *library.LoanRequest) (runtime.Object, error) {
	request.Status = library.LoanRequestStatus{Granted: request.Spec.Days <= longestLoan}
	if !request.Status.Granted {
		request.Status.Reason = fmt.Sprintf("no book is lent for more than %d days", longestLoan)
	}
	return request, nil
}
