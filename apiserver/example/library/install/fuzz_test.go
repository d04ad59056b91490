// SPDX-License-Identifier: Apache-2.0

package install_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"

	"goldsmith.dev/goldsmith/apiserver/example"
	"goldsmith.dev/goldsmith/apiserver/example/library"
	v1 "goldsmith.dev/goldsmith/apiserver/example/library/v1"
	v2 "goldsmith.dev/goldsmith/apiserver/example/library/v2"
)

// FuzzBooks sends manifests through decoding, defaults, conversion and validation. Nothing may panic, and every accepted
// book is the same after it has been written and read in either version.
func FuzzBooks(f *testing.F) {
	for _, manifest := range []string{
		``, `null`, `{}`, `{"kind":"Book"}`,
		`{"apiVersion":"library.example.com/v1","kind":"Book","metadata":{"name":"solaris"},"spec":{"title":"Solaris","author":"Lem","shelf":"L 3"}}`,
		`{"apiVersion":"library.example.com/v1","kind":"Book","spec":{"title":"Solaris","author":"","copies":0,"loanDays":null}}`,
		`{"apiVersion":"library.example.com/v1","kind":"Book","metadata":{"annotations":{"library.example.com/v2-authors":"{\"role\":\"Editor\",\"others\":[{\"name\":\"b\",\"role\":\"Translator\"}]}"}},"spec":{"title":"t","author":"a"}}`,
		`{"apiVersion":"library.example.com/v1","kind":"Book","metadata":{"annotations":{"library.example.com/v2-authors":"null","a":"b"}},"spec":{"title":"t","author":"a"}}`,
		`{"apiVersion":"library.example.com/v1","kind":"Book","metadata":{"annotations":{"library.example.com/v2-authors":"[1"}},"spec":{"title":"t"}}`,
		`{"apiVersion":"library.example.com/v2","kind":"Book","metadata":{"annotations":{"library.example.com/v2-authors":"{}"}},"spec":{"title":"t"}}`,
		`{"apiVersion":"library.example.com/v2","kind":"Book","metadata":{"name":"cyberiad"},"spec":{"title":"The Cyberiad","authors":[{"name":"Lem"},{"name":"Kandel","role":"Translator"}],"location":"<L&4>","copies":3,"loanDays":365}}`,
		`{"apiVersion":"library.example.com/v2","kind":"Book","spec":{"title":"t","authors":[{"name":"a","role":"Editor"}]},"status":{"loaned":-1}}`,
		`{"apiVersion":"library.example.com/v2","kind":"Book","spec":{"title":"t","authors":[{},{"name":"a"},{"name":"a","role":"Cook"}]}}`,
		`{"apiVersion":"library.example.com/v2","kind":"BookList","items":[{},null]}`,
		`{"apiVersion":"library.example.com/v2","kind":"LoanRequest","spec":{"book":"solaris","days":7}}`,
	} {
		f.Add(manifest)
	}
	scheme := newScheme(f)
	codecs := serializer.NewCodecFactory(scheme)
	f.Fuzz(func(t *testing.T, manifest string) {
		object, err := runtime.Decode(codecs.UniversalDecoder(library.SchemeGroupVersion), []byte(manifest))
		if err != nil {
			return
		}
		book, ok := object.(*library.Book)
		if !ok {
			return
		}
		if len(example.ValidateBook(book)) > 0 {
			return
		}
		for _, version := range []schema.GroupVersion{v1.SchemeGroupVersion, v2.SchemeGroupVersion} {
			codec := codecs.LegacyCodec(version)
			text, err := runtime.Encode(codec, book.DeepCopy())
			if err != nil {
				t.Fatalf("a valid book cannot be written in %s: %v", version, err)
			}
			back, err := runtime.Decode(codec, text)
			if err != nil {
				t.Fatalf("what was written in %s cannot be read: %v", version, err)
			}
			if !equality.Semantic.DeepEqual(book, back) {
				t.Fatalf("%s changed it:\n%s", version, cmp.Diff(book, back))
			}
		}
	})
}
