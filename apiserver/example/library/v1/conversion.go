// SPDX-License-Identifier: Apache-2.0

package v1

import (
	"encoding/json"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/conversion"
	kjson "sigs.k8s.io/json"

	"goldsmith.dev/goldsmith/apiserver/example/library"
)

// AuthorsAnnotation keeps the data about a book's authors that v1 has no field for: the role of the first author, and
// the other authors. Clients of v1 that change a book send it back with the rest of the metadata. Only v1 has it.
const AuthorsAnnotation = library.GroupName + "/v2-authors"

// authors is the content of the annotation.
// +k8s:deepcopy-gen=false
// +k8s:openapi-gen=false
type authors struct {
	Role   library.AuthorRole `json:"role,omitempty"` // of the author whom v1 shows
	Others []author           `json:"others,omitempty"`
}

// author is an author whom v1 does not show.
// +k8s:deepcopy-gen=false
// +k8s:openapi-gen=false
type author struct {
	Name string             `json:"name"`
	Role library.AuthorRole `json:"role,omitempty"`
}

// Convert_v1_Book_To_library_Book finds the authors, some of whom may be in the annotation.
func Convert_v1_Book_To_library_Book(in *Book, out *library.Book, scope conversion.Scope) error {
	if err := autoConvert_v1_Book_To_library_Book(in, out, scope); err != nil {
		return err
	}
	kept, found := readAuthors(in.Annotations[AuthorsAnnotation])
	if !found {
		return nil // what is not ours stays, for the validation to refuse
	}
	out.Annotations = maps.Clone(in.Annotations) // the converted metadata shares in's
	delete(out.Annotations, AuthorsAnnotation)
	if len(out.Annotations) == 0 {
		out.Annotations = nil
	}
	out.Spec.Authors = []library.Author{{Name: in.Spec.Author, Role: kept.Role}}
	for _, other := range kept.Others {
		out.Spec.Authors = append(out.Spec.Authors, library.Author(other))
	}
	return nil
}

// Convert_library_Book_To_v1_Book shows the first author, and keeps in the annotation what that leaves out.
func Convert_library_Book_To_v1_Book(in *library.Book, out *Book, scope conversion.Scope) error {
	if err := autoConvert_library_Book_To_v1_Book(in, out, scope); err != nil {
		return err
	}
	if slices.Equal(in.Spec.Authors, single(out.Spec.Author)) {
		return nil
	}
	kept := authors{Role: in.Spec.Authors[0].Role}
	for _, other := range in.Spec.Authors[1:] {
		kept.Others = append(kept.Others, author(other))
	}
	text, err := json.Marshal(kept)
	if err != nil {
		return err
	}
	out.Annotations = maps.Clone(in.Annotations) // the converted metadata shares in's
	if out.Annotations == nil {
		out.Annotations = map[string]string{}
	}
	out.Annotations[AuthorsAnnotation] = string(text)
	return nil
}

// Convert_v1_BookSpec_To_library_BookSpec renames the shelf and makes a list of the author.
func Convert_v1_BookSpec_To_library_BookSpec(in *BookSpec, out *library.BookSpec, scope conversion.Scope) error {
	out.Location = in.Shelf
	out.Authors = single(in.Author)
	return autoConvert_v1_BookSpec_To_library_BookSpec(in, out, scope)
}

// Convert_library_BookSpec_To_v1_BookSpec renames the location and takes the first author.
func Convert_library_BookSpec_To_v1_BookSpec(in *library.BookSpec, out *BookSpec, scope conversion.Scope) error {
	out.Shelf = in.Location
	out.Author = ""
	if len(in.Authors) > 0 {
		out.Author = in.Authors[0].Name
	}
	return autoConvert_library_BookSpec_To_v1_BookSpec(in, out, scope)
}

// single converts the author of v1 to a list of authors.
func single(name string) []library.Author {
	if name == "" {
		return nil
	}
	return []library.Author{{Name: name, Role: library.RoleAuthor}}
}

// readAuthors reads the annotation if this package wrote it. Any other value counts as not found: a conversion must
// neither fail nor lose what a user wrote.
func readAuthors(text string) (kept authors, found bool) {
	strict, err := kjson.UnmarshalStrict([]byte(text), &kept)
	return kept, err == nil && len(strict) == 0
}
