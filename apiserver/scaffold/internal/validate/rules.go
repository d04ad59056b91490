// SPDX-License-Identifier: Apache-2.0

package validate

import (
	"go/ast"
	"go/token"
	"go/types"
	"reflect"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"
)

// structType is an exported struct of an API: it embeds metadata, or has fields with JSON tags.
type structType struct {
	name   *ast.Ident
	doc    *ast.CommentGroup
	fields []field
}

type field struct {
	node *ast.Field
	name string // in Go
	json string // empty without a name in JSON
	typ  types.Type
}

// tag returns the value of a key of the field's tag.
func (f field) tag(key string) string {
	if f.node.Tag == nil {
		return ""
	}
	return reflect.StructTag(strings.Trim(f.node.Tag.Value, "`")).Get(key)
}

func (s structType) field(name string) *field {
	for i := range s.fields {
		if s.fields[i].name == name {
			return &s.fields[i]
		}
	}
	return nil
}

func (s structType) embeds(name string) bool {
	f := s.field(name)
	return f != nil && len(f.node.Names) == 0 && isNamed(f.typ, "k8s.io/apimachinery/pkg/apis/meta/v1", name)
}

func isNamed(t types.Type, path, name string) bool {
	named, ok := types.Unalias(t).(*types.Named)
	return ok && named.Obj().Name() == name && named.Obj().Pkg() != nil && named.Obj().Pkg().Path() == path
}

// declarations calls a function for each declaration of types and constants that is neither generated nor in a test.
func declarations(pass *analysis.Pass, call func(*ast.GenDecl, ast.Spec)) {
	for _, file := range pass.Files {
		if ast.IsGenerated(file) || strings.HasSuffix(pass.Fset.File(file.FileStart).Name(), "_test.go") {
			continue
		}
		for _, decl := range file.Decls {
			if general, ok := decl.(*ast.GenDecl); ok && general.Tok != token.IMPORT {
				for _, spec := range general.Specs {
					call(general, spec)
				}
			}
		}
	}
}

// docOf returns the comment of a specification: that of its declaration, unless it is one of several.
func docOf(decl *ast.GenDecl, own *ast.CommentGroup) *ast.CommentGroup {
	if decl.Lparen.IsValid() {
		return own
	}
	return decl.Doc
}

func structs(pass *analysis.Pass) (found []structType) {
	declarations(pass, func(decl *ast.GenDecl, spec ast.Spec) {
		declared, ok := spec.(*ast.TypeSpec)
		if !ok || !declared.Name.IsExported() {
			return
		}
		node, ok := declared.Type.(*ast.StructType)
		if !ok {
			return
		}
		s, tagged := structType{name: declared.Name, doc: docOf(decl, declared.Doc)}, false
		for _, astField := range node.Fields.List {
			f := field{node: astField, typ: pass.TypesInfo.TypeOf(astField.Type)}
			f.json, _, _ = strings.Cut(f.tag("json"), ",")
			tagged = tagged || f.tag("json") != ""
			if named, ok := types.Unalias(f.typ).(*types.Named); ok && len(astField.Names) == 0 {
				f.name = named.Obj().Name()
				s.fields = append(s.fields, f)
			}
			for _, name := range astField.Names {
				f.name = name.Name
				s.fields = append(s.fields, f)
			}
		}
		if tagged {
			found = append(found, s)
		}
	})
	return found
}

func rule(name, doc string, check func(*analysis.Pass)) *analysis.Analyzer {
	return &analysis.Analyzer{Name: name, Doc: doc, Run: func(pass *analysis.Pass) (any, error) { check(pass); return nil, nil }}
}

var lists = rule("lists", "check that lists have items of their kind, which are always written", func(pass *analysis.Pass) {
	for _, s := range structs(pass) {
		if !s.embeds("TypeMeta") || !s.embeds("ListMeta") {
			continue
		}
		items := s.field("Items")
		if items == nil {
			pass.Reportf(s.name.Pos(), "%s has no items: add Items, a slice of the kind, tagged `json:\"items\"`", s.name)
			continue
		}
		if items.tag("json") != "items" {
			pass.Reportf(items.node.Pos(), "the items of %s are always there, even if there are none: tag them `json:\"items\"`", s.name)
		}
		kind := strings.TrimSuffix(s.name.Name, "List")
		if slice, ok := types.Unalias(items.typ).(*types.Slice); !ok || pass.Pkg.Scope().Lookup(kind) != nil && !isNamed(slice.Elem(), pass.Pkg.Path(), kind) {
			pass.Reportf(items.node.Pos(), "the items of %s are of another kind: make it []%s", s.name, kind)
		}
	}
})

// observed are the JSON names of fields that a controller reports.
var observed = []string{"conditions", "observedGeneration", "phase"}

var specStatus = rule("specstatus", "check that desired and observed state are apart, in spec and status", func(pass *analysis.Pass) {
	specs := map[string]bool{}
	for _, s := range structs(pass) {
		spec, status := s.field("Spec"), s.field("Status")
		if !s.embeds("TypeMeta") || !s.embeds("ObjectMeta") || spec == nil || status == nil {
			continue
		}
		if named, ok := types.Unalias(spec.typ).(*types.Named); ok {
			specs[named.Obj().Name()] = true
		}
		for _, f := range s.fields {
			if f.json != "" && !slices.Contains([]string{"metadata", "spec", "status"}, f.json) {
				pass.Reportf(f.node.Pos(), "%s.%s lies beside spec and status: move what is desired into spec, and what is observed into status", s.name, f.json)
			}
		}
	}
	for _, s := range structs(pass) {
		for _, f := range s.fields {
			if specs[s.name.Name] && slices.Contains(observed, f.json) {
				pass.Reportf(f.node.Pos(), "%s.%s is observed state, which belongs in status", s.name, f.json)
			}
		}
	}
})

var mergeKeys = rule("mergekeys", "check that a strategic merge patch merges a list by the key by which server-side apply merges it", func(pass *analysis.Pass) {
	for _, s := range structs(pass) {
		for _, f := range s.fields {
			var keys []string
			for line := range strings.Lines(f.node.Doc.Text()) {
				if name, key, ok := strings.Cut(strings.TrimSpace(line), "="); ok && (name == "+listMapKey" || name == "+k8s:listMapKey") && !slices.Contains(keys, key) {
					keys = append(keys, key)
				}
			}
			if len(keys) == 1 && (f.tag("patchStrategy") != "merge" || f.tag("patchMergeKey") != keys[0]) { // such a patch can have only one key
				pass.Reportf(f.node.Pos(), "strategic merge patches replace %s.%s: tag it patchStrategy:\"merge\" patchMergeKey:%q", s.name, f.json, keys[0])
			}
		}
	}
})

var enums = rule("enums", "check that a type marked +enum has constants, each documented: OpenAPI lists them", func(pass *analysis.Pass) {
	constants := map[types.Type]int{}
	undocumented := map[types.Type]*ast.Ident{}
	declarations(pass, func(decl *ast.GenDecl, spec ast.Spec) {
		if value, ok := spec.(*ast.ValueSpec); ok && decl.Tok == token.CONST {
			typ := pass.TypesInfo.TypeOf(value.Names[0])
			if constants[typ]++; docOf(decl, value.Doc) == nil && undocumented[typ] == nil {
				undocumented[typ] = value.Names[0]
			}
		}
	})
	declarations(pass, func(decl *ast.GenDecl, spec ast.Spec) {
		declared, ok := spec.(*ast.TypeSpec)
		if !ok || !slices.Contains(strings.Split(docOf(decl, declared.Doc).Text(), "\n"), "+enum") {
			return
		}
		typ := pass.TypesInfo.Defs[declared.Name].Type()
		if constants[typ] == 0 {
			pass.Reportf(declared.Name.Pos(), "%s is marked +enum and has no constants: declare one for each value", declared.Name)
		} else if name := undocumented[typ]; name != nil {
			pass.Reportf(name.Pos(), "%s has no documentation: say in a comment above it what it means", name)
		}
	})
})

var documented = rule("documented", "check that types are documented: kubectl explain shows their comments", func(pass *analysis.Pass) {
	for _, s := range structs(pass) {
		if s.doc == nil {
			pass.Reportf(s.name.Pos(), "%s is not documented: say in a comment above it what it is", s.name)
		}
	}
})

var times = rule("times", "check that times are those of metav1, which write RFC 3339", func(pass *analysis.Pass) {
	for _, s := range structs(pass) {
		for _, f := range s.fields {
			typ := types.Unalias(f.typ)
			if pointer, ok := typ.(*types.Pointer); ok {
				typ = pointer.Elem()
			}
			if isNamed(typ, "time", "Time") {
				pass.Reportf(f.node.Pos(), "%s.%s is written with fractions and a zero of its own: use metav1.Time, or metav1.MicroTime", s.name, f.json)
			}
		}
	}
})
