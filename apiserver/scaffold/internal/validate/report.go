// SPDX-License-Identifier: Apache-2.0

package validate

import (
	"fmt"
	"go/ast"
	"regexp"
	"strconv"
	"strings"

	"golang.org/x/tools/go/analysis"
)

// report reports, at a node, what is wrong with the field or type at a path, and how to mend it. noFix has no edits.
func (a *api) report(at ast.Node, path, message string, fix analysis.SuggestedFix) {
	diagnostic := analysis.Diagnostic{Pos: at.Pos(), End: at.End(), Message: path + ": " + message}
	if len(fix.TextEdits) > 0 {
		diagnostic.SuggestedFixes = []analysis.SuggestedFix{fix}
	}
	a.pass.Report(diagnostic)
}

var noFix analysis.SuggestedFix

// reportField is report for a field, at its name.
func (a *api) reportField(f *field, fix analysis.SuggestedFix, message string, arguments ...any) {
	at := ast.Node(f.node.Type)
	for _, name := range f.node.Names {
		if name.Name == f.name {
			at = name
		}
	}
	path := f.path
	if f.embedded {
		path += "." + f.name
	}
	a.report(at, path, fmt.Sprintf(message, arguments...), fix)
}

// reportType is report for a struct, at its name.
func (a *api) reportType(s *structType, fix analysis.SuggestedFix, message string, arguments ...any) {
	a.report(s.spec.Name, s.name, fmt.Sprintf(message, arguments...), fix)
}

var jsonKey = regexp.MustCompile(`(^| )json:"[^"]*"`)

// setTag gives a field a JSON tag and keeps its other tags.
func setTag(f *field, value string) analysis.SuggestedFix {
	if len(f.node.Names) > 1 {
		return noFix // a tag belongs to every name
	}
	tag := "json:" + strconv.Quote(value)
	edit := analysis.TextEdit{Pos: f.node.Type.End(), End: f.node.Type.End(), NewText: []byte(" `" + tag + "`")}
	if old := f.node.Tag; old != nil {
		tags := strings.Trim(old.Value, "`")
		if jsonKey.MatchString(tags) {
			tags = jsonKey.ReplaceAllString(tags, "${1}"+strings.ReplaceAll(tag, "$", "$$"))
		} else {
			tags = strings.TrimSpace(tag + " " + tags)
		}
		edit = analysis.TextEdit{Pos: old.Pos(), End: old.End(), NewText: []byte("`" + tags + "`")}
	}
	return analysis.SuggestedFix{Message: "set the tag " + tag, TextEdits: []analysis.TextEdit{edit}}
}

// omitEmpty adds omitempty to the JSON tag of a field.
func omitEmpty(f *field) analysis.SuggestedFix {
	return setTag(f, f.json.name+",omitempty")
}

// markField puts a marker right above a field.
func markField(f *field, marker string) analysis.SuggestedFix {
	at := f.node.Type.Pos()
	if len(f.node.Names) > 0 {
		at = f.node.Names[0].Pos()
	}
	return analysis.SuggestedFix{
		Message:   "add the marker " + marker,
		TextEdits: []analysis.TextEdit{{Pos: at, End: at, NewText: []byte("// " + marker + "\n\t")}},
	}
}

// markType puts a marker where generators expect it: in the comment above the doc comment.
func markType(d *declaration, marker string) analysis.SuggestedFix {
	at, text := d.decl.Pos(), "// "+marker+"\n\n"
	switch {
	case d.decl.Lparen.IsValid():
		return noFix // a type among others: its comment may be indented, or missing
	case d.above != nil:
		at, text = d.above.End(), "\n// "+marker
	case d.decl.Doc != nil:
		at = d.decl.Doc.Pos()
	}
	return analysis.SuggestedFix{
		Message:   "add the marker " + marker,
		TextEdits: []analysis.TextEdit{{Pos: at, End: at, NewText: []byte(text)}},
	}
}

// embed puts a type of metav1 into a struct, where the file imports metav1: after another field, or first.
func embed(s *structType, after *field, name, tag string) analysis.SuggestedFix {
	alias := importName(s.file, metaPackage)
	if alias == "" {
		return noFix
	}
	at := s.node.Fields.Opening + 1
	if after != nil {
		at = after.node.End()
	}
	return analysis.SuggestedFix{
		Message:   "embed " + alias + "." + name,
		TextEdits: []analysis.TextEdit{{Pos: at, End: at, NewText: []byte("\n\t" + alias + "." + name + " `json:\"" + tag + "\"`")}},
	}
}

// importName is the name under which a file imports a package, or nothing.
func importName(file *ast.File, path string) string {
	for _, spec := range file.Imports {
		if imported, err := strconv.Unquote(spec.Path.Value); err != nil || imported != path {
			continue
		}
		if spec.Name == nil {
			return path[strings.LastIndex(path, "/")+1:]
		}
		return spec.Name.Name
	}
	return ""
}

// packageClause is the name of the package in the file that has the package comment, or in the first file.
func (a *api) packageClause() ast.Node {
	for _, file := range a.files {
		if file.Doc != nil {
			return file.Name
		}
	}
	return a.files[0].Name // there is one: it declares a kind
}
