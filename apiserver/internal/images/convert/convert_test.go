// SPDX-License-Identifier: Apache-2.0

package convert_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/internal/images"
	"goldsmith.dev/goldsmith/apiserver/internal/images/convert"
)

const (
	root   = "../../../.." // of the module
	public = "goldsmith.dev/goldsmith/apis/images/v1alpha1"
	hub    = "goldsmith.dev/goldsmith/apiserver/internal/images"
	// generated has the functions that conversion-gen writes.
	generated = "goldsmith.dev/goldsmith/apiserver/internal/images/v1alpha1"
)

// converters are the packages that may convert: this package, and the package whose functions the scheme calls.
var converters = []string{"apiserver/internal/images/convert", "apiserver/internal/images/v1alpha1"}

func TestConversionsAreHere(t *testing.T) {
	set := token.NewFileSet()
	types := hubTypes(t, set)
	found := map[string]bool{} // converters that convert
	err := filepath.WalkDir(filepath.Join(root, "apiserver"), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		folder, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		for _, conversion := range conversions(file, types) {
			found[folder] = true
			if !slices.Contains(converters, folder) {
				t.Errorf("%s converts with %s: add a function to package convert", set.Position(conversion.Pos()), conversion.Sel)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	for _, folder := range converters {
		if !found[folder] {
			t.Errorf("found no conversion in %s", folder)
		}
	}
}

// hubTypes returns the names of the hub's types. The public types have the same names.
func hubTypes(t *testing.T, set *token.FileSet) map[string]bool {
	t.Helper()
	paths, err := filepath.Glob("../*.go")
	if err != nil {
		t.Fatal(err)
	}
	types := map[string]bool{}
	for _, path := range paths {
		file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(node ast.Node) bool {
			if declared, ok := node.(*ast.TypeSpec); ok {
				types[declared.Name.Name] = true
			}
			return true
		})
	}
	return types
}

// conversions returns what a file converts with: a Convert function, or one of types that exist in the hub and in public.
func conversions(file *ast.File, types map[string]bool) []*ast.SelectorExpr {
	imports := map[string]string{} // paths by name
	for _, imported := range file.Imports {
		from := strings.Trim(imported.Path.Value, `"`)
		name := path.Base(from)
		if imported.Name != nil {
			name = imported.Name.Name
		}
		imports[name] = from
	}
	of := func(selector *ast.SelectorExpr) string {
		name, ok := selector.X.(*ast.Ident)
		if !ok {
			return ""
		}
		return imports[name.Name]
	}
	var found []*ast.SelectorExpr
	ast.Inspect(file, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.SelectorExpr:
			if node.Sel.Name == "Convert" || of(node) == generated && strings.HasPrefix(node.Sel.Name, "Convert_") {
				found = append(found, node)
			}
		case *ast.CallExpr: // of a type: T(value), or (*T)(value)
			callee := ast.Unparen(node.Fun)
			if pointer, ok := callee.(*ast.StarExpr); ok {
				callee = pointer.X
			}
			selector, ok := callee.(*ast.SelectorExpr)
			if ok && types[selector.Sel.Name] && (of(selector) == hub || of(selector) == public) {
				found = append(found, selector)
			}
		}
		return true
	})
	return found
}

func TestNilStaysNil(t *testing.T) {
	if got := convert.PublicTemplate(nil); got != nil {
		t.Errorf("template: %v", got)
	}
	if got := convert.HubPinnedInputs(nil); got != nil {
		t.Errorf("pinned inputs: %v", got)
	}
}

func TestConvertedParametersAndArtifactsAreCopies(t *testing.T) {
	hub := []images.Parameter{{Name: "a", Value: "1"}}
	public := convert.PublicParameters(hub)
	public[0].Value = "2"
	if back := convert.HubParameters(public); hub[0].Value != "1" || back[0] != (images.Parameter{Name: "a", Value: "2"}) {
		t.Errorf("got %v of %v", back, hub)
	}
	artifacts := []images.Artifact{{Target: "t", Digest: "d"}}
	converted := convert.PublicArtifacts(artifacts)
	if len(converted) != 1 || converted[0].Target != "t" || converted[0].Digest != "d" {
		t.Errorf("got %v", converted)
	}
	converted[0] = v1alpha1.Artifact{}
	if artifacts[0].Target != "t" {
		t.Error("the artifacts of the hub have changed")
	}
}
