// SPDX-License-Identifier: Apache-2.0

package install_test

import (
	"math/rand"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/apitesting/fuzzer"
	"k8s.io/apimachinery/pkg/api/apitesting/roundtrip"
	"k8s.io/apimachinery/pkg/api/equality"
	metafuzzer "k8s.io/apimachinery/pkg/apis/meta/fuzzer"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"sigs.k8s.io/randfill"

	"goldsmith.dev/goldsmith/apiserver/example/library"
	"goldsmith.dev/goldsmith/apiserver/example/library/install"
	v1 "goldsmith.dev/goldsmith/apiserver/example/library/v1"
	v2 "goldsmith.dev/goldsmith/apiserver/example/library/v2"
)

func newScheme(t testing.TB) *runtime.Scheme {
	t.Helper()
	scheme := runtime.NewScheme()
	metav1.AddToGroupVersion(scheme, schema.GroupVersion{Version: "v1"})
	if err := install.Install(scheme); err != nil {
		t.Fatal(err)
	}
	return scheme
}

// defaulted fills objects at random, and sets what the defaults would set.
func defaulted(serializer.CodecFactory) []any {
	return []any{
		func(spec *library.BookSpec, c randfill.Continue) {
			c.FillNoCustom(spec)
			for range c.Intn(3) { // fuzzers of Kubernetes fill lists with one element
				spec.Authors = append(spec.Authors, library.Author{Name: c.String(0), Role: library.RoleEditor})
			}
			spec.Copies, spec.LoanDays = new(c.Int31()), new(c.Int31())
		},
		func(author *library.Author, c randfill.Continue) {
			author.Name, author.Role = c.String(0), library.AuthorRole("R"+c.String(0))
		},
	}
}

func TestTheHubSurvivesTheRoundTripThroughEachVersion(t *testing.T) {
	scheme := newScheme(t)
	codecs := serializer.NewCodecFactory(scheme)
	funcs := fuzzer.MergeFuzzerFuncs(metafuzzer.Funcs, defaulted)
	roundtrip.RoundTripTypesWithoutProtobuf(t, scheme, codecs, fuzzer.FuzzerFor(funcs, rand.NewSource(1), codecs), nil)
}

// A conversion to the other version and back loses nothing: v1 → hub → v2 → hub → v1, and the other way round.
func TestNoVersionLosesWhatTheOtherSays(t *testing.T) {
	scheme := newScheme(t)
	codecs := serializer.NewCodecFactory(scheme)
	random := fuzzer.FuzzerFor(metafuzzer.Funcs, rand.NewSource(1), codecs).NilChance(0.3).NumElements(0, 4)
	for _, from := range []struct {
		version, through schema.GroupVersion
		empty            func() runtime.Object
	}{
		{v1.SchemeGroupVersion, v2.SchemeGroupVersion, func() runtime.Object { return &v1.Book{} }},
		{v2.SchemeGroupVersion, v1.SchemeGroupVersion, func() runtime.Object { return &v2.Book{} }},
	} {
		t.Run(from.version.Version, func(t *testing.T) {
			for range 500 {
				object := from.empty()
				random.Fill(object)
				object = convert(t, scheme, object, from.version) // with defaults
				before := object.DeepCopyObject()
				there := convert(t, scheme, object, from.through)
				if !equality.Semantic.DeepEqual(before, object) {
					t.Fatalf("the conversion changed what it converts:\n%s", cmp.Diff(before, object))
				}
				back := convert(t, scheme, there, from.version)
				if !equality.Semantic.DeepEqual(object, back) {
					t.Fatalf("lost:\n%s\non the way:\n%s", cmp.Diff(object, back), cmp.Diff(nil, there))
				}
			}
		})
	}
}

// convert does what a server does between two clients: it decodes into the hub, and encodes and decodes in a version.
func convert(t testing.TB, scheme *runtime.Scheme, object runtime.Object, version schema.GroupVersion) runtime.Object {
	t.Helper()
	kinds, _, err := scheme.ObjectKinds(object)
	if err != nil {
		t.Fatal(err)
	}
	codecs := serializer.NewCodecFactory(scheme)
	own := codecs.LegacyCodec(kinds[0].GroupVersion())
	text, err := runtime.Encode(own, object)
	if err != nil {
		t.Fatal(err)
	}
	hub, err := runtime.Decode(own, text)
	if err != nil {
		t.Fatal(err)
	}
	if text, err = runtime.Encode(codecs.LegacyCodec(version), hub); err != nil {
		t.Fatal(err)
	}
	converted, _, err := codecs.UniversalDeserializer().Decode(text, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	converted.GetObjectKind().SetGroupVersionKind(schema.GroupVersionKind{})
	return converted
}

func TestDefaultsAreTheSameInBothVersions(t *testing.T) {
	scheme := newScheme(t)
	first := convert(t, scheme, &v1.Book{Spec: v1.BookSpec{Author: "Lem"}}, v2.SchemeGroupVersion)
	second := convert(t, scheme, &v2.Book{Spec: v2.BookSpec{Authors: []v2.Author{{Name: "Lem"}}}}, v2.SchemeGroupVersion)
	if diff := cmp.Diff(second, first); diff != "" {
		t.Error(diff)
	}
	want := v2.BookSpec{Authors: []v2.Author{{Name: "Lem", Role: v2.RoleAuthor}}, Copies: new(int32(1)), LoanDays: new(int32(14))}
	if diff := cmp.Diff(want, first.(*v2.Book).Spec); diff != "" {
		t.Error(diff)
	}
}
