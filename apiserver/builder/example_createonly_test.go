// SPDX-License-Identifier: Apache-2.0

package builder_test

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/apiserver/example"
	hub "goldsmith.dev/goldsmith/apiserver/example/library"
	v2 "goldsmith.dev/goldsmith/apiserver/example/library/v2"
	"goldsmith.dev/goldsmith/apiserver/resources"
)

// A resource answers what is created, and stores nothing, as a SubjectAccessReview does.
func Example_createOnly() {
	provide := func(*resources.Scope) (resources.Storages, error) {
		return resources.Storages{"": resources.NewCreateOnly(resources.CreateOnly[*hub.LoanRequest]{
			New:           func() *hub.LoanRequest { return &hub.LoanRequest{} },
			Singular:      "loanrequest",
			ClusterScoped: true,
			Answer: func(_ context.Context, request *hub.LoanRequest) (runtime.Object, error) {
				if request.Spec.Days == 0 {
					return nil, apierrors.NewBadRequest("spec.days: must be set")
				}
				request.Status.Granted = request.Spec.Days <= 7
				return request, nil
			},
		})}, nil
	}
	server := example.Describe(builder.New("desk")).WithResource(v2.SchemeGroupVersion, "loanrequests", provide)
	using(server, func(ctx context.Context, _ *builder.Running, library client.Client) {
		for _, days := range []int32{7, 8, 0} {
			request := &v2.LoanRequest{Spec: v2.LoanRequestSpec{Book: "solaris", Days: days}}
			err := library.Create(ctx, request)
			fmt.Println(days, "days:", request.Status.Granted, err)
		}
	})
	// Output:
	// 7 days: true <nil>
	// 8 days: false <nil>
	// 0 days: false spec.days: must be set
}
