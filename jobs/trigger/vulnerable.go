// SPDX-License-Identifier: Apache-2.0

package trigger

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

const (
	// maxJudged is how many builds of an Image are judged for each of its channels by their vulnerabilities: the newest.
	maxJudged = 8
	// maxShownWorst is how many IDs of vulnerabilities a condition names.
	maxShownWorst = 3
)

// Judged returns the builds whose vulnerabilities Next needs: the latest successful one, those of channels with maxSeverity, and the newest ones that such a
// channel is moved to if their vulnerabilities allow it.
func (o Observed) Judged() (builds []*v1alpha1.ImageBuild) {
	if latest := LatestSuccessful(o.Builds); latest != nil {
		builds = append(builds, latest)
	}
	for i := range o.Image.Spec.Channels {
		rule := *o.Image.Spec.Channels[i].DeepCopy()
		if rule.Requires == nil || rule.Requires.MaxSeverity == "" {
			continue
		}
		rule.Requires.MaxSeverity = ""
		for j := range o.Image.Status.Channels {
			channel := &o.Image.Status.Channels[j]
			if build := o.buildNamed(channel.Build); channel.Name == rule.Name && build != nil && !slices.Contains(builds, build) {
				builds = append(builds, build)
			}
		}
		judged := 0
		for i := range slices.Backward(o.Builds) {
			build := &o.Builds[i]
			if judged == maxJudged || !o.promotes(&rule, build) {
				continue
			}
			judged++
			if !slices.Contains(builds, build) {
				builds = append(builds, build)
			}
		}
	}
	return builds
}

// recordVulnerabilities counts the vulnerabilities of the latest successful build. Until they are asked for, it keeps those of the build before.
func (o Observed) recordVulnerabilities(status *v1alpha1.ImageStatus) {
	if o.Vulnerabilities == nil {
		status.Vulnerabilities = nil
		return
	}
	build, known := o.latestVulnerabilities()
	switch {
	case known == nil:
	case known.Unknown != "":
		status.Vulnerabilities = nil
	default:
		status.Vulnerabilities = &v1alpha1.ImageVulnerabilities{Build: build, Counts: known.Counts, Worst: known.Worst}
	}
}

// latestVulnerabilities returns the vulnerabilities of the latest successful build with its name, or nil if they are not asked for yet.
func (o Observed) latestVulnerabilities() (build string, known *Vulnerabilities) {
	if latest := LatestSuccessful(o.Builds); latest != nil {
		return latest.Name, o.Vulnerabilities[latest.UID]
	}
	return "", nil
}

// setVulnerable sets whether the latest successful build has open vulnerabilities, if the server has advisories.
func (c conditions) setVulnerable() {
	const kind = v1alpha1.ImageVulnerable
	if c.Vulnerabilities == nil {
		c.status.Conditions = slices.DeleteFunc(c.status.Conditions, func(condition metav1.Condition) bool { return condition.Type == kind })
		return
	}
	build, known := c.latestVulnerabilities()
	if known == nil {
		return // the stored condition names its build
	}
	unmatched := DescribeUnmatched(known.Unmatched)
	unknown := func(why string) {
		message := fmt.Sprintf("the vulnerabilities of build %s are unknown: %s", build, why)
		c.set(kind, metav1.ConditionUnknown, v1alpha1.ReasonVulnerabilitiesUnknown, v1alpha1.CutMessage(message))
	}
	switch open := OpenVulnerabilities(known.Counts); {
	case known.Unknown != "":
		unknown(known.Unknown)
	case open > 0:
		message := fmt.Sprintf("build %s has %s", build, DescribeVulnerabilities(known.Counts))
		if len(known.Worst) > 0 {
			message += "; the worst: " + strings.Join(known.Worst[:min(len(known.Worst), maxShownWorst)], ", ")
		}
		if len(known.Unmatched) > 0 {
			message += "; " + unmatched
		}
		c.set(kind, metav1.ConditionTrue, v1alpha1.ReasonVulnerabilitiesOpen, v1alpha1.CutMessage(message))
	case len(known.Unmatched) > 0:
		unknown(unmatched)
	default:
		c.set(kind, metav1.ConditionFalse, v1alpha1.ReasonNoVulnerabilities, fmt.Sprintf("the advisories tell of no open vulnerability of build %s", build))
	}
}

// OpenVulnerabilities returns the number of open vulnerabilities.
func OpenVulnerabilities(counts v1alpha1.VulnerabilityCounts) int32 {
	return counts.Unreadable + counts.Critical + counts.High + counts.Medium + counts.Low + counts.Negligible + counts.Unknown
}

// DescribeVulnerabilities counts open vulnerabilities, such as "3 open vulnerabilities: 1 Critical, 2 High, 2 with a fix".
func DescribeVulnerabilities(counts v1alpha1.VulnerabilityCounts) string {
	open := OpenVulnerabilities(counts)
	if open == 0 {
		return "no open vulnerability"
	}
	var parts []string
	for _, part := range []struct {
		count int32
		what  string
	}{
		{counts.Unreadable, string(v1alpha1.SeverityUnreadable)},
		{counts.Critical, string(v1alpha1.SeverityCritical)},
		{counts.High, string(v1alpha1.SeverityHigh)},
		{counts.Medium, string(v1alpha1.SeverityMedium)},
		{counts.Low, string(v1alpha1.SeverityLow)},
		{counts.Negligible, string(v1alpha1.SeverityNegligible)},
		{counts.Unknown, string(v1alpha1.SeverityUnknown)},
		{counts.Fixable, "with a fix"},
	} {
		if part.count > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", part.count, part.what))
		}
	}
	return countOpen(open) + ": " + strings.Join(parts, ", ")
}

func countOpen(open int32) string {
	if open == 1 {
		return "1 open vulnerability"
	}
	return fmt.Sprintf("%d open vulnerabilities", open)
}

// severityWaitedFor describes the vulnerabilities that a build must not have for a channel, or returns "" if it has none of them.
func severityWaitedFor(requires *v1alpha1.ChannelRequirements, build *v1alpha1.ImageBuild, known *Vulnerabilities) string {
	if tooSevere(requires, build, known) == "" {
		return ""
	}
	waited := "has no vulnerability above " + string(requires.MaxSeverity)
	if requires.MaxSeverity == v1alpha1.SeverityLimitNone {
		waited = "has no open vulnerability"
	}
	if requires.NoOtherArchives {
		waited += " and no package of another archive"
	}
	return waited
}
