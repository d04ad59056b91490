// SPDX-License-Identifier: Apache-2.0

package builder_test

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/registry/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/apiserver/example"
	hub "goldsmith.dev/goldsmith/apiserver/example/library"
	v2 "goldsmith.dev/goldsmith/apiserver/example/library/v2"
	"goldsmith.dev/goldsmith/apiserver/resources"
)

// desk is the subresource books/loans: a user who creates a loan request there gets a copy, as long as one is left.
type desk struct {
	status *resources.StatusREST
}

var _ rest.NamedCreater = desk{}

func (desk) New() runtime.Object { return &hub.LoanRequest{} }
func (desk) Destroy()            {}

func (d desk) Create(ctx context.Context, name string, object runtime.Object, admit rest.ValidateObjectFunc, options *metav1.CreateOptions) (runtime.Object, error) {
	if err := admit(ctx, object); err != nil {
		return nil, err
	}
	lend := rest.DefaultUpdatedObjectInfo(nil, func(_ context.Context, _, stored runtime.Object) (runtime.Object, error) {
		book := stored.(*hub.Book).DeepCopy()
		book.Status.Loaned++
		return book, nil
	})
	if _, _, err := d.status.Update(ctx, name, lend, nil, nil, false, &metav1.UpdateOptions{DryRun: options.DryRun}); err != nil {
		return nil, err
	}
	request := object.(*hub.LoanRequest)
	request.Status.Granted = true
	return request, nil
}

// A resource has subresources: its status, which the store makes, and a custom subresource.
func Example_subresource() {
	provide := func(scope *resources.Scope) (resources.Storages, error) {
		storages, err := example.Books(scope)
		if err != nil {
			return nil, err
		}
		storages["loans"] = desk{storages["status"].(*resources.StatusREST)}
		return storages, nil
	}
	server := example.Describe(builder.New("library-apiserver")).
		WithResource(v2.SchemeGroupVersion, "books", provide).
		WithStorage(builder.Memory())
	using(server, func(ctx context.Context, _ *builder.Running, library client.Client) {
		must(library.Create(ctx, solaris()))
		for range 2 {
			request := &v2.LoanRequest{}
			err := library.SubResource("loans").Create(ctx, solaris(), request)
			fmt.Println(request.Status.Granted, err)
		}
	})
	// Output:
	// true <nil>
	// false Book.library.example.com "solaris" is invalid: status.loaned: Invalid value: 2: must be between none and all of the copies
}
