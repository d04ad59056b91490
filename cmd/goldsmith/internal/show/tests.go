// SPDX-License-Identifier: Apache-2.0

package show

import (
	"cmp"
	"fmt"
	"strings"
	"text/tabwriter"

	"k8s.io/apimachinery/pkg/util/duration"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
)

// tests returns the lines of a table of the tests, without lines if the build has none.
func (p *page) tests() []string {
	tests := p.build.Status.Tests
	if len(tests) == 0 {
		return nil
	}
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 8, 3, ' ', 0)
	row := func(cells ...string) {
		for i := range cells {
			cells[i] = output.OneLine(cells[i])
		}
		_, _ = fmt.Fprintln(table, strings.Join(cells, "\t")) // a Builder returns no errors
	}
	row("TEST", "TARGET", "OUTCOME", "CHECKS", "TOOK", "MESSAGE")
	for i := range tests {
		test := &tests[i]
		row(test.Name, test.Target, testOutcome(test), checks(test), took(test), test.Message)
	}
	_ = table.Flush()
	lines := strings.Split(strings.TrimSuffix(text.String(), "\n"), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return lines
}

func testOutcome(test *v1alpha1.TestStatus) string {
	outcome := cmp.Or(string(test.Outcome), "-")
	if !test.Gates {
		outcome += " (optional)"
	}
	return outcome
}

// checks returns how many checks passed, of all that ran.
func checks(test *v1alpha1.TestStatus) string {
	if test.Passed+test.Failed == 0 {
		return "-"
	}
	return fmt.Sprintf("%d/%d", test.Passed, test.Passed+test.Failed)
}

func took(test *v1alpha1.TestStatus) string {
	if test.Duration == nil {
		return "-"
	}
	return duration.HumanDuration(test.Duration.Duration)
}
