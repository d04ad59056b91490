// SPDX-License-Identifier: Apache-2.0

package advisories

import (
	"encoding/json"
	"slices"
	"strings"

	cvss2 "github.com/pandatix/go-cvss/20"
	cvss30 "github.com/pandatix/go-cvss/30"
	cvss31 "github.com/pandatix/go-cvss/31"
	cvss4 "github.com/pandatix/go-cvss/40"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// severities are all severities, the least severe first. Any other rating counts before one that cannot be read.
var severities = []v1alpha1.Severity{
	v1alpha1.SeverityUnknown, v1alpha1.SeverityUnreadable, v1alpha1.SeverityNegligible, v1alpha1.SeverityLow, v1alpha1.SeverityMedium,
	v1alpha1.SeverityHigh, v1alpha1.SeverityCritical,
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

// maxVector is the maximum length of a vector. One of CVSS 4.0 with all metrics has about 200 characters.
const maxVector = 512

// The metrics of the versions of CVSS that have an order. Those of CVSS 3 have none.
var (
	metrics2 = strings.Fields("AV AC Au C I A E RL RC CDP TD CR IR AR")
	metrics4 = strings.Fields("AV AC AT PR UI VC VI VA SC SI SA E CR IR AR MAV MAC MAT MPR MUI MVC MVI MVA MSC MSI MSA S AU R V RE U")
)

// inOrder returns a vector without its prefix, with its metrics in their order.
func inOrder(vector string, metrics []string) string {
	parts := strings.Split(vector, "/")
	position := func(part string) int {
		name, _, _ := strings.Cut(part, ":")
		return slices.Index(metrics, name)
	}
	slices.SortStableFunc(parts, func(a, b string) int { return position(a) - position(b) })
	return strings.Join(parts, "/")
}

// score returns the base score of a vector of CVSS, and for CVSS 4.0 the score of all its metrics. Its metrics may have any order.
func score(vector string) (score float64, version2, ok bool) {
	if len(vector) > maxVector {
		return 0, false, false
	}
	vector = strings.TrimSuffix(strings.TrimSpace(vector), "/")
	switch version, metrics, _ := strings.Cut(vector, "/"); version {
	case "CVSS:4.0":
		if read, err := cvss4.ParseVector(version + "/" + inOrder(metrics, metrics4)); err == nil {
			return read.Score(), false, true
		}
	case "CVSS:3.1":
		if read, err := cvss31.ParseVector(vector); err == nil {
			return read.BaseScore(), false, true
		}
	case "CVSS:3.0":
		if read, err := cvss30.ParseVector(vector); err == nil {
			return read.BaseScore(), false, true
		}
	default:
		if read, err := cvss2.ParseVector(inOrder(strings.Trim(vector, "()"), metrics2)); err == nil {
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
			worst = worse(worst, rating(string(one.Score))) // such as the priority of a distribution
			continue
		}
		switch value, version2, ok := score(string(one.Score)); {
		case ok && version2:
			old = worse(old, ofScore(value))
		case ok:
			worst = worse(worst, ofScore(value))
		default:
			worst = worse(worst, v1alpha1.SeverityUnreadable)
		}
	}
	if rank(worst) > rank(v1alpha1.SeverityUnreadable) {
		return worst
	}
	return worse(old, worst)
}

// rating returns the severity of a word: an urgency of Debian, which may have stars, or as other databases rate. Debian does not rate most
// vulnerabilities.
func rating(word string) v1alpha1.Severity {
	switch strings.TrimRight(strings.ToLower(word), "*") {
	case "", "not yet assigned", "end-of-life", "unassigned", "unknown", "untriaged":
		return v1alpha1.SeverityUnknown
	case "critical":
		return v1alpha1.SeverityCritical
	case "high", "important":
		return v1alpha1.SeverityHigh
	case "medium", "moderate":
		return v1alpha1.SeverityMedium
	case "low":
		return v1alpha1.SeverityLow
	case "negligible", unimportant:
		return v1alpha1.SeverityNegligible
	}
	return v1alpha1.SeverityUnreadable
}

// unimportant is the urgency of a vulnerability that Debian does not fix, because it does no harm.
const unimportant = "unimportant"

// osvSpecific is how a database rates in fields of its own, which may be anything.
type osvSpecific struct {
	severity    v1alpha1.Severity
	unimportant bool
}

// UnmarshalJSON keeps the severity and the urgency.
func (s *osvSpecific) UnmarshalJSON(content []byte) error {
	var read struct{ Severity, Urgency any }
	if json.Unmarshal(content, &read) != nil {
		return nil //nolint:nilerr // a database may write anything here
	}
	for _, value := range []any{read.Severity, read.Urgency} {
		word, ok := value.(string)
		if ok || value == nil {
			s.severity = worse(s.severity, rating(word))
		} else {
			s.severity = worse(s.severity, v1alpha1.SeverityUnreadable)
		}
		s.unimportant = s.unimportant || word == unimportant
	}
	return nil
}
