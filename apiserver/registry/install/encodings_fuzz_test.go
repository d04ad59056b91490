// SPDX-License-Identifier: Apache-2.0

package install_test

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// FuzzEncodings decodes arbitrary requests in any encoding and encodes them again. Nothing may panic, and
// all data that JSON can express is the same in each encoding.
func FuzzEncodings(f *testing.F) {
	scheme := newScheme(f)
	all := encodings(f, scheme)
	json := all["JSON"]
	for _, example := range examples(f) {
		object, err := runtime.Decode(json, []byte(example))
		if err != nil {
			continue // of another group
		}
		for name, codec := range all {
			data, err := runtime.Encode(codec, object)
			if err != nil {
				f.Fatalf("encode an example as %s: %v", name, err)
			}
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		sent, err := runtime.Decode(json, data)
		if err != nil {
			return
		}
		said := again(t, json, sent) // times lose their fractions, strings what is not UTF-8
		for name, codec := range all {
			if got := again(t, codec, said); !equality.Semantic.DeepEqual(said, got) {
				t.Errorf("%s changed the object:\n%#v\n%#v", name, said, got)
			}
		}
	})
}

// encodings are the codecs of requests. They decode into the types of the server.
func encodings(t testing.TB, scheme *runtime.Scheme) map[string]runtime.Codec {
	t.Helper()
	codecs, all := serializer.NewCodecFactory(scheme), map[string]runtime.Codec{}
	internal := schema.GroupVersion{Group: v1alpha1.GroupName, Version: runtime.APIVersionInternal}
	for name, mediaType := range map[string]string{"JSON": runtime.ContentTypeJSON, "YAML": runtime.ContentTypeYAML, "protobuf": runtime.ContentTypeProtobuf} {
		info, found := runtime.SerializerInfoForMediaType(codecs.SupportedMediaTypes(), mediaType)
		if !found {
			t.Fatalf("there is no serializer for %s", mediaType)
		}
		all[name] = codecs.CodecForVersions(info.Serializer, codecs.UniversalDeserializer(), v1alpha1.SchemeGroupVersion, internal)
	}
	return all
}

func again(t *testing.T, codec runtime.Codec, object runtime.Object) runtime.Object {
	t.Helper()
	data, err := runtime.Encode(codec, object)
	if err != nil {
		t.Fatalf("encode what was decoded: %v", err)
	}
	read, err := runtime.Decode(codec, data)
	if err != nil {
		t.Fatalf("decode what was encoded: %v", err)
	}
	return read
}

// FuzzFieldSelectors parses field selectors as the server does. An accepted selector names existing fields.
func FuzzFieldSelectors(f *testing.F) {
	for _, selector := range []string{
		"", "metadata.name=web", "metadata.namespace!=default,spec.suspend==true", "spec.builder.name=mock", "status.phase=Running",
		"spec.imageRef.uid=", "spec.trigger.reason!=Manual,status.finished=false", "status.revoked=true", "spec.colour=blue", "=", "!=", ",", `a\,b=c\=d`, `a=b\`, "a=b=c", "metadata.name in (a)",
	} {
		f.Add("Image", selector)
		f.Add("ImageBuild", selector)
	}
	f.Add("ImageReport", "since=24h,deleted=true,metadata.name=web")
	scheme := newScheme(f)
	f.Fuzz(func(t *testing.T, kind, text string) {
		selector, err := fields.ParseSelector(text)
		if err != nil {
			return
		}
		converted, err := selector.Transform(func(field, value string) (string, string, error) {
			return scheme.ConvertFieldLabel(v1alpha1.SchemeGroupVersion.WithKind(kind), field, value)
		})
		if err != nil {
			return
		}
		for _, requirement := range converted.Requirements() {
			if kind == "ImageReport" && (requirement.Field == "since" || requirement.Field == "deleted") {
				continue // no field, but a question
			}
			if !strings.HasPrefix(requirement.Field, "metadata.") && !strings.HasPrefix(requirement.Field, "spec.") && !strings.HasPrefix(requirement.Field, "status.") {
				t.Errorf("%s can be selected by %q", kind, requirement.Field)
			}
		}
		if _, err := fields.ParseSelector(converted.String()); err != nil {
			t.Errorf("%q became %q: %v", text, converted, err)
		}
	})
}
