// SPDX-License-Identifier: Apache-2.0

package explain

import (
	"regexp"
	"slices"
	"strings"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/builders"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
	"goldsmith.dev/goldsmith/console"
)

// entry explains a reason in plain text.
type entry struct {
	reason, reporter, meaning, remedy, retry string
}

// ofFailure and a class name the reporter of a failure.
const ofFailure = "a build that failed, class "

// links are Markdown's links: their text, and where they lead, without the place in the page.
var links = regexp.MustCompile(`\[([^\]]*)\]\(([^)#]*)[^)]*\)`)

// entries returns an entry for each reason, in the order of docs/reasons.md, and then those of the builders that ship.
func entries() []entry {
	var all []entry
	for _, reason := range v1alpha1.FailureReasons() {
		reporter := ofFailure + string(reason.Class())
		if reason.Class() == v1alpha1.FailureCancelled {
			reporter = "a build that was cancelled"
		}
		all = append(all, entry{string(reason), reporter, plainText(meaningOf(reason)), plainText(reason.Remedy()), retry(reason.Class())})
	}
	add := func(reporter, meaning string, reports []report) {
		for _, of := range reports {
			all = append(all, entry{of.reason, plainText(reporter + of.by), plainText(meaning + of.meaning), plainText(of.remedy), ""})
		}
	}
	add("a build that waits", "it waits for ", waits)
	add("condition ", "", slices.Concat(buildConditions, finishedConditions, imageConditions, kindConditions, keyConditions, archiveConditions))
	add("event ", "", events)
	add("the trigger of a build", "", triggers)
	for _, shipped := range builders.Shipped() {
		all = append(all, ofBuilder(shipped.Name, shipped.Capabilities.Reasons)...)
	}
	return all
}

// Reasons returns an explanation of each reason for the console.
func Reasons() (all []console.Reason) {
	for _, of := range entries() {
		all = append(all, console.Reason{Reason: of.reason, Reporter: of.reporter, Meaning: of.meaning, Remedy: of.remedy})
	}
	return all
}

// ofBuilder returns an entry for each reason of a builder.
func ofBuilder(name string, reasons []v1alpha1.BuilderReason) []entry {
	var all []entry
	for _, of := range reasons {
		reporter := "the builder " + name + ", class " + string(of.Class)
		all = append(all, entry{of.Reason, reporter, output.OneLine(plainText(of.Meaning)), output.OneLine(plainText(of.Remedy)), retry(of.Class)})
	}
	return all
}

func meaningOf(reason v1alpha1.FailureReason) string {
	if reason.Disruption() {
		return reason.Meaning() + ": a disruption"
	}
	return reason.Meaning()
}

// retry returns whether failures of a class are retried.
func retry(class v1alpha1.FailureClass) string {
	defaults := &v1alpha1.RetryPolicy{}
	v1alpha1.SetDefaults_RetryPolicy(defaults)
	switch {
	case slices.Contains(defaults.Classes, class):
		return "Goldsmith retries these failures by default."
	case class == v1alpha1.FailureCancelled:
		return "Goldsmith never retries cancelled builds."
	case class == v1alpha1.FailureTest:
		return "Goldsmith does not retry these failures by default, because the image or the test has to change."
	case class == v1alpha1.FailureUser:
		return "Goldsmith does not retry these failures by default, because the image has to change."
	case class == v1alpha1.FailureConfig:
		return "Goldsmith does not retry these failures by default, because the configuration of the build has to change."
	}
	return "Goldsmith does not retry these failures by default."
}

// plainText returns a phrase in Markdown as plain text. An empty remedy is "nothing".
func plainText(phrase string) string {
	if phrase == "" {
		return "nothing"
	}
	return strings.ReplaceAll(links.ReplaceAllString(phrase, "$1 (docs/$2)"), "`", "")
}
