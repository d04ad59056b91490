// SPDX-License-Identifier: Apache-2.0

package history

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
)

func TestBuildsHaveTheNamesThatTheyHad(t *testing.T) {
	var out strings.Builder
	require.NoError(t, names([]v1alpha1.BuildRecord{{Name: "web-2"}, {Name: "web-1"}}, &out))
	if want := "imagebuild.images.goldsmith.dev/web-2\nimagebuild.images.goldsmith.dev/web-1\n"; out.String() != want {
		t.Errorf("got %s", out.String())
	}
}

func TestBuildsAreATable(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	before := func(d time.Duration) *metav1.Time { return &metav1.Time{Time: now.Add(-d)} }
	lasting := func(d time.Duration) *metav1.Duration { return &metav1.Duration{Duration: d} }
	builds := []v1alpha1.BuildRecord{
		{
			Name: "web-6", UID: "f", Phase: v1alpha1.BuildFailed, Failure: &v1alpha1.BuildFailure{Reason: v1alpha1.ReasonTestsFailed},
			FailedTests: []string{"answers", "boots"}, CreationTime: before(time.Minute),
			Revoked: &v1alpha1.Revocation{EffectiveTime: &metav1.Time{Time: now.Add(time.Hour)}},
		},
		{
			Name: "web-5", UID: "e", Phase: v1alpha1.BuildCancelled, Failure: &v1alpha1.BuildFailure{Reason: v1alpha1.ReasonCancelRequested},
			CreationTime: before(time.Minute), Revoked: &v1alpha1.Revocation{Time: *before(0)},
		},
		{Name: "web-4", UID: "d", Phase: v1alpha1.BuildStarting, CreationTime: before(time.Minute), DeletionTime: before(time.Second)},
		{Name: "web-3", UID: "c", Phase: v1alpha1.BuildRunning, CreationTime: before(time.Minute)},
		{
			Name: "web-2", UID: "b", Phase: v1alpha1.BuildFailed, Trigger: v1alpha1.TriggerManual, RequestedBy: "jane\x1b[31m", Attempts: 3, OneOff: true,
			Failure: &v1alpha1.BuildFailure{Reason: v1alpha1.ReasonOOMKilled}, CreationTime: before(3 * time.Hour), DeletionTime: before(2 * time.Hour), QueueTime: lasting(5 * time.Second), Duration: lasting(4 * time.Minute),
		},
		{Name: "web-1", UID: "a", Phase: v1alpha1.BuildSucceeded, Trigger: v1alpha1.TriggerCreated, Attempts: 1, QueueTime: lasting(0), Duration: lasting(time.Second), Source: &v1alpha1.SourceRevision{Revision: "sha1:0123456789abcdef0123456789abcdef01234567", Ref: "refs/heads/main", Summary: "Fix it"}, Message: "new packages:\nopenssl 1\x1b → 2"},
	}
	for all, want := range map[bool][][]string{
		false: {
			{"NAME", "PHASE", "WHY", "TRIGGER", "TOOK", "AGE"},
			{"web-6", "Failed", "TestsFailed:", "answers,…", "<none>", "<none>", "60s"},
			{"web-5", "Cancelled", "Revoked", "<none>", "<none>", "60s"},
			{"web-4", "Deleted", "<none>", "<none>", "<none>", "60s"},
			{"web-3", "Running", "<none>", "<none>", "<none>", "60s"},
			{"web-2", "Failed", "OOMKilled", "Manual", "4m", "3h"},
			{"web-1", "Succeeded", "<none>", "Created", "1s", "<unknown>"},
		},
		true: {
			{"NAME", "PHASE", "WHY", "TRIGGER", "TOOK", "AGE", "ATTEMPTS", "WAITED", "ONEOFF", "BY", "DELETED", "UID", "SOURCE", "MESSAGE"},
			{"web-6", "Failed", "TestsFailed:", "answers,", "boots", "<none>", "<none>", "60s", "0", "<none>", "false", "<none>", "<none>", "f", "<none>", "<none>"},
			{"web-5", "Cancelled", "Revoked", "<none>", "<none>", "60s", "0", "<none>", "false", "<none>", "<none>", "e", "<none>", "<none>"},
			{"web-4", "Deleted", "<none>", "<none>", "<none>", "60s", "0", "<none>", "false", "<none>", "1s", "ago", "d", "<none>", "<none>"},
			{"web-3", "Running", "<none>", "<none>", "<none>", "60s", "0", "<none>", "false", "<none>", "<none>", "c", "<none>", "<none>"},
			{"web-2", "Failed", "OOMKilled", "Manual", "4m", "3h", "3", "5s", "true", "jane^[[31m", "120m", "ago", "b", "<none>", "<none>"},
			{"web-1", "Succeeded", "<none>", "Created", "1s", "<unknown>", "1", "0s", "false", "<none>", "<none>", "a", "0123456789ab", "Fix", "it", "(refs/heads/main)", "new", "packages:", "openssl", "1^[", "→", "2"},
		},
	} {
		var out strings.Builder
		require.NoError(t, Table(builds, "", all, now, &out))
		var got [][]string
		for line := range strings.SplitSeq(strings.TrimSpace(out.String()), "\n") {
			got = append(got, strings.Fields(line))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("wide %t: %s", all, diff)
		}
	}
}

func TestBuildsFitATerminalOf80Columns(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	builds := []v1alpha1.BuildRecord{{
		Name: "debian-1234", UID: "4f0c1e0a-3c7e-4d3c-9d5e-0a3f6a1b2c3d", ImageUID: "earlier", Phase: v1alpha1.BuildCancelling, Trigger: v1alpha1.TriggerTestsChange,
		RequestedBy: "system:serviceaccount:goldsmith:controller", Failure: &v1alpha1.BuildFailure{Reason: v1alpha1.ReasonBuilderNotRunnable},
		FailedTests:  []string{strings.Repeat("a", 63), "b"},
		CreationTime: &metav1.Time{Time: now.Add(-100 * time.Hour)}, Duration: &metav1.Duration{Duration: 95 * time.Minute},
	}}
	var out strings.Builder
	require.NoError(t, Table(builds, "image", false, now, &out))
	for line := range strings.SplitSeq(strings.TrimSuffix(out.String(), "\n"), "\n") {
		if columns := utf8.RuneCountInString(line); columns > 80 {
			t.Errorf("%d columns: %s", columns, line)
		}
	}
}

func TestBuildsOfAnEarlierImageOfTheNameAreMarked(t *testing.T) {
	builds := []v1alpha1.BuildRecord{{Name: "web-1", UID: "b", ImageUID: "new"}, {Name: "web-1", UID: "a", ImageUID: "old"}}
	var out strings.Builder
	require.NoError(t, Table(builds, "new", true, time.Now(), &out))
	var last []string
	for line := range strings.SplitSeq(strings.TrimSpace(out.String()), "\n") {
		last = append(last, line[strings.LastIndex(line, " ")+1:])
	}
	if want := []string{"IMAGE", "<none>", "old"}; !cmp.Equal(last, want) {
		t.Errorf("got %v, want %v in\n%s", last, want, out.String())
	}
}
