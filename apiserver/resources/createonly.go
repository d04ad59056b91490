// SPDX-License-Identifier: Apache-2.0

package resources

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/apiserver/pkg/warning"
)

// CreateOnly describes a resource whose objects are answered at creation and not stored, such as a SubjectAccessReview.
// T is a pointer to the internal type, which may be a rest.Scoper, Validator and Warner.
type CreateOnly[T runtime.Object] struct {
	// New returns an empty internal object.
	New func() T
	// Singular is the singular name.
	Singular string
	// Answer returns the answer to the client, usually the request with a status. The request is valid and admitted. An error without
	// an API status becomes a 500.
	Answer func(ctx context.Context, request T) (runtime.Object, error)
}

// CreateOnlyHandler serves a resource described by CreateOnly.
type CreateOnlyHandler[T runtime.Object] struct {
	resource CreateOnly[T]
	scheme   *runtime.Scheme
}

// NewCreateOnly creates the handler. It needs no storage.
func NewCreateOnly[T runtime.Object](scope *Scope, resource CreateOnly[T]) *CreateOnlyHandler[T] {
	return &CreateOnlyHandler[T]{resource: resource, scheme: scope.Scheme}
}

var (
	_ rest.Creater              = &CreateOnlyHandler[runtime.Object]{}
	_ rest.Scoper               = &CreateOnlyHandler[runtime.Object]{}
	_ rest.SingularNameProvider = &CreateOnlyHandler[runtime.Object]{}
)

// New returns an empty request.
func (r *CreateOnlyHandler[T]) New() runtime.Object { return r.resource.New() }

// Destroy has nothing to close.
func (r *CreateOnlyHandler[T]) Destroy() {}

// NamespaceScoped returns whether the objects of the type are in namespaces.
func (r *CreateOnlyHandler[T]) NamespaceScoped() bool { return namespaced(r.resource.New()) }

// GetSingularName returns the singular name, which kubectl also accepts.
func (r *CreateOnlyHandler[T]) GetSingularName() string { return r.resource.Singular }

// Create answers a request. With or without dry run, nothing is stored.
func (r *CreateOnlyHandler[T]) Create(ctx context.Context, object runtime.Object, admit rest.ValidateObjectFunc, _ *metav1.CreateOptions) (runtime.Object, error) {
	request, ok := object.(T)
	if !ok {
		return nil, apierrors.NewBadRequest("kind: must be that of a " + r.resource.Singular)
	}
	if err := r.validate(ctx, request); err != nil {
		return nil, err
	}
	if admit != nil {
		if err := admit(ctx, request.DeepCopyObject()); err != nil {
			return nil, err
		}
	}
	if warner, ok := object.(Warner); ok {
		for _, text := range warner.Warnings(ctx) {
			warning.AddWarning(ctx, "", text)
		}
	}
	return r.resource.Answer(ctx, request)
}

func (r *CreateOnlyHandler[T]) validate(ctx context.Context, request runtime.Object) error {
	validator, ok := request.(Validator)
	if !ok {
		return nil
	}
	errs := validator.Validate(ctx)
	if len(errs) == 0 {
		return nil
	}
	kinds, _, err := r.scheme.ObjectKinds(request)
	if err != nil {
		return err
	}
	return apierrors.NewInvalid(kinds[0].GroupKind(), "", errs)
}
