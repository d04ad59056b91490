// SPDX-License-Identifier: Apache-2.0

package junit_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/onsi/ginkgo/v2/types"

	"goldsmith.dev/goldsmith/e2e/junit"
)

func TestSuitesAreReadByTheFolderOfTheirTarget(t *testing.T) {
	folder := t.TempDir()
	write := func(path, text string) {
		t.Helper()
		path = filepath.Join(folder, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("test/go.xml", `<testsuites><testsuite name="a" time="1.5" timestamp="2026-01-02T03:04:05Z">
		<testcase name="TestOne" time="0.5"/>
		<testcase name="TestTwo" time="1"><failure message="Failed">two.go:2: wrong</failure></testcase>
	</testsuite></testsuites>`)
	write("e2e/lanes/first.xml", `<testsuites><testsuite name="first"><testcase name="[It] panics"><error message="a panic"/>
		<properties><property name="kept" value="&#34;bin/e2e/panics&#34;"/></properties></testcase></testsuite></testsuites>`)
	write("e2e/lanes/second.xml", `<testsuites><testsuite name="second"><testcase name="[It] not run"><skipped message="skipped"/></testcase></testsuite></testsuites>`)
	write("stress.tsv", "no report")
	write("loose.xml", "of no target")

	targets, err := junit.ReadTargets(folder)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]junit.Suite{
		"test": {{Name: "a", Report: filepath.Join(folder, "test/go.xml"), Seconds: 1.5, Timestamp: "2026-01-02T03:04:05Z", Cases: []junit.Case{
			{Name: "TestOne", Seconds: 0.5},
			{Name: "TestTwo", Seconds: 1, Failure: &junit.Message{Short: "Failed", Full: "two.go:2: wrong"}},
		}}},
		"e2e": {
			{Name: "first", Report: filepath.Join(folder, "e2e/lanes/first.xml"), Cases: []junit.Case{{
				Name: "[It] panics", Error: &junit.Message{Short: "a panic"}, Properties: []junit.Property{{Name: "kept", Value: `"bin/e2e/panics"`}},
			}}},
			{Name: "second", Report: filepath.Join(folder, "e2e/lanes/second.xml"), Cases: []junit.Case{{Name: "[It] not run", Skipped: &junit.Message{Short: "skipped"}}}},
		},
	}
	if diff := cmp.Diff(want, targets); diff != "" {
		t.Error(diff)
	}
}

func TestAFolderThatDoesNotExistHasNoTargets(t *testing.T) {
	targets, err := junit.ReadTargets(filepath.Join(t.TempDir(), "none"))
	if err != nil || len(targets) > 0 {
		t.Errorf("targets %v, error %v", targets, err)
	}
}

func TestAStartWithoutATimeZoneIsLocal(t *testing.T) {
	want := time.Date(2026, 1, 2, 3, 4, 5, 0, time.Local)
	for _, timestamp := range []string{"2026-01-02T03:04:05", want.Format(time.RFC3339)} {
		suite := junit.Suite{Timestamp: timestamp, Seconds: 1.5}
		if start, ok := suite.Start(); !ok || !start.Equal(want) {
			t.Errorf("%s starts at %v", timestamp, start)
		}
		if end, ok := suite.End(); !ok || !end.Equal(want.Add(1500*time.Millisecond)) {
			t.Errorf("%s ends at %v", timestamp, end)
		}
	}
	if _, ok := (junit.Suite{Timestamp: "soon"}).Start(); ok {
		t.Error("a timestamp that cannot be read is a start")
	}
}

func TestASuiteThatRunsUnderGoTestHasTheNameOfItsTestAndItsPackage(t *testing.T) {
	folder := t.TempDir()
	report := types.Report{SuiteDescription: "a suite", SuitePath: "/somewhere", SpecReports: types.SpecReports{
		{LeafNodeType: types.NodeTypeIt, LeafNodeText: "works", State: types.SpecStatePassed, RunTime: time.Second},
	}}
	t.Setenv(junit.FolderVariable, "")
	junit.WriteSuite(t)(report)
	t.Setenv(junit.FolderVariable, filepath.Join(folder, "test"))
	junit.WriteSuite(t)(report)

	targets, err := junit.ReadTargets(folder)
	if err != nil {
		t.Fatal(err)
	}
	suites := targets["test"]
	if len(suites) != 1 {
		t.Fatalf("%d suites", len(suites))
	}
	if suites[0].Name != t.Name() || suites[0].Package != "goldsmith.dev/goldsmith/e2e/junit" {
		t.Errorf("suite %s of package %s", suites[0].Name, suites[0].Package)
	}
	if diff := cmp.Diff([]junit.Case{{Name: "[It] works", Seconds: 1}}, suites[0].Cases); diff != "" {
		t.Error(diff)
	}
}
