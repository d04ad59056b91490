// SPDX-License-Identifier: Apache-2.0

package validate

import (
	"go/ast"
	"go/types"
	"reflect"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"
)

// api is the part of an API that a package contributes.
type api struct {
	pass    *analysis.Pass
	kinds   []*structType                     // object kinds and their lists
	structs []*structType                     // the kinds, and every other struct of the API
	named   map[types.Object]*declaration     // every type that the package declares
	members map[types.Object][]*ast.ValueSpec // the constants of a type
	files   []*ast.File                       // what is neither generated nor a test
}

// declaration is a type as it is declared.
type declaration struct {
	spec    *ast.TypeSpec
	decl    *ast.GenDecl
	above   *ast.CommentGroup // a comment of its own right above the doc comment; markers stand there, too
	doc     string            // without markers
	markers markers
}

// structType is a struct of the API.
type structType struct {
	*declaration
	name   string
	node   *ast.StructType
	file   *ast.File
	path   string // how an object gets there, such as Widget.spec.parts[]
	fields []*field

	typeMeta, objectMeta, listMeta *field // those of metav1 that are embedded, or nil
	used                           bool   // another struct has it in a field
	kind                           bool   // has an apiVersion and a kind, or ought to
}

// list reports whether the kind is a list of objects.
func (s *structType) list() bool {
	return s.listMeta != nil || strings.HasSuffix(s.name, "List") && s.field("Items") != nil
}

// field returns the field with a Go name, or nil.
func (s *structType) field(name string) *field {
	for _, field := range s.fields {
		if field.name == name {
			return field
		}
	}
	return nil
}

// field is a field of a struct of the API.
type field struct {
	node     *ast.Field
	typ      types.Type
	name     string // in Go
	embedded bool
	doc      string // without markers
	markers  markers
	json     jsonTag
	path     string // such as Widget.spec.size
}

// exported reports whether the field can be part of JSON.
func (f *field) exported() bool {
	return ast.IsExported(f.name) && f.json.name != "-"
}

// tag returns the value of a key of the field's tag.
func (f *field) tag(key string) string {
	if f.node.Tag == nil {
		return ""
	}
	return reflect.StructTag(strings.Trim(f.node.Tag.Value, "`")).Get(key)
}

func (f *field) pointer() bool {
	_, pointer := types.Unalias(f.typ).(*types.Pointer)
	return pointer
}

// structValue reports whether the field holds a struct, and no pointer to one.
func (f *field) structValue() bool {
	_, structure := f.typ.Underlying().(*types.Struct)
	return structure
}

// metadata reports whether the field is TypeMeta, ObjectMeta or ListMeta, for which there are rules of their own.
func (f *field) metadata() bool {
	return f.embedded && (isMeta(f.typ, "TypeMeta") || isMeta(f.typ, "ObjectMeta") || isMeta(f.typ, "ListMeta"))
}

// jsonTag is a field's tag for JSON.
type jsonTag struct {
	found               bool
	name                string
	omitempty, omitzero bool
}

func parseTag(node *ast.Field) jsonTag {
	if node.Tag == nil {
		return jsonTag{}
	}
	value, found := reflect.StructTag(strings.Trim(node.Tag.Value, "`")).Lookup("json")
	name, options, _ := strings.Cut(value, ",")
	tag := jsonTag{found: found, name: name}
	for option := range strings.SplitSeq(options, ",") {
		switch option {
		case "omitempty":
			tag.omitempty = true
		case "omitzero":
			tag.omitzero = true
		}
	}
	return tag
}

// mayBeAbsent reports whether a zero value is left out of JSON.
func (t jsonTag) mayBeAbsent() bool { return t.omitempty || t.omitzero }

// markers are the comment lines that begin with +, without it.
type markers []string

// has reports whether one of the markers is there, with or without a value.
func (m markers) has(names ...string) bool {
	for _, marker := range m {
		name, _, _ := strings.Cut(marker, "=")
		if slices.Contains(names, name) {
			return true
		}
	}
	return false
}

// with returns the values of a marker.
func (m markers) with(name string) []string {
	var values []string
	for _, marker := range m {
		if value, ok := strings.CutPrefix(marker, name+"="); ok {
			values = append(values, value)
		}
	}
	return values
}

func (m markers) optional() bool {
	return m.has("optional", "k8s:optional", "kubebuilder:validation:Optional")
}

func (m markers) required() bool {
	return m.has("required", "k8s:required", "kubebuilder:validation:Required")
}

// kindMarker reports whether the markers are those of an object kind.
func (m markers) kindMarker() bool {
	return m.has("genclient") || slices.Contains(m.with("kubebuilder:object:root"), "true") || m.deepCopyObject()
}

func (m markers) deepCopyObject() bool {
	for _, value := range m.with("k8s:deepcopy-gen:interfaces") {
		if strings.Contains(value, "/runtime.Object") {
			return true
		}
	}
	return false
}

const metaPackage = "k8s.io/apimachinery/pkg/apis/meta/v1"

// isMeta reports whether a type is one of metav1.
func isMeta(t types.Type, name string) bool { return isNamed(t, metaPackage, name) }

func isNamed(t types.Type, path, name string) bool {
	named, ok := types.Unalias(t).(*types.Named)
	return ok && named.Obj().Name() == name && named.Obj().Pkg() != nil && named.Obj().Pkg().Path() == path
}

// element follows the pointers, slices, arrays and maps of a field to its element type. steps is that part of a path.
func element(t types.Type) (result types.Type, steps string) {
	for {
		switch inner := types.Unalias(t).(type) {
		case *types.Pointer:
			t = inner.Elem()
		case *types.Slice:
			t, steps = inner.Elem(), steps+"[]"
		case *types.Array:
			t, steps = inner.Elem(), steps+"[]"
		case *types.Map:
			t, steps = inner.Elem(), steps+"{}"
		default:
			return inner, steps
		}
	}
}

// marshals reports whether a type writes its JSON itself, so that its fields do not describe the JSON.
func marshals(t types.Type) bool {
	for _, method := range []string{"MarshalJSON", "MarshalText"} {
		object, _, _ := types.LookupFieldOrMethod(t, true, nil, method)
		if function, ok := object.(*types.Func); ok && function.Signature().Recv() != nil {
			return true
		}
	}
	return false
}

// eachField calls a function for every field that can be part of JSON.
func (a *api) eachField(check func(*structType, *field)) {
	for _, s := range a.structs {
		for _, field := range s.fields {
			if field.exported() {
				check(s, field)
			}
		}
	}
}

// structOf returns the struct of this package that a type is, or leads to, or nil.
func (a *api) structOf(t types.Type) *structType {
	inner, _ := element(t)
	named, ok := inner.(*types.Named)
	if !ok {
		return nil
	}
	for _, s := range a.structs {
		if a.pass.TypesInfo.Defs[s.spec.Name] == named.Obj() {
			return s
		}
	}
	return nil
}
