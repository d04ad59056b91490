// SPDX-License-Identifier: Apache-2.0

package builder

import (
	"reflect"
	"slices"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// encodings are the encodings that clients can choose. Protobuf is not among them if a Go type of these versions has no
// protobuf code. Otherwise a client that prefers protobuf would get an error after its request was executed. The namespace
// controller is such a client, and no namespace would be deleted.
func encodings(scheme *runtime.Scheme, versions []schema.GroupVersion, all runtime.NegotiatedSerializer) runtime.NegotiatedSerializer {
	message := reflect.TypeFor[protobufMessage]()
	for _, version := range versions {
		for _, kind := range scheme.KnownTypes(version) {
			if !reflect.PointerTo(kind).Implements(message) {
				return withoutProtobuf{all}
			}
		}
	}
	return all
}

type withoutProtobuf struct {
	runtime.NegotiatedSerializer
}

// SupportedMediaTypes returns the other encodings.
func (w withoutProtobuf) SupportedMediaTypes() []runtime.SerializerInfo {
	return slices.DeleteFunc(slices.Clone(w.NegotiatedSerializer.SupportedMediaTypes()), func(info runtime.SerializerInfo) bool {
		return info.MediaType == runtime.ContentTypeProtobuf
	})
}
