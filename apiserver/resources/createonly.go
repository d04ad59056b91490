// SPDX-License-Identifier: Apache-2.0

package resources

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/registry/rest"
)

// CreateOnly describes a resource whose objects are answered at creation and not stored, such as a SubjectAccessReview.
// T is a pointer to the internal type.
type CreateOnly[T runtime.Object] struct {
	// New returns an empty internal object.
	New func() T
	// Singular is the singular name.
	Singular string
	// ClusterScoped is whether requests are in no namespace.
	ClusterScoped bool
	// Answer validates an admitted request, and returns the answer to the client, usually the request with a status. An error
	// without an API status becomes a 500.
	Answer func(ctx context.Context, request T) (runtime.Object, error)
}

// CreateOnlyHandler serves a resource described by CreateOnly.
type CreateOnlyHandler[T runtime.Object] struct {
	resource CreateOnly[T]
}

// NewCreateOnly creates the handler. It needs no storage.
func NewCreateOnly[T runtime.Object](resource CreateOnly[T]) *CreateOnlyHandler[T] {
	return &CreateOnlyHandler[T]{resource: resource}
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

// NamespaceScoped returns whether requests are in namespaces.
func (r *CreateOnlyHandler[T]) NamespaceScoped() bool { return !r.resource.ClusterScoped }

// GetSingularName returns the singular name, which kubectl also accepts.
func (r *CreateOnlyHandler[T]) GetSingularName() string { return r.resource.Singular }

// Create answers a request. With or without dry run, nothing is stored.
func (r *CreateOnlyHandler[T]) Create(ctx context.Context, object runtime.Object, admit rest.ValidateObjectFunc, _ *metav1.CreateOptions) (runtime.Object, error) {
	request, ok := object.(T)
	if !ok {
		return nil, apierrors.NewBadRequest("kind: must be that of a " + r.resource.Singular)
	}
	if admit != nil {
		if err := admit(ctx, request.DeepCopyObject()); err != nil {
			return nil, err
		}
	}
	return r.resource.Answer(ctx, request)
}
