// SPDX-License-Identifier: Apache-2.0

package validate

import (
	"go/ast"
	"go/token"
	"go/types"
	"strings"

	"golang.org/x/tools/go/analysis"
)

// find collects the types of an API that a package declares.
func find(pass *analysis.Pass) *api {
	found := &api{pass: pass, named: map[types.Object]*declaration{}, members: map[types.Object][]*ast.ValueSpec{}}
	for _, file := range pass.Files {
		if !ast.IsGenerated(file) && !strings.HasSuffix(pass.Fset.File(file.FileStart).Name(), "_test.go") {
			found.files = append(found.files, file)
		}
	}
	if found.hub() {
		return found
	}
	all := found.declarations()
	markUsed(found, all)
	for _, s := range all {
		s.kind = isKind(s, all)
	}
	found.choose(all)
	return found
}

// hub reports whether the package holds a group's internal version, which has no JSON.
func (a *api) hub() bool {
	internal := false
	for _, file := range a.files {
		for _, decl := range file.Decls {
			variable, ok := decl.(*ast.GenDecl)
			if !ok || variable.Tok != token.VAR {
				continue
			}
			ast.Inspect(variable, func(node ast.Node) bool {
				if name, ok := node.(*ast.Ident); ok && name.Name == "APIVersionInternal" {
					internal = true
				}
				return true
			})
		}
	}
	return internal
}

// declarations returns every struct of the package, and notes every other type and the constants.
func (a *api) declarations() []*structType {
	var all []*structType
	for _, file := range a.files {
		for _, decl := range file.Decls {
			general, ok := decl.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, spec := range general.Specs {
				switch spec := spec.(type) {
				case *ast.ValueSpec:
					if constant, ok := a.pass.TypesInfo.Defs[spec.Names[0]].(*types.Const); ok {
						if named, ok := types.Unalias(constant.Type()).(*types.Named); ok {
							a.members[named.Obj()] = append(a.members[named.Obj()], spec)
						}
					}
				case *ast.TypeSpec:
					declared := a.declare(file, general, spec)
					a.named[a.pass.TypesInfo.Defs[spec.Name]] = declared
					if node, ok := spec.Type.(*ast.StructType); ok && !marshals(a.pass.TypesInfo.Defs[spec.Name].Type()) {
						all = append(all, a.newStruct(declared, node, file))
					}
				}
			}
		}
	}
	return all
}

func (a *api) declare(file *ast.File, decl *ast.GenDecl, spec *ast.TypeSpec) *declaration {
	comment, start := spec.Doc, spec.Pos()
	if !decl.Lparen.IsValid() {
		comment, start = decl.Doc, decl.Pos()
	}
	if comment != nil {
		start = comment.Pos()
	}
	declared := &declaration{spec: spec, decl: decl}
	for _, group := range file.Comments {
		if gap := a.line(start) - a.line(group.End()); group.End() < start && gap <= 2 {
			declared.above = group
		}
	}
	var above markers
	declared.doc, declared.markers = read(comment)
	_, above = read(declared.above)
	declared.markers = append(declared.markers, above...)
	return declared
}

func (a *api) newStruct(declared *declaration, node *ast.StructType, file *ast.File) *structType {
	s := &structType{declaration: declared, name: declared.spec.Name.Name, node: node, file: file}
	for _, astField := range node.Fields.List {
		names := astField.Names
		if len(names) == 0 {
			names = []*ast.Ident{embeddedName(astField.Type)}
		}
		for _, name := range names {
			f := &field{
				node: astField, name: name.Name, embedded: len(astField.Names) == 0,
				typ: a.pass.TypesInfo.TypeOf(astField.Type), json: parseTag(astField),
			}
			f.doc, f.markers = read(astField.Doc)
			s.fields = append(s.fields, f)
			switch {
			case f.embedded && isMeta(f.typ, "TypeMeta"):
				s.typeMeta = f
			case f.embedded && isMeta(f.typ, "ObjectMeta"):
				s.objectMeta = f
			case f.embedded && isMeta(f.typ, "ListMeta"):
				s.listMeta = f
			}
		}
	}
	return s
}

func embeddedName(expression ast.Expr) *ast.Ident {
	switch expression := expression.(type) {
	case *ast.StarExpr:
		return embeddedName(expression.X)
	case *ast.SelectorExpr:
		return expression.Sel
	case *ast.IndexExpr:
		return embeddedName(expression.X)
	case *ast.IndexListExpr:
		return embeddedName(expression.X)
	case *ast.Ident:
		return expression
	}
	return ast.NewIdent("_") // there is no other expression for an embedded type
}

// read splits a comment into text and markers.
func read(comment *ast.CommentGroup) (text string, found markers) {
	var lines []string
	for line := range strings.Lines(comment.Text()) {
		if marker, ok := strings.CutPrefix(strings.TrimSpace(line), "+"); ok {
			found = append(found, marker)
		} else {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return strings.TrimSpace(strings.Join(lines, " ")), found
}

func (a *api) line(pos token.Pos) int { return a.pass.Fset.Position(pos).Line }

// markUsed notes which structs are in fields of others. Being an item of its own list is no use.
func markUsed(a *api, all []*structType) {
	byObject := map[types.Object]*structType{}
	for _, s := range all {
		byObject[a.pass.TypesInfo.Defs[s.spec.Name]] = s
	}
	for _, s := range all {
		for _, field := range s.fields {
			inner, _ := element(field.typ)
			named, ok := inner.(*types.Named)
			if !ok {
				continue
			}
			if other := byObject[named.Obj()]; other != nil && s.name != other.name+"List" {
				other.used = true
			}
		}
	}
}

// isKind reports whether a struct is an object kind or its list. A struct with ObjectMeta that is part of another type,
// such as a pod template, is not.
func isKind(s *structType, all []*structType) bool {
	if !ast.IsExported(s.name) {
		return false
	}
	if s.markers.kindMarker() || s.typeMeta != nil || s.listMeta != nil || s.objectMeta != nil && !s.used {
		return true
	}
	for _, other := range all {
		if other.objectMeta != nil && (s.name == other.name+"List" || other.name+"List" == s.name) {
			return true
		}
	}
	return false
}

// choose keeps the kinds, the types of their fields, and the other types with JSON tags in a package of an API.
func (a *api) choose(all []*structType) {
	byObject := map[types.Object]*structType{}
	for _, s := range all {
		byObject[a.pass.TypesInfo.Defs[s.spec.Name]] = s
		if s.kind {
			a.kinds = append(a.kinds, s)
		}
	}
	if len(a.kinds) == 0 && !a.marked() {
		return
	}
	chosen := map[*structType]bool{}
	var add func(s *structType, path string)
	add = func(s *structType, path string) {
		if chosen[s] {
			return
		}
		chosen[s] = true
		a.structs = append(a.structs, s)
		s.path = path
		for _, field := range s.fields {
			field.path = path
			if !field.embedded || field.json.name != "" {
				field.path += "." + pathName(field)
			}
			inner, steps := element(field.typ)
			if named, ok := inner.(*types.Named); ok && field.exported() && byObject[named.Obj()] != nil {
				add(byObject[named.Obj()], field.path+steps)
			}
		}
	}
	for _, s := range a.kinds {
		if !s.list() {
			add(s, s.name)
		}
	}
	for _, s := range a.kinds {
		add(s, s.name)
	}
	for _, s := range all {
		if ast.IsExported(s.name) && tagged(s) {
			add(s, s.name)
		}
	}
}

// pathName is the name of a field in JSON or, where it has none, in Go.
func pathName(field *field) string {
	if field.json.name != "" {
		return field.json.name
	}
	return field.name
}

// marked reports whether the package is marked as one of an API.
func (a *api) marked() bool {
	for _, file := range a.files {
		for _, group := range file.Comments {
			if group.End() > file.Package {
				continue
			}
			if _, found := read(group); found.has("groupName", "kubebuilder:object:generate") {
				return true
			}
		}
	}
	return false
}

func tagged(s *structType) bool {
	for _, field := range s.fields {
		if field.json.found {
			return true
		}
	}
	return false
}
