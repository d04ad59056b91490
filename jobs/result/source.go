// SPDX-License-Identifier: Apache-2.0

package result

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

const (
	// maxSummary is the maximum length of the summary of a revision, in characters, and maxRef that of a ref, in bytes.
	maxSummary = 200
	maxRef     = 512
)

var revisionPattern = regexp.MustCompile(`\A(sha1:[0-9a-f]{40}|sha256:[0-9a-f]{64})\z`)

// ValidRevision reports whether a text is a revision of a source: "sha1:" and the ID of a commit, or a digest.
func ValidRevision(text string) bool { return revisionPattern.MatchString(text) }

// SourceText returns the message for ParseSource.
func SourceText(found v1alpha1.SourceRevision) string {
	text, _ := json.Marshal(found) // which is text only
	return string(text)
}

// ParseSource judges the end of a check of a source: its message is a SourceText or the Text of a NotFetched. Exactly one of the revision and the
// failure is nil.
func ParseSource(message string, exitCode int32) (*v1alpha1.SourceRevision, *v1alpha1.BuildFailure) {
	if failure := ParseNotFetched(message); failure != nil {
		return nil, failure
	}
	found := &v1alpha1.SourceRevision{}
	if exitCode != 0 || json.Unmarshal([]byte(message), found) != nil || !ValidRevision(found.Revision) || !line(found.Ref, maxRef) {
		return nil, v1alpha1.ReasonSourceUnavailable.Failure("the check of the source ended with exit code %d and no answer: see its pod, or the log of the agent", exitCode)
	}
	summary := []rune(oneLine(found.Summary))
	found.Summary = string(summary[:min(len(summary), maxSummary)])
	return found, nil
}

// LostSource is the failure of a check without an end.
func LostSource(why string) *v1alpha1.BuildFailure {
	return v1alpha1.ReasonSourceUnavailable.Failure("%s", v1alpha1.CutMessage(fmt.Sprintf("the check of the source was lost: %s", why)))
}

// oneLine replaces what cannot be printed, because anybody who may push writes the summary.
func oneLine(text string) string {
	if v1alpha1.Printable(text) {
		return text
	}
	return v1alpha1.Escape(strings.Join(strings.Fields(text), " "))
}
