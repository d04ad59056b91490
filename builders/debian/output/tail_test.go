// SPDX-License-Identifier: Apache-2.0

package output

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"goldsmith.dev/goldsmith/e2e/require"
)

func TestTheLastLinesAreKeptHoweverTheyAreWritten(t *testing.T) {
	var passed bytes.Buffer
	tail := &Tail{To: &passed}
	text := "first\n\n  second  \nthird"
	for i := range len(text) {
		_, err := tail.Write([]byte(text[i : i+1]))
		require.NoError(t, err)
	}
	if diff := cmp.Diff([]string{"first", "second", "third"}, tail.Lines()); diff != "" || passed.String() != text {
		t.Errorf("%s passed %q", diff, &passed)
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
