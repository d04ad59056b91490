// SPDX-License-Identifier: Apache-2.0

package trigger

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

// Promotion moves a channel of an Image to a build.
type Promotion struct{ Channel, Build string }

// ChannelRule returns the rule that an Image declares for a channel, or nil.
func ChannelRule(image *v1alpha1.Image, channel string) *v1alpha1.ChannelRule {
	at := slices.IndexFunc(image.Spec.Channels, func(rule v1alpha1.ChannelRule) bool { return rule.Name == channel })
	if at < 0 {
		return nil
	}
	return &image.Spec.Channels[at]
}

// Missing returns what a successful build of an Image lacks for a channel, each with its remedy. It is empty if the channel can name the build. The rule
// may be nil. known are the vulnerabilities of the build, which only a rule with maxSeverity needs.
func Missing(image *v1alpha1.Image, rule *v1alpha1.ChannelRule, build *v1alpha1.ImageBuild, known *Vulnerabilities) []string {
	missing := missingEvidence(image, rule, build, nil)
	if rule != nil && rule.Requires != nil {
		if text := tooSevere(rule.Requires, build, known); text != "" {
			missing = append(missing, text)
		}
	}
	return missing
}

// missingEvidence returns what a build lacks for a channel besides a judgement of its vulnerabilities: it does not change with advisories. resolved are the
// inputs that the Image resolves to, or nil if they are not known.
func missingEvidence(image *v1alpha1.Image, rule *v1alpha1.ChannelRule, build *v1alpha1.ImageBuild, resolved *v1alpha1.ResolvedInputs) (missing []string) {
	if rule == nil || rule.Requires == nil {
		return nil
	}
	for _, name := range rule.Requires.Tests {
		if text := missingTest(image, name, build, resolved); text != "" {
			missing = append(missing, text)
		}
	}
	if rule.Requires.Attested && !Attested(build) {
		missing = append(missing, fmt.Sprintf(
			"the artifacts of %s are not signed: set spec.output.attest to Required, and promote a later build", build.Name))
	}
	return missing
}

// recordMissing records in the status of an Image what the builds of its channels lack for the present rules, however they got there.
func (o Observed) recordMissing(status *v1alpha1.ImageStatus) {
	for i := range status.Channels {
		channel := &status.Channels[i]
		channel.Missing = o.missingOf(channel)
		for i := range channel.Missing {
			channel.Missing[i] = v1alpha1.CutMessage(channel.Missing[i])
		}
	}
}

// missingOf returns what the build of a channel lacks now. It keeps what is known of a deleted build. It names no vulnerabilities, so that the status is not
// written whenever an advisory is published.
func (o Observed) missingOf(channel *v1alpha1.ImageChannel) []string {
	rule, build := ChannelRule(o.Image, channel.Name), o.buildNamed(channel.Build)
	switch {
	case rule == nil || rule.Requires == nil || len(rule.Requires.Tests) == 0 && !rule.Requires.Attested && rule.Requires.MaxSeverity == "":
		return nil
	case build == nil && len(channel.Missing) > 0:
		return channel.Missing
	case build == nil:
		return []string{fmt.Sprintf("%s was deleted, so that nobody can check whether it meets the rule: promote another build", channel.Build)}
	}
	missing, limit, known := missingEvidence(o.Image, rule, build, o.Resolved), rule.Requires.MaxSeverity, o.Vulnerabilities[build.UID]
	severe := fmt.Sprintf("%s has vulnerabilities more severe than %s, or they are unknown: \"goldsmith vulnerabilities %[1]s\" tells more", build.Name, limit)
	if tooSevere(rule.Requires, build, known) != "" && (known != nil || o.Vulnerabilities == nil || slices.Contains(channel.Missing, severe)) {
		missing = append(missing, severe)
	}
	return missing
}

// WaitsFor describes the build that a rule waits for by what a build lacks, such as "passes boots, web and is signed". It is empty if the build lacks
// nothing. The build and its vulnerabilities may be nil.
func WaitsFor(image *v1alpha1.Image, rule *v1alpha1.ChannelRule, build *v1alpha1.ImageBuild, known *Vulnerabilities) string {
	if build == nil {
		build = &v1alpha1.ImageBuild{}
	}
	var lacks []string
	if rule.Requires != nil {
		tests := slices.DeleteFunc(slices.Clone(rule.Requires.Tests), func(name string) bool { return missingTest(image, name, build, nil) == "" })
		if len(tests) > 0 {
			lacks = append(lacks, "passes "+strings.Join(tests, ", "))
		}
		if rule.Requires.Attested && !Attested(build) {
			lacks = append(lacks, "is signed")
		}
		if text := severityWaitedFor(rule.Requires, build, known); text != "" {
			lacks = append(lacks, text)
		}
	}
	return strings.Join(lacks, " and ")
}

// missingTest tells why a build does not pass a test as its Image declares it, or returns "".
func missingTest(image *v1alpha1.Image, name string, build *v1alpha1.ImageBuild, resolved *v1alpha1.ResolvedInputs) string {
	var test v1alpha1.TestStatus
	if at := slices.IndexFunc(build.Status.Tests, func(test v1alpha1.TestStatus) bool { return test.Name == name }); at >= 0 {
		test = build.Status.Tests[at]
	}
	because := ""
	if test.Message != "" {
		because = " (" + test.Message + ")"
	}
	again := fmt.Sprintf("run \"goldsmith test %s\", and promote the build that it makes", build.Name)
	switch {
	case test.Outcome.Passed() && inputs.SameTest(build, &image.Spec, resolved, name):
		return ""
	case test.Outcome.Passed():
		return fmt.Sprintf("test %s was another one when %s passed it: %s", name, build.Name, again)
	case test.Outcome == v1alpha1.TestFailed:
		return fmt.Sprintf("%s failed test %s%s: correct the image, and promote a build that passes", build.Name, name, because)
	case test.Outcome == v1alpha1.TestError:
		return fmt.Sprintf("test %s of %s had no result%s: %s", name, build.Name, because, again)
	}
	return fmt.Sprintf("test %s did not run on %s: %s", name, build.Name, again)
}

// Attested reports whether the artifacts of a build are signed, also if the build only tests those of an earlier build.
func Attested(build *v1alpha1.ImageBuild) bool {
	return meta.IsStatusConditionTrue(build.Status.Conditions, v1alpha1.BuildAttested) || build.Spec.Retests != nil && build.Spec.Retests.Attested
}

// promotions returns the moves that are due: of each channel that is promoted automatically, to the newest build that meets its rule.
func (o Observed) promotions() (due []Promotion) {
	for i := range o.Image.Spec.Channels {
		rule := &o.Image.Spec.Channels[i]
		build := newest(o.Builds, func(build *v1alpha1.ImageBuild) bool { return o.promotes(rule, build) })
		if build != nil {
			due = append(due, Promotion{Channel: rule.Name, Build: build.Name})
		}
	}
	return due
}

// promotes reports whether a build can be the next one of a channel that is promoted automatically.
func (o Observed) promotes(rule *v1alpha1.ChannelRule, build *v1alpha1.ImageBuild) bool {
	return rule.Promote == v1alpha1.PromoteAutomatic && build.Status.Phase == v1alpha1.BuildSucceeded && build.Counts() && build.DeletionTimestamp == nil &&
		!v1alpha1.Revoked(build, o.Now) && o.movesOn(rule.Name, build) && len(Missing(o.Image, rule, build, o.Vulnerabilities[build.UID])) == 0
}

// movesOn reports whether a successful build is newer than that of a channel, and finished after the last move of the channel, so that a rollback
// stays. Times have whole seconds: a build that finished in the second of the move gets the channel unless it was promoted before.
func (o Observed) movesOn(channel string, build *v1alpha1.ImageBuild) bool {
	at := slices.IndexFunc(o.Image.Status.Channels, func(stored v1alpha1.ImageChannel) bool { return stored.Name == channel })
	if at < 0 {
		return true
	}
	stored := &o.Image.Status.Channels[at]
	of, known := numberIn(stored.Build, o.Image.Name)
	switch finished := build.Status.CompletionTime; {
	case known && number(build) <= of, finished == nil:
		return false
	case finished.Equal(&stored.Time):
		return build.Annotations[v1alpha1.AnnotationPromotion] == ""
	default:
		return stored.Time.Before(finished)
	}
}
