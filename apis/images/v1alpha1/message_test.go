// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestTextFromElsewhereFitsAStatus(t *testing.T) {
	for text, want := range map[string]string{
		"":                                   "",
		" two\nlines\t":                      "two lines",
		"\x1b]0;title\a and \u202eoverride":  "]0;title and override",
		"not \xff UTF-8":                     "not \uFFFD UTF-8",
		strings.Repeat("a", MaxMessageBytes): strings.Repeat("a", MaxMessageBytes),
		strings.Repeat("ü", MaxMessageBytes): strings.Repeat("ü", 510) + "…",
		"a" + strings.Repeat("ü", 64<<10):    "a" + strings.Repeat("ü", 510) + "…",
	} {
		got := CutMessage(text)
		if got != want || len(got) > MaxMessageBytes || !utf8.ValidString(got) {
			t.Errorf("%.20q: got %d bytes %.40q, want %d bytes", text, len(got), got, len(want))
		}
	}
	if failure := ReasonJobRejected.Failure("Job %s was refused: %s", "web", strings.Repeat("x", 64<<10)); len(failure.Message) != MaxMessageBytes {
		t.Errorf("a failure has a message of %d bytes", len(failure.Message))
	}
}
