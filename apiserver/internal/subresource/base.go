// SPDX-License-Identifier: Apache-2.0

package subresource

import "k8s.io/apimachinery/pkg/runtime"

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

// Destroy does nothing: the storage belongs to the resource, which closes it.
func (Base) Destroy() {}

// ProducesMIMETypes adds no media type to those of every resource.
func (Base) ProducesMIMETypes(string) []string { return nil }

// ProducesObject returns a value of the public type of the answer.
func (b Base) ProducesObject(string) any { return b.Answer }
