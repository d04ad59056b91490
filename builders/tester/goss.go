// SPDX-License-Identifier: Apache-2.0

//go:build linux

package tester

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// gossResults is what `goss validate --format json` prints, as far as it matters here.
type gossResults struct {
	Results []struct {
		Type       string `json:"resource-type"`
		ID         string `json:"resource-id"`
		Property   string `json:"property"`
		Successful bool   `json:"successful"`
		Skipped    bool   `json:"skipped"`
		Duration   int64  `json:"duration"`
		Summary    string `json:"summary-line-compact"`
	} `json:"results"`
}

// judgeGoss returns a check for each result of goss.
func judgeGoss(code int, output []byte) (checks []Check) {
	found := &gossResults{}
	if code != 0 {
		return []Check{{Failure: "goss did not run" + lastOf(string(output)), Output: shorten(string(output))}}
	}
	if err := json.Unmarshal(output, found); err != nil {
		return []Check{{Failure: "goss did not print its results as JSON" + lastOf(string(output)), Output: shorten(string(output))}}
	}
	for i := range found.Results {
		if i == maxGoss {
			return append(checks, Check{Failure: fmt.Sprintf("%d results are more than the limit of %d: write several tests", len(found.Results), maxGoss)})
		}
		each := &found.Results[i]
		check := Check{Name: fmt.Sprintf("goss %s %s: %s", each.Type, each.ID, each.Property), Took: time.Duration(each.Duration)}
		if !each.Successful && !each.Skipped {
			_, detail, _ := strings.Cut(each.Summary, ": "+each.Property+": ")
			check.Failure = cmp.Or(detail, "it does not match")
		}
		checks = append(checks, check)
	}
	if len(checks) == 0 {
		return []Check{{Failure: "goss checked nothing: add resources to its file"}}
	}
	return checks
}
