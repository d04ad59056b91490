// SPDX-License-Identifier: Apache-2.0

package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"goldsmith.dev/goldsmith/e2e/junit"
)

// targetsOfTestdata reads what gotestsum 1.13 and Ginkgo 2.34 wrote of failures of each kind, without most of the goroutines, and
// without fields of objects that are empty.
func targetsOfTestdata(t *testing.T, names ...string) []target {
	t.Helper()
	reports, err := junit.ReadTargets("testdata")
	if err != nil {
		t.Fatal(err)
	}
	for name := range reports {
		if !slices.Contains(names, name) {
			delete(reports, name)
		}
	}
	outputs, err := readOutputs("testdata", names)
	if err != nil {
		t.Fatal(err)
	}
	return readTargets(reports, outputs, source)
}

var update = flag.Bool("update", false, "rewrite the golden files")

func TestEachKindOfFailureNamesItsPlaceItsMessageAndItsDump(t *testing.T) {
	for _, target := range []string{"verify", "test", "gate", "e2e"} {
		t.Run(target, func(t *testing.T) {
			file := filepath.Join("testdata", target, "failures.txt")
			got := strings.Join(linesOfFailures(targetsOfTestdata(t, target), 0), "\n") + "\n"
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestCompileErrorsAreThoseOfThePackageOrOfAnImportedOne(t *testing.T) {
	const failed = "FAIL\tp [build failed]"
	printed := newOutput("output.log", "# p\n./p/a.go:1:2: undefined: x\nq/b.go:3:4: undefined: y\np/sub/c.go:5:6: undefined: z\nq/b.go:3:4: undefined: y\n")
	for _, test := range []struct {
		name, pkg, message, place string
		want                      []string
	}{
		{"of the package", "p", failed, "p/a.go:1", []string{"./p/a.go:1:2: undefined: x"}},
		{"of an imported package", "main", failed, "p/a.go:1",
			[]string{"./p/a.go:1:2: undefined: x", "q/b.go:3:4: undefined: y", "p/sub/c.go:5:6: undefined: z"}},
		{"of no package that compiles", "p", "wrong", "", []string{"wrong"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := &failure{message: []string{test.message}}
			printed.addCompileErrors(test.pkg, f)
			if f.place != test.place || !slices.Equal(f.message, test.want) {
				t.Errorf("%s: %q", f.place, f.message)
			}
			output{}.addCompileErrors(test.pkg, &failure{message: []string{test.message}}) // a target whose output is not kept
		})
	}
}

func TestTheFailuresOfARunThatPassesAreNoLines(t *testing.T) {
	if lines := linesOfFailures([]target{{name: "test", nodes: []node{{name: "TestA", spec: true}}}}, 40); len(lines) > 0 {
		t.Error(lines)
	}
}

func TestFailuresShareTheLines(t *testing.T) {
	long := strings.Fields("first 2 3 4 5 6 7 8 9 last")
	for _, test := range []struct {
		name     string
		messages [][]string
		limit    int
		want     string
	}{
		{"all fit", [][]string{{"a"}, {"b", "c"}}, 8, "2 failures:|t p: 0|  x.go:1; dump: d|    a|t p: 1|  x.go:1; dump: d|    b|    c"},
		{"a single one keeps the start and the end of its message", [][]string{long}, 10,
			"1 failure:|t p: 0|  x.go:1; dump: d|    first|    2|    3 …|    8|    9|    last"},
		{"what a short one leaves is for the others", [][]string{{"a"}, long}, 11,
			"2 failures:|t p: 0|  x.go:1; dump: d|    a|t p: 1|  x.go:1; dump: d|    first|    2 …|    9|    last"},
		{"short ones that are shown are whole", [][]string{{"a"}, {"b"}, {"c"}}, 9,
			"3 failures:|t p: 0|  x.go:1; dump: d|    a|t p: 1|  x.go:1; dump: d|    b|and 1 more: make timings FLAGS=-lines=0"},
		{"more than fit are counted", [][]string{long, long, {"a"}}, 10,
			"3 failures:|t p: 0|  x.go:1; dump: d|    first …|    last|t p: 1|  x.go:1; dump: d|    first …|    last|and 1 more: make timings FLAGS=-lines=0"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var nodes []node
			for number, message := range test.messages {
				nodes = append(nodes, node{pkg: "p", name: fmt.Sprint(number), failure: &failure{place: "x.go:1", kept: "dump: d", message: message}})
			}
			got := linesOfFailures([]target{{name: "t", nodes: nodes}}, test.limit)
			if diff := cmp.Diff(strings.Split(test.want, "|"), got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTheEndOfARunHasAtMostItsLimitOfLines(t *testing.T) {
	targets := targetsOfTestdata(t, "verify", "test", "gate", "e2e")
	all := len(linesOfFailures(targets, 0))
	for limit := 10; limit <= all+1; limit++ {
		lines := linesOfFailures(targets, limit)
		if len(lines) > limit || limit < all && len(lines) < limit/2 {
			t.Errorf("%d lines of %d", len(lines), limit)
		}
		for _, line := range lines {
			if len([]rune(line)) > widestLine+len(" …") {
				t.Errorf("a line of %d characters: %s", len([]rune(line)), line)
			}
		}
	}
}

func TestTheFailuresAreTheLastThingPrinted(t *testing.T) {
	for _, markdown := range []bool{false, true} {
		var text strings.Builder
		if err := write(&text, "testdata", options{markdown: markdown, lines: 40}); err != nil {
			t.Fatal(err)
		}
		before, end, _ := strings.Cut(text.String(), " failures:\n")
		if !strings.Contains(before, "slowest specs") || strings.Contains(end, "\n\n") || !strings.Contains(end, "more: make timings") {
			t.Error(text.String())
		}
	}
}
