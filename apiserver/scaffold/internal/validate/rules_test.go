// SPDX-License-Identifier: Apache-2.0

package validate_test

import (
	"testing"

	"golang.org/x/tools/go/analysis/analysistest"

	"goldsmith.dev/goldsmith/apiserver/scaffold/internal/validate"
)

// TestEveryRuleFindsWhatItForbids reads a package per rule, under the rule's name. A comment beside each violation quotes
// the message, and the file with the suffix golden is the package after the fixes.
func TestEveryRuleFindsWhatItForbids(t *testing.T) {
	for _, analyzer := range validate.Analyzers() {
		t.Run(analyzer.Name, func(t *testing.T) {
			for _, result := range analysistest.RunWithSuggestedFixes(t, analysistest.TestData(), analyzer, analyzer.Name) {
				if result.Err != nil || len(result.Diagnostics) == 0 {
					t.Errorf("found %d, error %v", len(result.Diagnostics), result.Err)
				}
			}
		})
	}
}

func TestPackagesWithoutFaultsAreLeftAlone(t *testing.T) {
	for _, name := range []string{"hub", "onlycreated"} {
		for _, analyzer := range validate.Analyzers() {
			if name == "onlycreated" && analyzer.Name != "lists" {
				continue
			}
			analysistest.Run(t, analysistest.TestData(), analyzer, name)
		}
	}
}
