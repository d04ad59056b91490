// SPDX-License-Identifier: Apache-2.0

package test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/duration"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/builders/tester"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/exit"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

// progress writes the log of tests without the lines of consoles, which can be many.
type progress struct{ out io.Writer }

// Write implements io.Writer. It gets whole lines.
func (p *progress) Write(lines []byte) (int, error) {
	for line := range bytes.Lines(lines) {
		name, _, _ := strings.Cut(string(line), " ")
		if strings.HasSuffix(name, "|") {
			continue
		}
		if _, err := p.out.Write(line); err != nil {
			return 0, err
		}
	}
	return len(lines), nil
}

func (o *options) tell(line string) error {
	_, err := fmt.Fprintln(o.stderr, line)
	return err
}

// showReport writes a table of the results, and details of the tests that did not pass.
func (o *options) showReport(report *tester.Report) error {
	var rows [][]any
	for i := range report.Results {
		result := &report.Results[i]
		if err := o.showFailure(result); err != nil {
			return err
		}
		checks := "-"
		if all := result.Passed + result.Failed; all > 0 {
			checks = fmt.Sprintf("%d/%d", result.Passed, all)
		}
		took := duration.HumanDuration(time.Duration(result.Milliseconds) * time.Millisecond)
		rows = append(rows, []any{result.Name, result.Target, string(result.Outcome), checks, took, output.OneLine(result.Message)})
	}
	return output.Table([]string{"Test", "Target", "Outcome", "Checks", "Took", "Message"}, rows, o.out)
}

// showFailure writes the checks of a test that failed, and the last lines of the console.
func (o *options) showFailure(result *tester.Result) error {
	if result.Outcome.Passed() {
		return nil
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%s test %s: %s\n", o.style.Bad(output.Failure), result.Name, output.OneLine(result.Message))
	for _, check := range result.Checks {
		if check.Failure != "" {
			fmt.Fprintf(&text, "  %s %s: %s\n", o.style.Bad(output.Failure), output.OneLine(check.Name), output.OneLine(check.Failure))
		}
	}
	if len(result.Console) > 0 {
		text.WriteString("  the end of the console:\n")
	}
	for _, line := range result.Console {
		fmt.Fprintf(&text, "    %s\n", output.OneLine(line))
	}
	_, err := io.WriteString(o.stderr, text.String())
	return err
}

// gates reports whether the verb fails if a test does not pass, as a build would that was created now.
func (o *options) gates(tests *suite, name string) bool {
	test := inputs.FindTest(tests.tests, name)
	build := &v1alpha1.ImageBuild{}
	build.CreationTimestamp.Time = o.clock.Now()
	return test == nil || inputs.Gates(build, test)
}

// failure returns the error for results, or nil if all tests that gate have passed. A test that failed has an exit code of its own.
func failure(results []tester.Result, gates func(name string) bool) error {
	var failed, unfinished []string
	for i := range results {
		switch result := &results[i]; {
		case result.Outcome.Passed() || !gates(result.Name):
		case result.Outcome == v1alpha1.TestFailed:
			failed = append(failed, result.Name)
		default:
			unfinished = append(unfinished, result.Name+" ("+output.OneLine(result.Message)+")")
		}
	}
	switch {
	case len(failed) > 0:
		return &exit.Error{Code: exit.TestsFailed, Err: fmt.Errorf("%d of %d tests failed: %s", len(failed), len(results), strings.Join(failed, ", "))}
	case len(unfinished) > 0:
		return fmt.Errorf("%d of %d tests were not run to their end: %s", len(unfinished), len(results), strings.Join(unfinished, ", "))
	}
	return nil
}

// writeFile replaces a file.
func writeFile(name string, write func(io.Writer) error) error {
	file, err := os.Create(name)
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	if err := errors.Join(write(file), file.Close()); err != nil {
		return fmt.Errorf("write the report %s: %w", name, err)
	}
	return nil
}
