// SPDX-License-Identifier: Apache-2.0

package notes

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
)

func TestNotesAreTexts(t *testing.T) {
	written := &metav1.Time{Time: time.Date(2026, 3, 1, 12, 0, 0, 0, time.FixedZone("", 3600))}
	notes := []v1alpha1.ImageNote{
		{NoteRecord: v1alpha1.NoteRecord{Time: written, Author: "jane\n", Text: "withdrawn:\r\n\x1b[31mCVE-1\n\nsee there"}},
		{NoteRecord: v1alpha1.NoteRecord{Author: "joe", Text: "kept\n"}},
	}
	want := strings.Join([]string{
		"2026-03-01T11:00:00Z  jane ",
		"    withdrawn:",
		"    ^[[31mCVE-1",
		"    ",
		"    see there",
		"",
		"<unknown>  joe",
		"    kept",
		"",
	}, "\n")
	var out strings.Builder
	require.NoError(t, describe(notes, &out))
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}
