// SPDX-License-Identifier: Apache-2.0

// Package example serves a small API that is not Goldsmith's: the books of a library, in two versions that differ. The
// runnable examples and the tests of package builder serve it, and people read it.
package example

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"

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

// LoanRequests provides the loan requests, which are answered.
func LoanRequests(*resources.Scope) (resources.Storages, error) {
	return resources.Storages{"": resources.NewCreateOnly(resources.CreateOnly[*library.LoanRequest]{
		New:           func() *library.LoanRequest { return &library.LoanRequest{} },
		Singular:      "loanrequest",
		ClusterScoped: true,
		Answer:        answer,
	})}, nil
}

// longestLoan is the longest loan that the library grants, in days.
const longestLoan = 28

func answer(_ context.Context, request *library.LoanRequest) (runtime.Object, error) {
	if days := request.Spec.Days; days < 1 || days > maxLoanDays {
		return nil, apierrors.NewInvalid(v2.SchemeGroupVersion.WithKind("LoanRequest").GroupKind(), "", field.ErrorList{
			field.Invalid(field.NewPath("spec", "days"), days, fmt.Sprintf("must be 1 to %d", maxLoanDays)),
		})
	}
	request.Status = library.LoanRequestStatus{Granted: request.Spec.Days <= longestLoan}
	if !request.Status.Granted {
		request.Status.Reason = fmt.Sprintf("no book is lent for more than %d days", longestLoan)
	}
	return request, nil
}
