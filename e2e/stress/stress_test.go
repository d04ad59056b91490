// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"goldsmith.dev/goldsmith/e2e/junit"
)

func passing(name string, seconds float64) junit.Case {
	return junit.Case{Name: name, Seconds: seconds}
}

func failing(name string, seconds float64) junit.Case {
	return junit.Case{Name: name, Seconds: seconds, Failure: &junit.Message{Short: "timed out", Full: "at line 7"}, Output: "the timeline"}
}

func TestRunsOfASpecAreCountedTogether(t *testing.T) {
	got := count([]junit.Case{passing("[It] a", 1), failing("[It] b", 2), passing("[It] b", 3), failing("[It] b", 1)})
	text := "b\n\ntimed out\n\nat line 7\n\nthe timeline"
	want := []tally{
		{spec: "a", runs: 1, slowest: 1},
		{spec: "b", runs: 3, slowest: 3, failures: []failure{{1, text}, {3, text}}},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(tally{}, failure{})); diff != "" {
		t.Error(diff)
	}
}

func TestCasesOf(t *testing.T) {
	skipped := junit.Case{Name: "[It] skipped", Skipped: &junit.Message{}}
	for _, test := range []struct {
		name   string
		cases  []junit.Case
		runErr error
		want   []string
	}{
		{"specs that ran", []junit.Case{passing("[BeforeSuite]", 1), skipped, passing("[It] a", 1)}, nil, []string{"[It] a"}},
		{"a failed spec explains a failed suite", []junit.Case{failing("[It] a", 1)}, errors.New("exit status 1"), []string{"[It] a"}},
		{"a set-up that failed", []junit.Case{failing("[BeforeSuite]", 1)}, errors.New("exit status 1"), []string{"[BeforeSuite]"}},
		{"a suite that failed although each spec passed", []junit.Case{passing("[It] a", 1)}, errors.New("exit status 66"), []string{"[It] a", "[the suite]"}},
		{"a suite that crashed", nil, errors.New("exit status 2"), []string{"[the suite]"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			for _, result := range casesOf([]junit.Suite{{Cases: test.cases}}, test.runErr, "output") {
				got = append(got, result.Name)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestEntryIn(t *testing.T) {
	for _, test := range []struct{ name, source, want string }{
		{"the only test", "func TestAPI(t *testing.T) {\n\tRunSpecs(t, \"API\")\n}\n", "TestAPI"},
		{"the test before the call", "func TestPlain(t *testing.T) {\n}\nfunc TestAPI(t *testing.T) {\n\tginkgo.RunSpecs(t, \"API\")\n}\nfunc TestLast(t *testing.T) {\n}\n", "TestAPI"},
		{"plain tests", "func TestPlain(t *testing.T) {\n}\n", ""},
		{"a call in no test", "func main() {\n\tRunSpecs(nil, \"API\")\n}\n", ""},
	} {
		if got := entryIn(test.source); got != test.want {
			t.Errorf("%s: %q", test.name, got)
		}
	}
}

func TestAPackageWithoutAGinkgoSuiteIsRefused(t *testing.T) {
	_, err := entryOf("../timings")
	if err == nil || !strings.Contains(err.Error(), "go test -count") {
		t.Errorf("error %v", err)
	}
}

func TestSlugsOfSpecsDiffer(t *testing.T) {
	long := strings.Repeat("A server's API ", 20)
	first, second := slug(long+"reads"), slug("Another "+long+"reads")
	if first == second || !strings.Contains(first, "a-server-s-api-reads-") || len(first) > longestSlug+9 {
		t.Errorf("%s, %s", first, second)
	}
}

func TestWhatIsKept(t *testing.T) {
	reports := t.TempDir()
	tallies := count([]junit.Case{passing("[It] a", 1), failing("[It] a", 2.25)})
	table := filepath.Join(reports, "reports", "stress.tsv")
	for range 2 {
		if err := appendTable(table, tallies, options{pkg: "./x", load: 2}); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(table)
	if err != nil {
		t.Fatal(err)
	}
	want := "spec\truns\tfailed\tslowest s\tload\tpackage\na\t2\t1\t2.2\t2\t./x\na\t2\t1\t2.2\t2\t./x\n"
	if diff := cmp.Diff(want, string(text)); diff != "" {
		t.Error(diff)
	}
	if err := keepFailures(reports, tallies[0]); err != nil {
		t.Fatal(err)
	}
	if files, err := filepath.Glob(filepath.Join(reports, "a-*-run-2.txt")); err != nil || len(files) != 1 {
		t.Errorf("files %v, error %v", files, err)
	}
	var shown bytes.Buffer
	writeTable(&shown, tallies)
	if diff := cmp.Diff("runs  failed  slowest s  spec\n2     1       2.2        a\n", shown.String()); diff != "" {
		t.Error(diff)
	}
}

func TestTheLoadEndsWhenItIsReleased(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	release := keepBusy(2)
	if cpus := runtime.GOMAXPROCS(0); cpus < 3 {
		t.Errorf("a load of two leaves nothing of %d CPUs to the runs", cpus)
	}
	release() // returns when the load has ended
	keepBusy(0)()
}

func TestASpecHasToBeSelected(t *testing.T) {
	for _, o := range []options{{runs: 20}, {spec: "a"}, {spec: "a", runs: 1, load: -1}} {
		if err := o.run(context.Background()); err == nil {
			t.Errorf("%+v is run", o)
		}
	}
}
