// SPDX-License-Identifier: Apache-2.0

package builder

import (
	"reflect"
	"slices"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// encodings are those that clients can choose from: without protobuf where a Go type of these versions has none. Otherwise
// whoever prefers it is answered with an error after the deed: the namespace controller, for one, does, and no namespace
// would ever end.
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

// SupportedMediaTypes are the others.
func (w withoutProtobuf) SupportedMediaTypes() []runtime.SerializerInfo {
	return slices.DeleteFunc(slices.Clone(w.NegotiatedSerializer.SupportedMediaTypes()), func(info runtime.SerializerInfo) bool {
		return info.MediaType == runtime.ContentTypeProtobuf
	})
}
