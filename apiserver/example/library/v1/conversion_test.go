// SPDX-License-Identifier: Apache-2.0

package v1_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apiserver/example/library"
	v1 "goldsmith.dev/goldsmith/apiserver/example/library/v1"
)

func TestAnAuthorsAnnotation(t *testing.T) {
	const kept = `{"role":"Editor","others":[{"name":"Kandel","role":"Translator"}]}`
	others := []library.Author{{Name: "Kandel", Role: library.RoleTranslator}}
	for _, test := range []struct {
		name, author, annotation string
		want                     []library.Author
		stays                    bool
	}{
		{"says what v1 cannot", "Lem", kept, append([]library.Author{{Name: "Lem", Role: library.RoleEditor}}, others...), false},
		{"follows a client that corrects the author", "Stanisław Lem", kept, append([]library.Author{{Name: "Stanisław Lem", Role: library.RoleEditor}}, others...), false},
		{"may say nothing", "Lem", `{}`, []library.Author{{Name: "Lem"}}, false},
		{"that somebody else wrote is left alone", "Lem", `{"translators":["Kandel"]}`, []library.Author{{Name: "Lem", Role: library.RoleAuthor}}, true},
		{"that is no JSON is left alone", "", `-`, nil, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			annotations := map[string]string{v1.AuthorsAnnotation: test.annotation}
			book := &v1.Book{ObjectMeta: metav1.ObjectMeta{Annotations: annotations}, Spec: v1.BookSpec{Author: test.author}}
			hub := &library.Book{}
			if err := v1.Convert_v1_Book_To_library_Book(book, hub, nil); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, hub.Spec.Authors); diff != "" {
				t.Error(diff)
			}
			_, stays := hub.Annotations[v1.AuthorsAnnotation]
			if stays != test.stays {
				t.Errorf("the hub has the annotation: %t", stays)
			}
			if len(annotations) != 1 {
				t.Error("the converted object lost its annotation")
			}
		})
	}
}
