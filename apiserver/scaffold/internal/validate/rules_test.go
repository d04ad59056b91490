// SPDX-License-Identifier: Apache-2.0

package validate_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/go/analysis/checker"
	"golang.org/x/tools/go/packages"

	"goldsmith.dev/goldsmith/apiserver/scaffold/internal/validate"
)

// analyze calls a function for each finding in packages.
func analyze(t *testing.T, found func(rule, place, message string), patterns ...string) {
	t.Helper()
	loaded, err := packages.Load(&packages.Config{Mode: packages.LoadSyntax, Context: t.Context()}, patterns...)
	if err != nil || packages.PrintErrors(loaded) > 0 {
		t.Fatalf("load the types: %v", err)
	}
	analyzers, err := validate.Analyzers()
	if err != nil {
		t.Fatal(err)
	}
	graph, err := checker.Analyze(analyzers, loaded, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, action := range graph.Roots {
		if action.Err != nil {
			t.Error(action.Err)
		}
		for _, diagnostic := range action.Diagnostics {
			position := action.Package.Fset.Position(diagnostic.Pos)
			found(action.Analyzer.Name, fmt.Sprintf("%s:%d", filepath.Base(position.Filename), position.Line), diagnostic.Message)
		}
	}
}

// TestEveryRuleFindsWhatItForbids compares the rules that find something in a line with the comment in it, or in the line below where a
// linter reports the comment above a field.
func TestEveryRuleFindsWhatItForbids(t *testing.T) {
	text, err := os.ReadFile("testdata/wrong/types.go")
	if err != nil {
		t.Fatal(err)
	}
	want, got := map[string]string{}, map[string]map[string]bool{}
	for i, line := range strings.Split(string(text), "\n") {
		if _, rules, ok := strings.Cut(line, "// want "); ok {
			want[fmt.Sprintf("types.go:%d", i+1)] = rules
		}
	}
	analyze(t, func(rule, place, _ string) {
		if got[place] == nil {
			got[place] = map[string]bool{}
		}
		got[place][rule] = true
	}, "./testdata/wrong")
	rules := map[string]string{}
	for place, found := range got {
		rules[place] = strings.Join(slices.Sorted(maps.Keys(found)), " ")
	}
	if diff := cmp.Diff(want, rules); diff != "" {
		t.Error(diff)
	}
}
