// SPDX-License-Identifier: Apache-2.0

package explain

import (
	"regexp"
	"strings"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// entry is a row about a reason in a table of the page of reasons.
type entry struct {
	reason, reporter, meaning, remedy, retry string
}

// failures is the section whose subsections are the classes of failures.
const failures = "Why a build failed"

// ofFailure and a class name the reporter of a failure.
const ofFailure = "a build that failed, class "

var (
	// links are Markdown's links: their text, and where they lead, without the place in the page.
	links = regexp.MustCompile(`\[([^\]]*)\]\(([^)#]*)[^)]*\)`)
	// separators is the line between the head of a table and its rows.
	separators = regexp.MustCompile(`^[|\s-]+$`)
)

// parse reads the tables of the page, in their order. Each has a column reason, then one with its meaning, and one with what to do.
// A column before them names the condition or event.
func parse(page string) []entry {
	var entries []entry
	section, class, text, head := "", "", "", []string(nil)
	for line := range strings.Lines(page) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "## "):
			section, class, text, head = strings.TrimPrefix(line, "## "), "", "", nil
		case strings.HasPrefix(line, "### "):
			class, text, head = strings.TrimPrefix(line, "### "), "", nil
		case !strings.HasPrefix(line, "|"):
			head = nil
			if section == failures && class != "" && line != "" {
				text = strings.TrimSpace(text + " " + line)
			}
		case head == nil:
			head = cells(line)
		case !separators.MatchString(line):
			entries = append(entries, entriesOf(head, cells(line), class, text)...)
		}
	}
	return entries
}

// entriesOf returns an entry for each reason of a row.
func entriesOf(head, row []string, class, retry string) []entry {
	of := entry{retry: retry}
	reasons := ""
	for i, column := range head[:min(len(head), len(row))] {
		switch column {
		case "reason":
			reasons = row[i]
		case "meaning":
			of.meaning = row[i]
		case "what the build waits for":
			of.reporter, of.meaning = "a build that waits", "it waits for "+row[i]
		case "what to do":
			of.remedy = row[i]
		case "condition", "event":
			of.reporter = column + " " + row[i]
		}
	}
	switch class {
	case "":
	case string(v1alpha1.FailureCancelled):
		of.reporter = "a build that was cancelled"
	default:
		of.reporter = ofFailure + class
	}
	var entries []entry
	for reason := range strings.SplitSeq(reasons, ", ") {
		if reason != "" {
			of.reason = reason
			entries = append(entries, of)
		}
	}
	return entries
}

// cells returns the cells of a line of a table as plain text.
func cells(line string) []string {
	var texts []string
	for cell := range strings.SplitSeq(strings.Trim(line, "|"), "|") {
		text := links.ReplaceAllString(strings.TrimSpace(cell), "$1 (docs/$2)")
		if text = strings.ReplaceAll(text, "`", ""); text == "–" {
			text = "nothing"
		}
		texts = append(texts, text)
	}
	return texts
}
