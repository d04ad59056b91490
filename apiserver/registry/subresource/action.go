// SPDX-License-Identifier: Apache-2.0

package subresource

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/registry/rest"
)

// Action is a subresource that clients POST requests to. P is a pointer to the internal type of the request.
type Action[T any, P object[T]] struct {
	Base
	resource string
	check    func(ctx context.Context, name string, request P) error
	run      func(ctx context.Context, name string, request P, options *metav1.CreateOptions) (runtime.Object, error)
}

var (
	_ rest.NamedCreater    = &Action[metav1.Status, *metav1.Status]{}
	_ rest.StorageMetadata = &Action[metav1.Status, *metav1.Status]{}
)

// NewAction creates an action. resource is the name of the subresource for errors, such as "imagebuilds/cancel". answer is a value
// of the public type of the answer. check refuses or completes requests before admission. run handles an admitted request.
func NewAction[T any, P object[T]](resource string, answer any,
	check func(ctx context.Context, name string, request P) error,
	run func(ctx context.Context, name string, request P, options *metav1.CreateOptions) (runtime.Object, error),
) *Action[T, P] {
	return &Action[T, P]{Base: Base{Answer: answer}, resource: resource, check: check, run: run}
}

// New returns an empty request.
func (a *Action[T, P]) New() runtime.Object { return P(new(T)) }

// Create handles a request about the object with a name.
func (a *Action[T, P]) Create(ctx context.Context, name string, object runtime.Object, admit rest.ValidateObjectFunc, options *metav1.CreateOptions) (runtime.Object, error) {
	request, ok := object.(P)
	if !ok {
		return nil, OtherKind[T](a.resource, name, object)
	}
	if err := a.check(ctx, name, request); err != nil {
		return nil, err
	}
	if admit != nil {
		if err := admit(ctx, request.DeepCopyObject()); err != nil {
			return nil, err
		}
	}
	return a.run(ctx, name, request, options)
}

// Valid returns the check of an action whose requests are only validated.
func Valid[P any](kind schema.GroupKind, validate func(request P, name string) field.ErrorList) func(context.Context, string, P) error {
	return func(_ context.Context, name string, request P) error {
		return Invalid(kind, name, validate(request, name))
	}
}

// Invalid returns the error of a request with errs, or nil if there are none.
func Invalid(kind schema.GroupKind, name string, errs field.ErrorList) error {
	if len(errs) == 0 {
		return nil
	}
	return apierrors.NewInvalid(kind, name, errs)
}
