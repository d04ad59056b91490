// SPDX-License-Identifier: Apache-2.0

// Package constants reads the constants of the public types from their sources. Tests use it, so that they forget no reason.
package constants

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
)

// In returns the value of each constant of a package that is wanted, by the constant's name. Kind is the name of its type, or
// empty. Folder is that of the sources. If no constant is wanted, or one is not a string literal, that is an error.
func In(folder string, want func(kind, name string) bool) (map[string]string, error) {
	sources, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		return nil, fmt.Errorf("find the sources in %s: %w", folder, err)
	}
	values := map[string]string{}
	for _, source := range sources {
		file, err := parser.ParseFile(token.NewFileSet(), source, nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, fmt.Errorf("read constants: %w", err)
		}
		for _, declaration := range file.Decls {
			group, ok := declaration.(*ast.GenDecl)
			if !ok || group.Tok != token.CONST {
				continue
			}
			for _, spec := range group.Specs {
				if err := collect(spec.(*ast.ValueSpec), want, values); err != nil {
					return nil, fmt.Errorf("read constants of %s: %w", source, err)
				}
			}
		}
	}
	if len(values) == 0 {
		return nil, fmt.Errorf("%s has no such constants", folder)
	}
	return values, nil
}

func collect(spec *ast.ValueSpec, want func(kind, name string) bool, values map[string]string) error {
	kind := ""
	if typed, ok := spec.Type.(*ast.Ident); ok {
		kind = typed.Name
	}
	for i, name := range spec.Names {
		if !want(kind, name.Name) {
			continue
		}
		if i >= len(spec.Values) {
			return fmt.Errorf("%s has no value of its own", name.Name)
		}
		literal, ok := spec.Values[i].(*ast.BasicLit)
		if !ok || literal.Kind != token.STRING {
			return fmt.Errorf("%s is not a string literal", name.Name)
		}
		value, err := strconv.Unquote(literal.Value)
		if err != nil {
			return fmt.Errorf("read the value of %s: %w", name.Name, err)
		}
		values[name.Name] = value
	}
	return nil
}
