// SPDX-License-Identifier: Apache-2.0

//go:build linux

package tester

import (
	"strings"
	"testing"
)

func TestTheResultsOfGossAreRead(t *testing.T) {
	const one = `{"resource-type":"Port","resource-id":"tcp:80","property":"listening","successful":false}`
	for name, test := range map[string]struct {
		code    int
		output  string
		checks  int
		failure string // of the last check
	}{
		"goss does not run":      {1, "yaml: line 3: did not find expected key\n", 1, `goss did not run; its last line is "yaml: line 3: did not find expected key"`},
		"no JSON":                {0, "Count: 1\n", 1, `goss did not print its results as JSON; its last line is "Count: 1"`},
		"nothing was checked":    {0, `{"results":[]}`, 1, "goss checked nothing: add resources to its file"},
		"a failure without text": {0, `{"results":[` + one + `]}`, 1, "it does not match"},
		"a skipped check":        {0, `{"results":[{"resource-type":"Port","resource-id":"tcp:80","property":"ip","skipped":true}]}`, 1, ""},
		"too many results":       {0, `{"results":[` + strings.Repeat(one+",", maxGoss) + one + `]}`, maxGoss + 1, "1001 results are more than the limit of 1000: write several tests"},
	} {
		checks := judgeGoss(test.code, []byte(test.output))
		if got := checks[len(checks)-1].Failure; len(checks) != test.checks || got != test.failure {
			t.Errorf("%s: got %d checks, the last has failed with %q", name, len(checks), got)
		}
	}
}
