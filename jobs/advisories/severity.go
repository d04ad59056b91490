// SPDX-License-Identifier: Apache-2.0

package advisories

import (
	"slices"
	"strings"

	cvss2 "github.com/pandatix/go-cvss/20"
	cvss30 "github.com/pandatix/go-cvss/30"
	cvss31 "github.com/pandatix/go-cvss/31"
	cvss4 "github.com/pandatix/go-cvss/40"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// severities are all severities, the least severe first.
var severities = []v1alpha1.Severity{
	v1alpha1.SeverityUnknown, v1alpha1.SeverityNegligible, v1alpha1.SeverityLow, v1alpha1.SeverityMedium, v1alpha1.SeverityHigh, v1alpha1.SeverityCritical,
}

// rank orders severities. The severity "" is unknown.
func rank(severity v1alpha1.Severity) int { return max(0, slices.Index(severities, severity)) }

func worse(a, b v1alpha1.Severity) v1alpha1.Severity { return severities[max(rank(a), rank(b))] }

// ofScore returns the severity of a score of CVSS.
func ofScore(score float64) v1alpha1.Severity {
	switch {
	case score >= 9:
		return v1alpha1.SeverityCritical
	case score >= 7:
		return v1alpha1.SeverityHigh
	case score >= 4:
		return v1alpha1.SeverityMedium
	case score > 0:
		return v1alpha1.SeverityLow
	}
	return v1alpha1.SeverityNegligible
}

// score returns the base score of a vector of CVSS.
func score(vector string) (score float64, version2, ok bool) {
	if len(vector) > maxID {
		return 0, false, false
	}
	switch {
	case strings.HasPrefix(vector, "CVSS:4.0/"):
		if read, err := cvss4.ParseVector(vector); err == nil {
			return read.Score(), false, true
		}
	case strings.HasPrefix(vector, "CVSS:3.1/"):
		if read, err := cvss31.ParseVector(vector); err == nil {
			return read.BaseScore(), false, true
		}
	case strings.HasPrefix(vector, "CVSS:3.0/"):
		if read, err := cvss30.ParseVector(vector); err == nil {
			return read.BaseScore(), false, true
		}
	default:
		if read, err := cvss2.ParseVector(strings.Trim(vector, "()")); err == nil {
			return read.BaseScore(), true, true
		}
	}
	return 0, false, false
}

// osvSeverity is a severity in OSV.
type osvSeverity struct {
	Type  text `json:"type"`
	Score text `json:"score"`
}

// rated returns the worst severity of a list. CVSS 2 counts only if there is no later version, because it rates less finely.
func rated(list []osvSeverity) v1alpha1.Severity {
	var worst, old v1alpha1.Severity
	for _, one := range list {
		if !strings.HasPrefix(string(one.Type), "CVSS") {
			worst = worse(worst, named(string(one.Score))) // such as Ubuntu's priority
			continue
		}
		switch value, version2, ok := score(string(one.Score)); {
		case ok && version2:
			old = worse(old, ofScore(value))
		case ok:
			worst = worse(worst, ofScore(value))
		}
	}
	if rank(worst) > 0 {
		return worst
	}
	return worse(old, worst)
}

// named returns the severity of a word, as GitHub and Ubuntu rate.
func named(word string) v1alpha1.Severity {
	switch strings.ToLower(word) {
	case "critical":
		return v1alpha1.SeverityCritical
	case "high", "important":
		return v1alpha1.SeverityHigh
	case "medium", "moderate":
		return v1alpha1.SeverityMedium
	case "low":
		return v1alpha1.SeverityLow
	case "negligible":
		return v1alpha1.SeverityNegligible
	}
	return v1alpha1.SeverityUnknown
}
