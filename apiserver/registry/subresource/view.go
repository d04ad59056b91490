// SPDX-License-Identifier: Apache-2.0

package subresource

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/registry/rest"
)

// View is a subresource that clients GET, with query parameters. P is a pointer to the internal type of these options.
type View[T any, P object[T]] struct {
	Base
	resource string
	empty    runtime.Object
	get      func(ctx context.Context, name string, options P) (runtime.Object, error)
}

var (
	_ rest.GetterWithOptions = &View[metav1.Status, *metav1.Status]{}
	_ rest.StorageMetadata   = &View[metav1.Status, *metav1.Status]{}
)

// NewView creates a view. resource is the name of the subresource for errors, such as "images/stats". empty is an empty object of
// the internal type of the answer, and answer a value of its public type.
func NewView[T any, P object[T]](resource string, empty runtime.Object, answer any,
	get func(ctx context.Context, name string, options P) (runtime.Object, error),
) *View[T, P] {
	return &View[T, P]{Base: Base{Answer: answer}, resource: resource, empty: empty, get: get}
}

// New returns an empty answer.
func (v *View[T, P]) New() runtime.Object { return v.empty.DeepCopyObject() }

// NewGetOptions returns the type of the query parameters.
func (v *View[T, P]) NewGetOptions() (options runtime.Object, subpath bool, subpathName string) {
	return P(new(T)), false, ""
}

// Get answers a request about the object with a name.
func (v *View[T, P]) Get(ctx context.Context, name string, object runtime.Object) (runtime.Object, error) {
	options, ok := object.(P)
	if !ok {
		return nil, OtherKind[T](v.resource, name, object)
	}
	return v.get(ctx, name, options)
}
