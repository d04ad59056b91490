// SPDX-License-Identifier: Apache-2.0

package changes

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
)

func TestChangesAreATable(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	changes := []v1alpha1.ImageChange{
		{Generation: 3, Time: &metav1.Time{Time: now.Add(-3 * time.Hour)}, User: "jane", Path: "parameters[motd].value", From: "two\nlines", To: "one"},
		{Generation: 2, Path: "priority", From: "7", To: `"7"`},
	}
	want := [][]string{
		{"GENERATION", "AGE", "USER", "PATH", "FROM", "TO"},
		{"3", "3h", "jane", "parameters[motd].value", `"two\nlines"`, "one"},
		{"2", "<unknown>", "-", "priority", "7", `"\"7\""`},
	}
	var out strings.Builder
	require.NoError(t, table(changes, now, &out))
	var got [][]string
	for line := range strings.SplitSeq(strings.TrimSpace(out.String()), "\n") {
		got = append(got, strings.Fields(line))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
