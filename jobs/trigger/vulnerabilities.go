// SPDX-License-Identifier: Apache-2.0

package trigger

import (
	"fmt"
	"strings"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// Vulnerabilities are the known vulnerabilities of a build.
type Vulnerabilities struct {
	// Counts are how many there are.
	Counts v1alpha1.VulnerabilityCounts
	// Worst are the IDs of the most severe open ones, at most v1alpha1.MaxWorstVulnerabilities.
	Worst []string
	// Unmatched are the distributions and ecosystems that no advisory is about.
	Unmatched []string
	// Unknown is why nothing is known, for users. The other fields are then empty.
	Unknown string
}

// UnknownVulnerabilities are those of a build for which the server has answered with an error. The messages about them name the build, so that its
// name is cut from the error.
func UnknownVulnerabilities(err error) *Vulnerabilities {
	why := err.Error()
	if _, after, cut := strings.Cut(why, " are unknown: "); cut {
		why = after
	}
	return &Vulnerabilities{Unknown: v1alpha1.CutMessage(why)}
}

// tooSevere tells which vulnerabilities keep a build from a channel, with the remedy, or returns "". The vulnerabilities may be nil, if nobody
// has asked for them.
func tooSevere(limit v1alpha1.SeverityLimit, build *v1alpha1.ImageBuild, known *Vulnerabilities) string {
	if limit == "" {
		return ""
	}
	switch {
	case known == nil:
		return fmt.Sprintf("the vulnerabilities of %s are unknown: the operator of the server sets --advisories", build.Name)
	case known.Unknown != "":
		return fmt.Sprintf("the vulnerabilities of %s are unknown: %s", build.Name, known.Unknown)
	case len(known.Unmatched) > 0:
		return fmt.Sprintf("the vulnerabilities of %s are unknown: no advisory is about %s", build.Name, strings.Join(known.Unmatched, ", "))
	}
	over := moreSevere(limit, known.Counts)
	if over == 0 {
		return ""
	}
	return fmt.Sprintf("%s has %s more severe than %s (the worst: %s): build the image with fixed packages, or state why they do not affect it (OpenVEX)",
		build.Name, countOpen(over), limit, strings.Join(known.Worst[:min(int(over), maxShownWorst, len(known.Worst))], ", "))
}

// moreSevere returns how many open vulnerabilities are more severe than a limit. Only the limit None counts those of unknown severity.
func moreSevere(limit v1alpha1.SeverityLimit, counts v1alpha1.VulnerabilityCounts) int32 {
	over := counts.Critical
	for _, step := range []struct {
		allowed v1alpha1.SeverityLimit
		count   int32
	}{
		{v1alpha1.SeverityLimitHigh, counts.High},
		{v1alpha1.SeverityLimitMedium, counts.Medium},
		{v1alpha1.SeverityLimitLow, counts.Low},
		{v1alpha1.SeverityLimitNegligible, counts.Negligible + counts.Unknown},
	} {
		if limit == step.allowed {
			return over
		}
		over += step.count
	}
	return over
}
