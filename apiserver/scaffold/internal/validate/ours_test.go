// SPDX-License-Identifier: Apache-2.0

package validate_test

import (
	"testing"

	"golang.org/x/tools/go/analysis/checker"
	"golang.org/x/tools/go/packages"

	"goldsmith.dev/goldsmith/apiserver/scaffold/internal/validate"
)

// TestTheTypesOfThisModuleKeepTheConventions looks at everything that this module serves.
func TestTheTypesOfThisModuleKeepTheConventions(t *testing.T) {
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
