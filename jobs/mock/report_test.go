// SPDX-License-Identifier: Apache-2.0

package mock

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"goldsmith.dev/goldsmith/jobs/render"
)

func TestItReportsEachStepAsItBegins(t *testing.T) {
	for name, test := range map[string]struct {
		parameters map[string]string
		want       []string
	}{
		"each is a stage": {
			parameters: map[string]string{"steps": "4"},
			want:       []string{"step 1/4 0% ", "step 2/4 25% ", "step 3/4 50% ", "step 4/4 75% ", "step 4/4 100% "},
		},
		"up to the one that fails":             {parameters: map[string]string{"steps": "4", "failAt": "2"}, want: []string{"step 1/4 0% ", "step 2/4 25% "}},
		"a build that takes no time":           {parameters: map[string]string{"duration": "0s"}},
		"a build without steps":                {parameters: map[string]string{"steps": "0"}},
		"a build that has what is not allowed": {parameters: map[string]string{"steps": "many"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := reportsOf(t, test.parameters); !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestOfMoreStepsThanThereMayBeStagesTheMessageTells(t *testing.T) {
	got := reportsOf(t, map[string]string{"steps": "33"})
	if len(got) != 34 || got[0] != " 0% step 1/33" || got[33] != " 100% step 33/33" {
		t.Errorf("got %q", got)
	}
	if got := reportsOf(t, map[string]string{"steps": "32"}); !strings.HasPrefix(got[31], "step 32/32 ") {
		t.Errorf("got %q", got)
	}
}

// reportsOf runs the mock builder on a clock that jumps, and returns what it reports.
func reportsOf(t *testing.T, parameters map[string]string) (reports []string) {
	t.Helper()
	c := newContract(t, sampleInput(1, parameters))
	synctest.Test(t, func(t *testing.T) {
		b := newBuilder(t.Context(), c.getenv, &c.stdout, &c.stderr)
		b.report = func(stage string, percent int, message string) {
			reports = append(reports, fmt.Sprintf("%s %d%% %s", stage, percent, message))
		}
		b.run(t.Context(), c.getenv(render.EnvInput))
	})
	return reports
}
