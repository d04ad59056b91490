// SPDX-License-Identifier: Apache-2.0

package trigger

import (
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// columns are those of kubectl get images that report on builds: READY, UPTODATE, REASON, LATEST, and the build of DIGEST.
func columns(status v1alpha1.ImageStatus) string {
	s := Summarize(&v1alpha1.Image{Status: status})
	made := s.Source
	if made == "" && status.LatestSuccessful != nil {
		made = "latest"
	}
	return strings.Join([]string{string(s.Ready), string(s.UpToDate), s.Reason, s.Latest, made}, "|")
}

// TestColumnsReportOnOneBuild checks the columns that docs/images.md describes in each state.
func TestColumnsReportOnOneBuild(t *testing.T) {
	const (
		queued, run, retrying        = v1alpha1.BuildQueued, v1alpha1.BuildRunning, v1alpha1.BuildRetrying
		succeeded, failed, cancelled = v1alpha1.BuildSucceeded, v1alpha1.BuildFailed, v1alpha1.BuildCancelled
	)
	type builds = []v1alpha1.ImageBuild
	ok := newBuild(1, succeeded, "A")
	for _, c := range []struct {
		name   string
		before builds // a first observation
		builds builds
		same   string // the columns if the inputs are A: READY|UPTODATE|REASON|LATEST|build of DIGEST
		other  string // the columns if they are B, and the triggers are off; empty if they are the same as for A
	}{
		{"no builds", nil, nil, "False|False|NeverBuilt||", "False|False|Suspended||"},
		{"the first is queued", nil, builds{newBuild(1, queued, "")}, "False|False|BuildQueued|debian-1|", ""},
		{"the first runs", nil, builds{newBuild(1, run, "A")}, "False|False|BuildActive|debian-1|", ""},
		{"the first is retried", nil, builds{newBuild(1, retrying, "A")}, "False|False|BuildActive|debian-1|", ""},
		{"the first failed", nil, builds{newBuild(1, failed, "A")}, "False|False|BuilderFailed|debian-1|", "False|False|Suspended|debian-1|"},
		{"the first was cancelled", nil, builds{newBuild(1, cancelled, "A")}, "False|False|BuildCancelled||", "False|False|Suspended||"},
		{"the first was deleted while it ran", builds{newBuild(1, run, "A")}, nil, "False|False|BuildCancelled||", "False|False|Suspended||"},
		{"only a one-off", nil, builds{oneOff(1, succeeded)}, "False|False|NeverBuilt||", "False|False|Suspended||"},
		{"only a one-off, which runs", nil, builds{oneOff(1, run)}, "False|False|NeverBuilt||", "False|False|Suspended||"},

		{"succeeded", nil, builds{ok}, "True|True||debian-1|latest", "True|False|Suspended|debian-1|latest"},
		{"succeeded, and the next is queued", nil, builds{ok, newBuild(2, queued, "")}, "True|True||debian-2|debian-1", "True|False||debian-2|debian-1"},
		{"succeeded, and the next runs", nil, builds{ok, newBuild(2, run, "A")}, "True|True||debian-2|debian-1", "True|False||debian-2|debian-1"},
		{"succeeded, and the next failed", nil, builds{ok, newBuild(2, failed, "A")}, "False|True|BuilderFailed|debian-2|debian-1", "False|False|Suspended|debian-2|debian-1"},
		{"succeeded, and the next was cancelled", nil, builds{ok, newBuild(2, cancelled, "A")}, "True|True||debian-1|latest", "True|False|Suspended|debian-1|latest"},
		{"succeeded, and a one-off failed", nil, builds{ok, oneOff(2, failed)}, "True|True||debian-1|latest", "True|False|Suspended|debian-1|latest"},
		{"succeeded, and a one-off runs", nil, builds{ok, oneOff(2, run)}, "True|True||debian-1|latest", "True|False|Suspended|debian-1|latest"},
		{"succeeded, then deleted", builds{ok}, nil, "True|True||debian-1 (deleted)|latest", "True|False|Suspended|debian-1 (deleted)|latest"},
		{"succeeded, and the next was deleted while it ran", builds{ok, newBuild(2, run, "A")}, builds{ok}, "True|True||debian-1|latest", "True|False|Suspended|debian-1|latest"},

		{"of other inputs, which were cancelled", nil, builds{ok, newBuild(2, cancelled, "B")}, "True|True|Suspended|debian-1|latest", "True|False|BuildCancelled|debian-1|latest"},
		{"of other inputs, which were cancelled, and pruned", builds{ok, newBuild(2, cancelled, "B")}, builds{ok}, "True|True|Suspended|debian-1|latest", "True|False|BuildCancelled|debian-1|latest"},
		{"of other inputs, which failed", nil, builds{ok, newBuild(2, failed, "B")}, "False|True|Suspended|debian-2|debian-1", "False|False|BuilderFailed|debian-2|debian-1"},
		{"of other inputs, which failed, then deleted", builds{ok, newBuild(2, failed, "B")}, builds{ok}, "False|True|Suspended|debian-2 (deleted)|debian-1", "False|False|BuilderFailed|debian-2 (deleted)|debian-1"},
		{"failed, and the next runs", nil, builds{newBuild(1, failed, "A"), newBuild(2, run, "A")}, "False|False|BuildActive|debian-2|", ""},
		{"failed, and the next is queued", nil, builds{newBuild(1, failed, "A"), newBuild(2, queued, "")}, "False|False|BuildQueued|debian-2|", ""},
		{"failed, and a one-off runs", nil, builds{newBuild(1, failed, "A"), oneOff(2, run)}, "False|False|BuilderFailed|debian-1|", "False|False|Suspended|debian-1|"},
		{"failed, and the next was cancelled", nil, builds{newBuild(1, failed, "A"), newBuild(2, cancelled, "A")}, "False|False|BuilderFailed|debian-1|", "False|False|Suspended|debian-1|"},
		{"failed, and the next, of other inputs, was cancelled", nil, builds{newBuild(1, failed, "A"), newBuild(2, cancelled, "B")}, "False|False|Suspended|debian-1|", "False|False|BuildCancelled|debian-1|"},
		{"failed, and the next succeeded", nil, builds{newBuild(1, failed, "A"), newBuild(2, succeeded, "A")}, "True|True||debian-2|latest", "True|False|Suspended|debian-2|latest"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, digest := range []string{"A", "B"} {
				image := newImage(func(i *v1alpha1.Image) { i.Spec.Suspend = new(digest == "B" || strings.Contains(c.same, "Suspended")) })
				if c.before != nil {
					keep(observed(image, digest, c.before...))
				}
				decision := Next(observed(image, digest, c.builds...))
				want := c.same
				if digest == "B" && c.other != "" {
					want = c.other
				}
				if got := columns(decision.Status); got != want {
					t.Errorf("inputs %s: %s, want %s\n%+v", digest, got, want, decision.Status.Conditions)
				}
				image.Status = decision.Status
				if again := keep(observed(image, digest, c.builds...)); columns(again) != want {
					t.Errorf("inputs %s: not stable: %s, want %s", digest, columns(again), want)
				}
			}
		})
	}
}

func TestAStatusIsNewerThanTheCache(t *testing.T) {
	image := newImage()
	want := keep(observed(image, "A", newBuild(1, v1alpha1.BuildFailed, "A")))
	got := Next(observed(image, "A", newBuild(1, v1alpha1.BuildRunning, "A"))).Status
	ready, before := meta.FindStatusCondition(got.Conditions, v1alpha1.ImageReady), meta.FindStatusCondition(want.Conditions, v1alpha1.ImageReady)
	if ready.Reason != before.Reason || ready.Message != before.Message || *got.LastFinished != *want.LastFinished {
		t.Errorf("Ready %+v, want %+v; last finished %+v", ready, before, got.LastFinished)
	}
}

func TestAFailureIsToldOnce(t *testing.T) {
	status := Next(observed(newImage(), "A", newBuild(1, v1alpha1.BuildFailed, "A"))).Status
	told := slices.DeleteFunc(slices.Clone(status.Conditions), func(c metav1.Condition) bool { return !strings.Contains(c.Message, "exit code 1") })
	if len(told) != 1 || told[0].Type != v1alpha1.ImageReady {
		t.Errorf("conditions with the message of the failure: %+v", told)
	}
	stalled := meta.FindStatusCondition(status.Conditions, v1alpha1.ImageStalled)
	if stalled.Reason != string(v1alpha1.ReasonBuilderFailed) || !strings.Contains(stalled.Message, "debian-1") {
		t.Errorf("Stalled %+v", stalled)
	}
}
