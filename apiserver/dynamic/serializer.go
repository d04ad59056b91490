// SPDX-License-Identifier: Apache-2.0

package dynamic

import (
	"fmt"
	"io"
	"maps"
	"slices"

	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	structuraldefaulting "k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	schemaobjectmeta "k8s.io/apiextensions-apiserver/pkg/apiserver/schema/objectmeta"
	structuralpruning "k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"

	"goldsmith.dev/goldsmith/apiserver/requesterrors"
)

// serializer reads and writes the objects of a kind. Objects of other kinds, such as Status and WatchEvent, belong to the codecs of
// the group.
type serializer struct {
	objects objects
	codecs  runtime.NegotiatedSerializer
	scheme  *runtime.Scheme // the types that the codecs know
	media   []runtime.SerializerInfo
}

var _ runtime.NegotiatedSerializer = &serializer{}

// newSerializer returns a serializer whose media types are those of custom resources: JSON and YAML, and protobuf for other
// objects only.
func newSerializer(objects objects, group *Group) *serializer {
	text := func(options json.SerializerOptions) *json.Serializer {
		return json.NewSerializerWithOptions(json.DefaultMetaFactory, objects, objects, options)
	}
	return &serializer{objects: objects, codecs: group.codecs, scheme: group.scheme, media: []runtime.SerializerInfo{
		{
			MediaType: runtime.ContentTypeJSON, MediaTypeType: "application", MediaTypeSubType: "json", EncodesAsText: true,
			Serializer:       text(json.SerializerOptions{StreamingCollectionsEncoding: true}),
			PrettySerializer: text(json.SerializerOptions{Pretty: true}),
			StrictSerializer: text(json.SerializerOptions{Strict: true, StreamingCollectionsEncoding: true}),
			StreamSerializer: &runtime.StreamSerializerInfo{EncodesAsText: true, Serializer: text(json.SerializerOptions{}), Framer: json.Framer},
		},
		{
			MediaType: runtime.ContentTypeYAML, MediaTypeType: "application", MediaTypeSubType: "yaml", EncodesAsText: true,
			Serializer:       text(json.SerializerOptions{Yaml: true}),
			StrictSerializer: text(json.SerializerOptions{Yaml: true, Strict: true}),
		},
		{
			MediaType: runtime.ContentTypeProtobuf, MediaTypeType: "application", MediaTypeSubType: "vnd.kubernetes.protobuf",
			Serializer: protobuf.NewSerializerWithOptions(objects, objects, protobuf.SerializerOptions{StreamingCollectionsEncoding: true}),
			StreamSerializer: &runtime.StreamSerializerInfo{
				Serializer: protobuf.NewRawSerializer(objects, objects), Framer: protobuf.LengthDelimitedFramer,
			},
		},
	}}
}

// SupportedMediaTypes returns all media types.
func (s *serializer) SupportedMediaTypes() []runtime.SerializerInfo { return s.media }

// forObjects returns the media types that objects of the kind have.
func (s *serializer) forObjects() []runtime.SerializerInfo { return s.media[:2] }

// EncoderForVersion returns an encoder that writes objects of the kind as they are. It does not change them for a moment, as the
// encoders of the library do. So requests can share an object.
func (s *serializer) EncoderForVersion(encode runtime.Encoder, version runtime.GroupVersioner) runtime.Encoder {
	return encoder{Encoder: encode, others: s.codecs.EncoderForVersion(encode, version), scheme: s.scheme}
}

type encoder struct {
	runtime.Encoder
	others runtime.Encoder
	scheme *runtime.Scheme
}

// Encode writes an object.
func (e encoder) Encode(object runtime.Object, to io.Writer) error {
	if _, ok := object.(runtime.Unstructured); ok {
		return e.Encoder.Encode(object, to)
	}
	if _, _, err := e.scheme.ObjectKinds(object); err == nil {
		return e.others.Encode(object, to)
	}
	return e.Encoder.Encode(object, to)
}

// DecoderToVersion returns a decoder of objects of the kind. Objects have the only version.
func (s *serializer) DecoderToVersion(decode runtime.Decoder, _ runtime.GroupVersioner) runtime.Decoder {
	text, ok := decode.(*json.Serializer)
	return decoder{Decoder: decode, objects: s.objects, strict: ok && text.IsStrict()}
}

type decoder struct {
	runtime.Decoder
	objects objects
	strict  bool
}

// Decode reads an object, and removes the fields that the schema lacks. A strict decoder returns the object together with an error
// that names unknown and duplicate fields.
func (d decoder) Decode(data []byte, defaults *schema.GroupVersionKind, into runtime.Object) (runtime.Object, *schema.GroupVersionKind, error) {
	decoded, kind, err := d.Decoder.Decode(data, defaults, into)
	if object, ok := into.(*unstructured.Unstructured); ok && (runtime.IsMissingKind(err) || runtime.IsMissingVersion(err)) {
		decoded, kind, err = object, &d.objects.kind, nil
		withKind(object, d.objects.kind)
	}
	var mistakes []error
	if err != nil {
		strict, ok := runtime.AsStrictDecodingError(err)
		if !ok || decoded == nil {
			return nil, kind, err
		}
		mistakes = strict.Errors()
	}
	object, ok := decoded.(*unstructured.Unstructured)
	if !ok {
		return decoded, kind, err
	}
	if got := object.GetKind(); got != d.objects.kind.Kind {
		return nil, kind, fmt.Errorf("kind: must be %s, not %s", d.objects.kind.Kind, got)
	}
	unknown, err := d.prune(object)
	if err != nil {
		return nil, kind, requesterrors.NameWrongTypes(err, data, &metav1.PartialObjectMetadata{})
	}
	if d.strict {
		for _, path := range unknown {
			mistakes = append(mistakes, fmt.Errorf("unknown field %q", path))
		}
		if len(mistakes) > 0 {
			return object, kind, requesterrors.NameUnknownFields(runtime.NewStrictDecodingError(mistakes), d.fields)
		}
	}
	return object, kind, nil
}

// fields returns the fields of the schema at a path.
func (d decoder) fields(path []string) []string {
	at := d.objects.structural
	for _, step := range path {
		for at != nil && at.Items != nil {
			at = at.Items
		}
		if at == nil {
			return nil
		}
		field, ok := at.Properties[step]
		if !ok {
			return nil
		}
		at = &field
	}
	for at.Items != nil {
		at = at.Items
	}
	return slices.Sorted(maps.Keys(at.Properties))
}

// withKind sets the kind that an object lacks, or a part of it: the URL of the request tells it, as for Go types.
func withKind(object *unstructured.Unstructured, kind schema.GroupVersionKind) {
	if object.GetKind() == "" {
		object.SetKind(kind.Kind)
	}
	if object.GetAPIVersion() == "" {
		object.SetAPIVersion(kind.GroupVersion().String())
	}
}

// prune does for an object what decoding into a Go type does: it removes unknown fields and nulls, and refuses metadata of the wrong
// type. A strict decoder gets the paths of the unknown fields.
func (d decoder) prune(object *unstructured.Unstructured) (unknown []string, err error) {
	typed := object.GroupVersionKind()
	metadata, hasMetadata, unknown, err := schemaobjectmeta.GetObjectMetaWithOptions(object.Object, schemaobjectmeta.ObjectMetaOptions{ReturnUnknownFieldPaths: d.strict})
	if err != nil {
		return nil, err
	}
	options := structuralschema.UnknownFieldPathOptions{TrackUnknownFieldPaths: d.strict}
	unknown = append(unknown, structuralpruning.PruneWithOptions(object.Object, d.objects.structural, true, options)...)
	structuraldefaulting.PruneNonNullableNullsWithoutDefaults(object.Object, d.objects.bare)
	embedded, paths := schemaobjectmeta.CoerceWithOptions(nil, object.Object, d.objects.structural, false, schemaobjectmeta.CoerceOptions{ReturnUnknownFieldPaths: d.strict})
	if embedded != nil {
		return nil, embedded
	}
	object.SetGroupVersionKind(typed)
	if hasMetadata {
		if err := schemaobjectmeta.SetObjectMeta(object.Object, metadata); err != nil {
			return nil, err
		}
	}
	return append(unknown, paths...), nil
}
