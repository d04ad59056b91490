// SPDX-License-Identifier: Apache-2.0

package validate_test

import (
	"io/fs"
	"path/filepath"
	"testing"

	"golang.org/x/tools/go/analysis/checker"
	"golang.org/x/tools/go/packages"

	"goldsmith.dev/goldsmith/apiserver/scaffold/internal/validate"
)

// TestTheTypesOfThisModuleKeepTheConventions checks everything that this module serves.
func TestTheTypesOfThisModuleKeepTheConventions(t *testing.T) {
	for _, folder := range []string{"apis/images/v1alpha1", "apiserver/example/library"} {
		// go test takes no result from its cache after a change of an entry of a folder that a test opens. It does not know what
		// the go command reads.
		err := filepath.WalkDir(filepath.Join("../../../..", folder), func(_ string, _ fs.DirEntry, err error) error { return err })
		if err != nil {
			t.Fatal(err)
		}
	}
	loaded, err := packages.Load(&packages.Config{Mode: packages.LoadSyntax, Context: t.Context()},
		"goldsmith.dev/goldsmith/apis/images/v1alpha1", "goldsmith.dev/goldsmith/apiserver/example/library/...")
	if err != nil || packages.PrintErrors(loaded) > 0 {
		t.Fatalf("load the types: %v", err)
	}
	graph, err := checker.Analyze(validate.Analyzers(), loaded, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, action := range graph.Roots {
		if action.Err != nil {
			t.Error(action.Err)
		}
		for _, diagnostic := range action.Diagnostics {
			t.Errorf("%s: %s", action.Package.Fset.Position(diagnostic.Pos), diagnostic.Message)
		}
	}
}
