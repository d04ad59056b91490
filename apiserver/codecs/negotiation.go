// SPDX-License-Identifier: Apache-2.0

package codecs

import (
	"reflect"
	"slices"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"goldsmith.dev/goldsmith/apiserver/requesterrors"
)

// encodings are made once, because every request asks for them.
type encodings struct {
	runtime.NegotiatedSerializer
	supported []runtime.SerializerInfo
}

// ForClients returns the encodings that clients of these versions can choose among all. Text encodings explain their errors, and
// write indented lists item by item. Protobuf is not among them if a Go type of these versions has no protobuf code. Otherwise
// a client that prefers protobuf would get an error after its request was executed. The namespace controller is such a client,
// and no namespace would be deleted.
func ForClients(scheme *runtime.Scheme, versions []schema.GroupVersion, all runtime.NegotiatedSerializer) runtime.NegotiatedSerializer {
	supported := slices.Clone(all.SupportedMediaTypes())
	if !haveProtobuf(scheme, versions) {
		supported = slices.DeleteFunc(supported, func(info runtime.SerializerInfo) bool { return info.MediaType == runtime.ContentTypeProtobuf })
	}
	for i, info := range supported {
		if info.EncodesAsText {
			supported[i].Serializer = requesterrors.Serializer(info.Serializer, scheme)
			if info.PrettySerializer != nil {
				supported[i].PrettySerializer = indentingSerializer{info.PrettySerializer, info.Serializer}
			}
			supported[i].StrictSerializer = requesterrors.Serializer(info.StrictSerializer, scheme)
		}
	}
	return encodings{all, supported}
}

// SupportedMediaTypes returns the encodings.
func (e encodings) SupportedMediaTypes() []runtime.SerializerInfo { return e.supported }

// protobufMessage has the methods of generated protobuf code.
type protobufMessage interface {
	Marshal() ([]byte, error)
	Unmarshal(data []byte) error
}

func haveProtobuf(scheme *runtime.Scheme, versions []schema.GroupVersion) bool {
	message := reflect.TypeFor[protobufMessage]()
	for _, version := range versions {
		for _, kind := range scheme.KnownTypes(version) {
			if !reflect.PointerTo(kind).Implements(message) {
				return false
			}
		}
	}
	return true
}
