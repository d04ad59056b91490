// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"goldsmith.dev/goldsmith/e2e/junit"
)

var (
	source = newRepository("/src")
	failed = &junit.Message{Short: "Failed", Full: "=== RUN   TestTable/b\n    table_test.go:7: wrong\n--- FAIL: TestTable/b (0.00s)\n"}
)

// failedTest is how failed is read from a test of a package.
func failedTest(pkg string) *failure {
	return &failure{place: pkg + "/table_test.go:7", kept: "report: go.xml", message: []string{"table_test.go:7: wrong"}}
}

func TestReadNodes(t *testing.T) {
	for _, test := range []struct {
		name   string
		suites []junit.Suite
		want   []node
	}{
		{
			"a test that has subtests is no spec, and has only the seconds of its own",
			[]junit.Suite{{Name: module + "jobs/queue", Report: "/src/go.xml", Seconds: 9, Cases: []junit.Case{
				{Name: "TestTable", Seconds: 5},
				{Name: "TestTable/a/1", Seconds: 1},
				{Name: "TestTable/b", Seconds: 3},
				{Name: "TestTable/b/deeper", Seconds: 2},
			}}},
			[]node{
				{pkg: "jobs/queue", name: "TestTable", seconds: 1},
				{pkg: "jobs/queue", name: "TestTable/a/1", seconds: 1, spec: true},
				{pkg: "jobs/queue", name: "TestTable/b", seconds: 1},
				{pkg: "jobs/queue", name: "TestTable/b/deeper", seconds: 2, spec: true},
			},
		},
		{
			"subtests that run side by side leave nothing to their parent",
			[]junit.Suite{{Name: module + "jobs/queue", Report: "/src/go.xml", Seconds: 9, Cases: []junit.Case{
				{Name: "TestTable", Seconds: 5}, {Name: "TestTable/a", Seconds: 4}, {Name: "TestTable/b", Seconds: 4},
			}}},
			[]node{
				{pkg: "jobs/queue", name: "TestTable"},
				{pkg: "jobs/queue", name: "TestTable/a", seconds: 4, spec: true},
				{pkg: "jobs/queue", name: "TestTable/b", seconds: 4, spec: true},
			},
		},
		{
			"a failure is that of the innermost test",
			[]junit.Suite{{Name: module + "jobs/queue", Report: "/src/go.xml", Seconds: 9, Cases: []junit.Case{
				{Name: "TestTable", Failure: &junit.Message{Short: "Failed"}}, {Name: "TestTable/b", Failure: failed},
			}}},
			[]node{
				{pkg: "jobs/queue", name: "TestTable"},
				{pkg: "jobs/queue", name: "TestTable/b", spec: true, failure: failedTest("jobs/queue")},
			},
		},
		{
			"a test that ran twice is one spec, and failed if either run did",
			[]junit.Suite{
				{Name: module + "archive", Report: "/src/go.xml", Seconds: 3, Cases: []junit.Case{{Name: "TestA", Seconds: 3, Failure: failed}, {Name: "TestB", Skipped: &junit.Message{}}}},
				{Name: module + "archive", Seconds: 3, Cases: []junit.Case{{Name: "TestA", Seconds: 1}, {Name: "TestB", Seconds: 2}}},
			},
			[]node{
				{pkg: "archive", name: "TestA", seconds: 4, spec: true, failure: failedTest("archive")},
				{pkg: "archive", name: "TestB", seconds: 2, spec: true},
			},
		},
		{
			"the test that runs a Ginkgo suite is no spec",
			[]junit.Suite{
				{Name: module + "up/behaviour", Seconds: 11, Cases: []junit.Case{{Name: "TestBehaviour", Seconds: 10, Failure: &junit.Message{Short: "Failed"}}, {Name: "TestPlain", Seconds: 1}}},
				{Name: "TestBehaviour", Package: module + "up/behaviour", Seconds: 9, Cases: []junit.Case{
					{Name: "[BeforeSuite]", Seconds: 3},
					{Name: "[DeferCleanup (Suite)]", Seconds: 0.5},
					{Name: "[It] builds", Seconds: 6, Failure: &junit.Message{Short: "Expected\n    true"}},
					{Name: "[It] not run", Skipped: &junit.Message{Short: "skipped"}},
				}},
			},
			[]node{
				{pkg: "up/behaviour", name: "TestBehaviour", seconds: 1},
				{pkg: "up/behaviour", name: "TestPlain", seconds: 1, spec: true},
				{pkg: "up/behaviour", name: "[BeforeSuite]", seconds: 3},
				{pkg: "up/behaviour", name: "[DeferCleanup (Suite)]", seconds: 0.5},
				{pkg: "up/behaviour", name: "builds", seconds: 6, spec: true, failure: &failure{kept: "report: ", message: []string{"Expected true"}}},
			},
		},
		{
			"a package may be named by its folder",
			[]junit.Suite{{Name: "Goldsmith on a cluster", Package: "/src/e2e/suite", Cases: []junit.Case{{Name: "[It] builds [smoke]", Error: &junit.Message{}}}}},
			[]node{{pkg: "e2e/suite", name: "builds [smoke]", spec: true, failure: &failure{kept: "report: "}}},
		},
		{
			"seconds of an earlier run are not those of a cached package",
			[]junit.Suite{{Name: module + "archive", Cases: []junit.Case{{Name: "TestA", Seconds: 5}, {Name: "TestA/a", Seconds: 4}}}},
			[]node{{pkg: "archive", name: "TestA"}, {pkg: "archive", name: "TestA/a", spec: true}},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := readNodes(test.suites, source)
			if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(node{}, failure{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestReadTarget(t *testing.T) {
	spec := func(failure *junit.Message) junit.Suite {
		return junit.Suite{Name: "suite", Seconds: 5, Cases: []junit.Case{{Name: "[It] works", Seconds: 4, Failure: failure}}}
	}
	whole := func(result junit.Case) junit.Suite {
		return junit.Suite{Name: ofMake, Seconds: 60, Cases: []junit.Case{result}}
	}
	for _, test := range []struct {
		name     string
		suites   []junit.Suite
		result   string
		seconds  float64
		failures []string
	}{
		{"alone", []junit.Suite{spec(nil)}, "passed", 5, nil},
		{"of .ci/run", []junit.Suite{spec(nil), whole(junit.Case{})}, "passed", 60, nil},
		{"of .ci/run, not repeated", []junit.Suite{whole(junit.Case{Skipped: &junit.Message{Short: "passed before"}})}, "passed before", 60, nil},
		{"with a failed spec", []junit.Suite{whole(junit.Case{Failure: failed}), spec(failed)}, "failed", 60, []string{"works"}},
		{"that fails although each spec passes", []junit.Suite{spec(nil), whole(junit.Case{Failure: &junit.Message{Short: "exit code 2"}})}, "failed", 60, []string{"make e2e: exit code 2"}},
		{"whose suites run side by side", []junit.Suite{
			{Name: "first", Timestamp: "2026-01-02T03:04:00Z", Seconds: 30}, {Name: "second", Timestamp: "2026-01-02T03:04:10Z", Seconds: 40},
		}, "passed", 50, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := readTarget("e2e", test.suites, output{}, source)
			var failures []string
			for _, node := range got.nodes {
				if node.failure != nil {
					failures = append(failures, node.name)
				}
			}
			if got.result != test.result || got.seconds != test.seconds || !cmp.Equal(failures, test.failures) {
				t.Errorf("%s after %v s; failures %v", got.result, got.seconds, failures)
			}
		})
	}
}

func TestTables(t *testing.T) {
	targets := readTargets(map[string][]junit.Suite{
		"zoo":    {{Name: module + "zoo", Seconds: 1, Cases: []junit.Case{{Name: "TestA|B", Seconds: 0.25}}}},
		"verify": {{Name: ofMake, Seconds: 59.6, Cases: []junit.Case{{Name: "verify"}}}},
		"e2e": {{Name: "cluster", Package: "/src/e2e/suite", Seconds: 12, Cases: []junit.Case{
			{Name: "[BeforeSuite]", Seconds: 9},
			{Name: "[BeforeSuite]", Seconds: 8},
			{Name: "[It] " + strings.Repeat("long ", 40), Seconds: 2, Failure: &junit.Message{Short: "too late"}},
			{Name: "[It] fast", Seconds: 0.5},
		}}},
	}, nil, source)
	var text bytes.Buffer
	tableOfTargets(targets).writeText(&text)
	tableOfSlowest(targets, 2).writeText(&text)
	tableOfPackages(targets).writeMarkdown(&text)
	tableOfSlowest(targets[2:], 2).writeMarkdown(&text)
	want := `target  result  specs  failed  seconds  spec-seconds
verify  passed  0      0       60       0
e2e     failed  2      1       12       20
zoo     passed  1      0       1        0
seconds  target  package    slowest specs
9.0      e2e     e2e/suite  [BeforeSuite]
2.0      e2e     e2e/suite  ` + strings.Repeat("long ", 40)[:widest-1] + `…
| spec-seconds | specs | target | package |
| --- | --- | --- | --- |
| 19.5 | 2 | e2e | e2e/suite |
| 0.2 | 1 | zoo | zoo |
| seconds | target | package | slowest specs |
| --- | --- | --- | --- |
| 0.2 | zoo | zoo | TestA\|B |
`
	if diff := cmp.Diff(want, text.String()); diff != "" {
		t.Error(diff)
	}
}

func TestWithoutReportsTheNextStepIsNamed(t *testing.T) {
	err := write(&bytes.Buffer{}, filepath.Join(t.TempDir(), "reports"), options{})
	if err == nil || !strings.Contains(err.Error(), "run make test or make e2e first") {
		t.Errorf("error %v", err)
	}
}
