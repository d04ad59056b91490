// SPDX-License-Identifier: Apache-2.0

package follow

import (
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"goldsmith.dev/goldsmith/e2e/require"
)

func TestTheLinesOfATestAreShownWithoutItsName(t *testing.T) {
	const log = "starts\nweb: boots\nweb| Linux\nweb2: no\nboots: Passed\nweb:no\nweb: web: port 80\nweb: " // the last line has no end
	long := "web: " + strings.Repeat("x", 3*headBytes) + "\nboots: " + strings.Repeat("y", 3*headBytes) + "\nweb: z\n"
	for name, test := range map[string]struct {
		lines     TestLines
		log, want string
	}{
		"all":               {TestLines{Test: "web"}, log, "boots\nLinux\nweb: port 80\n"},
		"the last":          {TestLines{Test: "web", Tail: new(int64(2))}, log, "Linux\nweb: port 80\n"},
		"none of them":      {TestLines{Test: "web", Tail: new(int64(0))}, log, ""},
		"more than exist":   {TestLines{Test: "web", Tail: new(int64(99))}, log, "boots\nLinux\nweb: port 80\n"},
		"a runner":          {TestLines{Test: "web", Unprefixed: true, Others: []string{"boots"}}, log, "starts\nboots\nLinux\nweb2: no\nweb:no\nweb: port 80\n"},
		"a longer line":     {TestLines{Test: "web"}, long, strings.Repeat("x", 3*headBytes) + "\nz\n"},
		"a shared console":  {TestLines{Test: "web"}, "boots,web| Linux\nboots| a\nweb2,boots| b\nweb, boots| c\nboots,web: d\n", "Linux\n"},
		"a shared runner":   {TestLines{Test: "web", Unprefixed: true, Others: []string{"boots"}}, "boots,deep| a\nboots,web| b\na,b c| d\n", "b\na,b c| d\n"},
		"with timestamps":   {TestLines{Test: "web", Timestamps: true}, "2026-01-02T03:04:05Z web: a\n2026-01-02T03:04:06Z boots: b\n", "2026-01-02T03:04:05Z a\n"},
		"nothing":           {TestLines{Test: "web"}, "", ""},
		"an unended runner": {TestLines{Test: "web", Unprefixed: true}, "a", "a"},
	} {
		for reads, chunks := range map[string]func(io.Reader) io.Reader{"at once": func(whole io.Reader) io.Reader { return whole }, "by bytes": iotest.OneByteReader} {
			lines := test.lines
			got := require.Value(io.ReadAll(&reader{Reader: chunks(strings.NewReader(test.log)), lines: &lines}))(t)
			if string(got) != test.want {
				t.Errorf("%s, %s: got %q, want %q", name, reads, got, test.want)
			}
		}
	}
}

func TestALogWithoutATestIsCopiedAsItIs(t *testing.T) {
	text := slices.Repeat([]byte("web: \x00\n"), 9)
	got := require.Value(io.ReadAll(&reader{Reader: strings.NewReader(string(text))}))(t)
	if string(got) != string(text) {
		t.Errorf("got %q", got)
	}
}
