// SPDX-License-Identifier: Apache-2.0

package follow

import (
	"fmt"

	"k8s.io/apimachinery/pkg/util/duration"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
)

// FirstFailed returns the first test of a build that has ended without passing, or nil. Tests that the build needs come first.
func FirstFailed(build *v1alpha1.ImageBuild) (first *v1alpha1.TestStatus) {
	for i := range build.Status.Tests {
		test := &build.Status.Tests[i]
		if test.Outcome != "" && !test.Outcome.Passed() && (first == nil || test.Gates && !first.Gates) {
			first = test
		}
	}
	return first
}

// showTests shows the tests that have ended since the last observation.
func (f *follower) showTests() error {
	if f.build == nil || f.Log.Attempt != nil || f.reading && f.attempt < f.build.Status.CurrentAttempt { // they come below the log of the tests
		return nil
	}
	var lines []string
	for i := range f.build.Status.Tests {
		test := &f.build.Status.Tests[i]
		if test.Outcome == "" || f.tested[test.Name] == test.Outcome {
			continue
		}
		if f.tested == nil {
			f.tested = map[string]v1alpha1.TestOutcome{}
		}
		f.tested[test.Name] = test.Outcome
		lines = append(lines, testLine(f.Style, test))
	}
	return f.writeLines(lines)
}

// testLine returns a line about a test that has ended.
func testLine(style output.Style, test *v1alpha1.TestStatus) string {
	mark, ended := style.Bad(output.Failure), "failed"
	switch test.Outcome {
	case v1alpha1.TestPassed:
		mark, ended = style.Good(output.Success), "passed"
	case v1alpha1.TestFlaky:
		mark, ended = style.Good(output.Success), fmt.Sprintf("is flaky: run %d passed", test.Runs)
	case v1alpha1.TestError:
		ended = "was not run to its end"
	}
	line := fmt.Sprintf("%s test %s %s", mark, test.Name, ended)
	if test.Duration != nil {
		line += " after " + duration.HumanDuration(test.Duration.Duration)
	}
	if !test.Gates && !test.Outcome.Passed() {
		line += ", and the build does not need it"
	}
	if test.Message != "" {
		line += ": " + output.OneLine(test.Message)
	}
	return line
}
