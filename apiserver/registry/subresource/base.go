// SPDX-License-Identifier: Apache-2.0

package subresource

import (
	"fmt"
	"reflect"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
)

// object is a pointer to T that is an API object.
type object[T any] interface {
	*T
	runtime.Object
}

// Base is the common part of all subresources. Subresources that are neither an Action nor a View embed it.
type Base struct {
	// Answer is a value of the public type of the answer, for the OpenAPI document.
	Answer any
}

// OtherKind returns the error of a request about the object with a name, if the request is not a T. resource is the name of the
// subresource, such as "images/stats".
func OtherKind[T any](resource, name string, request runtime.Object) error {
	return apierrors.NewBadRequest(fmt.Sprintf("the request to %s of %s must be %s, not %s", resource, name, reflect.TypeFor[T]().Name(), reflect.TypeOf(request).Elem().Name()))
}

// Destroy does nothing: the storage belongs to the resource, which closes it.
func (Base) Destroy() {}

// ProducesMIMETypes adds no media type to those of every resource.
func (Base) ProducesMIMETypes(string) []string { return nil }

// ProducesObject returns a value of the public type of the answer.
func (b Base) ProducesObject(string) any { return b.Answer }
