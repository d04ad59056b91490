// SPDX-License-Identifier: Apache-2.0

package resource

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"path"

	"golang.org/x/tools/go/ast/astutil"
)

// addKind adds a kind and its list to the call of AddKnownTypes.
func addKind(file string, source []byte, kind string) ([]byte, error) {
	set := token.NewFileSet()
	parsed, err := parser.ParseFile(set, file, source, parser.ParseComments)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	var call *ast.CallExpr
	ast.Inspect(parsed, func(node ast.Node) bool {
		if found, ok := node.(*ast.CallExpr); ok && call == nil {
			if function, ok := found.Fun.(*ast.SelectorExpr); ok && function.Sel.Name == "AddKnownTypes" {
				call = found
			}
		}
		return call == nil
	})
	if call == nil || len(call.Args) < 2 {
		return nil, fmt.Errorf("%s has no call of AddKnownTypes to add %s to", file, kind)
	}
	last := set.Position(call.Args[len(call.Args)-1].End()).Offset
	return insert(source, last, fmt.Sprintf(",\n&%s{},\n&%sList{}", kind, kind))
}

// addResource adds a call of the resource's Register to the server's, right before it returns.
func addResource(file string, source []byte, resource string) ([]byte, error) {
	set := token.NewFileSet()
	parsed, err := parser.ParseFile(set, file, source, parser.ParseComments)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	for _, decl := range parsed.Decls {
		function, ok := decl.(*ast.FuncDecl)
		if !ok || function.Recv != nil || function.Name.Name != "Register" || function.Body == nil || len(function.Body.List) == 0 {
			continue
		}
		last, ok := function.Body.List[len(function.Body.List)-1].(*ast.ReturnStmt)
		if !ok || len(last.Results) != 1 {
			continue
		}
		server, ok := last.Results[0].(*ast.Ident)
		if !ok {
			continue
		}
		changed, err := insert(source, set.Position(last.Pos()).Offset, fmt.Sprintf("%s.Register(%s)\n", path.Base(resource), server.Name))
		if err != nil {
			return nil, err
		}
		return addImport(file, changed, resource)
	}
	return nil, errors.New("has no func Register that ends with returning the server")
}

func addImport(file string, source []byte, imported string) ([]byte, error) {
	set := token.NewFileSet()
	parsed, err := parser.ParseFile(set, file, source, parser.ParseComments)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	astutil.AddImport(set, parsed, imported)
	var text bytes.Buffer
	if err := format.Node(&text, set, parsed); err != nil {
		return nil, fmt.Errorf("format %s: %w", file, err)
	}
	return text.Bytes(), nil
}

// insert puts text into a Go file, and formats it.
func insert(source []byte, offset int, text string) ([]byte, error) {
	var changed bytes.Buffer
	changed.Write(source[:offset])
	changed.WriteString(text)
	changed.Write(source[offset:])
	return format.Source(changed.Bytes())
}
