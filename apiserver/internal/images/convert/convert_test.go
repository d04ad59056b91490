// SPDX-License-Identifier: Apache-2.0

package convert_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/internal/images"
	"goldsmith.dev/goldsmith/apiserver/internal/images/convert"
)

// handlers are the folders of apiserver/ that hold the hub's types and serve them.
var handlers = []string{"buildlog", "history", "image", "imagebuild", "imageplan", "imagereport", "queuedbuild", "templateaccess", "objectquota", "images/validation"}

func TestHandlersConvertOnlyHere(t *testing.T) {
	for _, folder := range handlers {
		files := 0
		err := filepath.WalkDir(filepath.Join("../..", folder), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			files++
			set := token.NewFileSet()
			file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			ast.Inspect(file, func(node ast.Node) bool {
				selector, ok := node.(*ast.SelectorExpr)
				if ok && (selector.Sel.Name == "Convert" || strings.HasPrefix(selector.Sel.Name, "Convert_")) {
					t.Errorf("%s calls %s: add a function to package convert", set.Position(selector.Pos()), selector.Sel.Name)
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		if files == 0 {
			t.Errorf("%s has no Go files", folder)
		}
	}
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
