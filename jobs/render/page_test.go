// SPDX-License-Identifier: Apache-2.0

package render

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"goldsmith.dev/goldsmith/e2e/require"
)

// section returns the text of a page below a heading, until the next heading.
func section(t *testing.T, heading string) string {
	t.Helper()
	page := string(require.Value(os.ReadFile(buildersPage))(t))
	_, text, found := strings.Cut(page, "\n"+heading+"\n")
	if !found {
		t.Fatalf("%s has no heading %q", buildersPage, heading)
	}
	text, _, _ = strings.Cut(text, "\n## ")
	text, _, _ = strings.Cut(text, "\n### ")
	return text
}

// The blocks of the page are the example, apart from blank lines.
func TestThePageShowsTheWholeExt4Example(t *testing.T) {
	var shown string
	for _, block := range strings.Split(section(t, "## A builder of file systems, block by block"), "```sh\n")[1:] {
		script, _, _ := strings.Cut(block, "```\n")
		shown += script
	}
	blank := regexp.MustCompile(`\n+`)
	script := string(require.Value(os.ReadFile(filepath.Join(exampleBuilders, "ext4.sh")))(t))
	if diff := cmp.Diff(blank.ReplaceAllString(script, "\n"), blank.ReplaceAllString(shown, "\n")); diff != "" {
		t.Errorf("the page does not show the example: %s", diff)
	}
}
