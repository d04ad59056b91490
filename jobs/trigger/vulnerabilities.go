// SPDX-License-Identifier: Apache-2.0

package trigger

import (
	"fmt"
	"slices"
	"strings"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// Vulnerabilities are the known vulnerabilities of a build.
type Vulnerabilities struct {
	// Counts are how many there are.
	Counts v1alpha1.VulnerabilityCounts
	// Worst are the IDs of the most severe open ones, at most v1alpha1.MaxWorstVulnerabilities.
	Worst []string
	// Unmatched tells which packages nobody knows about, and why.
	Unmatched []string
	// OtherArchives are the sources of packages that are not known to be Debian's.
	OtherArchives []string
	// Unknown is why nothing is known, for users. The other fields are then empty.
	Unknown string
}

// KnownVulnerabilities are those that the server has answered with.
func KnownVulnerabilities(found *v1alpha1.ImageBuildVulnerabilities) *Vulnerabilities {
	return &Vulnerabilities{Counts: found.Counts, Worst: found.Worst, Unmatched: found.Unmatched, OtherArchives: found.OtherArchives}
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
func tooSevere(requires *v1alpha1.ChannelRequirements, build *v1alpha1.ImageBuild, known *Vulnerabilities) string {
	limit := requires.MaxSeverity
	if limit == "" {
		return ""
	}
	switch {
	case known == nil:
		return fmt.Sprintf("the vulnerabilities of %s are unknown: the operator of the server sets --advisories", build.Name)
	case known.Unknown != "":
		return fmt.Sprintf("the vulnerabilities of %s are unknown: %s", build.Name, known.Unknown)
	case len(known.Unmatched) > 0:
		return fmt.Sprintf("the vulnerabilities of %s are unknown: %s", build.Name, DescribeUnmatched(known.Unmatched))
	case requires.NoOtherArchives && len(known.OtherArchives) > 0:
		return fmt.Sprintf("packages of %s may come from other archives, which no advisory is about: %s", build.Name, firstOf(known.OtherArchives, ", "))
	}
	over := moreSevere(limit, known.Counts)
	if over == 0 {
		return ""
	}
	than := "more severe than " + string(limit)
	if known.Counts.Unreadable > 0 {
		than += ", or with a rating that cannot be read"
	}
	return fmt.Sprintf("%s has %s %s (the worst: %s): build the image with fixed packages, or state why they do not affect it (OpenVEX)",
		build.Name, countOpen(over), than, strings.Join(known.Worst[:min(int(over), maxShownWorst, len(known.Worst))], ", "))
}

// DescribeUnmatched tells which packages nobody knows about.
func DescribeUnmatched(unmatched []string) string { return firstOf(unmatched, "; ") }

// maxShownReasons is how many lines a message has.
const maxShownReasons = 3

// firstOf joins the first lines of a list, and counts the others.
func firstOf(lines []string, separator string) string {
	if more := len(lines) - maxShownReasons; more > 0 {
		lines = append(slices.Clone(lines[:maxShownReasons]), fmt.Sprintf("%d more", more))
	}
	return strings.Join(lines, separator)
}

// moreSevere returns how many open vulnerabilities are more severe than a limit. Each limit counts those whose rating cannot be read, and only None
// those that nobody has rated.
func moreSevere(limit v1alpha1.SeverityLimit, counts v1alpha1.VulnerabilityCounts) int32 {
	over := counts.Critical + counts.Unreadable
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
