// SPDX-License-Identifier: Apache-2.0

package output

import (
	"bytes"
	"fmt"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"

	"goldsmith.dev/goldsmith/e2e/require"
)

func TestTheLastLinesAreKeptHoweverTheyAreWritten(t *testing.T) {
	var passed bytes.Buffer
	var seen []string
	tail := &Tail{To: &passed, Noise: regexp.MustCompile(`^noise`), Seen: func(line string) { seen = append(seen, line) }}
	const text = "first\r\nnoise\n\n(0%\r(50%\r  second  \nthird http://me:secret@host"
	for i := range len(text) {
		_, err := tail.Write([]byte(text[i : i+1]))
		require.NoError(t, err)
	}
	want := []string{"first", "second", "third http://[hidden]@host"}
	if diff := cmp.Diff(want, tail.Lines()); diff != "" || passed.String() != "first\n\n  second  \nthird http://[hidden]@host\n" {
		t.Errorf("%s passed %q", diff, &passed)
	}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Error(diff)
	}
	for i := range 2 * kept {
		_, err := fmt.Fprintln(tail, i)
		require.NoError(t, err)
	}
	lines := tail.Lines()
	if len(lines) != kept || lines[0] != fmt.Sprint(kept) || lines[kept-1] != fmt.Sprint(2*kept-1) {
		t.Errorf("%d lines, %s to %s", len(lines), lines[0], lines[len(lines)-1])
	}
}
