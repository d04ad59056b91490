// SPDX-License-Identifier: Apache-2.0

package trigger

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
	clients "goldsmith.dev/goldsmith/jobs/internal/states"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// What clients take an Image for.
var (
	inProgress  = clients.Clients{Kstatus: "InProgress", ArgoCD: "Progressing"}
	held        = clients.Clients{Kstatus: "InProgress", ArgoCD: "Suspended"} // until a user resumes it
	current     = clients.Clients{Kstatus: "Current", ArgoCD: "Healthy"}
	failed      = clients.Clients{Kstatus: "Failed", ArgoCD: "Degraded"}
	terminating = clients.Clients{Kstatus: "Terminating", ArgoCD: "Progressing"}
)

// states are the states of an Image that docs/images.md lists.
var states = []struct {
	file, text     string // text is the first cell of the row in docs/images.md
	clients        clients.Clients
	image          func() *v1alpha1.Image
	not            bool // the controller has not observed it
	digest         string
	mayAppear      *bool // of what the inputs lack
	builds, before []v1alpha1.ImageBuild
	refused        *bool // finally
	lost           bool  // the server has lost the artifacts
	baseComing     bool
}{
	{
		file: "created", text: "it was just created", clients: inProgress,
		image: func() *v1alpha1.Image {
			image := newImage()
			image.Status.Conditions = FirstConditions(now)
			return image
		}, not: true,
	},
	{file: "due", text: "a build is due", clients: inProgress, digest: "A"},
	{file: "queued", text: "a build of it waits", clients: inProgress, digest: "A", builds: list(newBuild(1, v1alpha1.BuildQueued, ""))},
	{file: "running", text: "a build of it runs, is retried or is being cancelled", clients: inProgress, digest: "A", builds: list(newBuild(1, v1alpha1.BuildRunning, "A"))},
	{file: "retrying", clients: inProgress, digest: "A", builds: list(newBuild(1, v1alpha1.BuildRetrying, "A"))},
	{file: "built", text: "its inputs are built", clients: current, digest: "A", builds: list(newBuild(1, v1alpha1.BuildSucceeded, "A"))},
	{
		file: "changed", text: "it was just changed", clients: inProgress,
		image: func() *v1alpha1.Image {
			image := newImage()
			keep(observed(image, "A", newBuild(1, v1alpha1.BuildSucceeded, "A")))
			image.Generation++
			return image
		}, not: true,
	},
	{file: "rebuilding", text: "its inputs are built, and are built again", clients: inProgress, digest: "A", builds: list(newBuild(1, v1alpha1.BuildSucceeded, "A"), newBuild(2, v1alpha1.BuildRunning, "A"))},
	{
		file: "base-building", text: "its base is being built, and a build of it may follow", clients: inProgress, baseComing: true,
		image: onABase, digest: "A", builds: list(newBuild(1, v1alpha1.BuildSucceeded, "A")),
	},
	{file: "base-building-first", clients: inProgress, baseComing: true, image: onABase, mayAppear: new(true)},
	{
		file: "base-building-suspended", clients: current, baseComing: true, digest: "A", builds: list(newBuild(1, v1alpha1.BuildSucceeded, "A")),
		image: func() *v1alpha1.Image { image := onABase(); image.Spec.Suspend = new(true); return image },
	},
	{
		file: "base-building-not-followed", clients: current, baseComing: true, digest: "A", builds: list(newBuild(1, v1alpha1.BuildSucceeded, "A")),
		image: func() *v1alpha1.Image {
			image := onABase()
			image.Spec.Triggers.OnBaseChange = new(false)
			return image
		},
	},
	{file: "changed-and-running", clients: inProgress, digest: "B", builds: list(newBuild(1, v1alpha1.BuildSucceeded, "A"), newBuild(2, v1alpha1.BuildRunning, "B"))},
	{file: "failed", text: "its last build failed", clients: failed, digest: "A", builds: list(newBuild(1, v1alpha1.BuildFailed, "A"))},
	{file: "failed-after-a-success", clients: failed, digest: "B", builds: list(newBuild(1, v1alpha1.BuildSucceeded, "A"), newBuild(2, v1alpha1.BuildFailed, "B"))},
	{file: "artifact-missing", text: "an artifact of its last build is lost", clients: failed, digest: "A", builds: list(withArtifact(newBuild(1, v1alpha1.BuildSucceeded, "A"))), lost: true},
	{file: "artifact-missing-rebuilding", clients: inProgress, digest: "A", builds: list(withArtifact(newBuild(1, v1alpha1.BuildSucceeded, "A")), newBuild(2, v1alpha1.BuildRunning, "A")), lost: true},
	{file: "cancelled", text: "the only build of its inputs was cancelled or deleted", clients: failed, digest: "A", builds: list(newBuild(1, v1alpha1.BuildCancelled, "A"))},
	{file: "rebuild-cancelled", text: "its inputs are built, and a later build was cancelled", clients: current, digest: "A", builds: list(newBuild(1, v1alpha1.BuildSucceeded, "A"), newBuild(2, v1alpha1.BuildCancelled, "A"))},
	{file: "one-off-running", text: "its inputs are built, and a one-off build runs or has failed", clients: current, digest: "A", builds: list(newBuild(1, v1alpha1.BuildSucceeded, "A"), oneOff(2, v1alpha1.BuildRunning))},
	{file: "one-off-failed", clients: current, digest: "A", builds: list(newBuild(1, v1alpha1.BuildSucceeded, "A"), oneOff(2, v1alpha1.BuildFailed))},
	{
		file: "channel-lags", text: "its inputs are built, and a channel names an older build", clients: current,
		image: func() *v1alpha1.Image {
			image := newImage()
			image.Status.Channels = []v1alpha1.ImageChannel{{Name: "stable", Build: "debian-1", Digest: "A"}}
			return image
		}, digest: "B", builds: list(newBuild(1, v1alpha1.BuildSucceeded, "A"), newBuild(2, v1alpha1.BuildSucceeded, "B")),
	},
	{file: "source-missing", text: "an object that it names is missing, and may still appear", clients: inProgress, mayAppear: new(true)},
	{file: "builder-missing", text: "its builder is not registered or not allowed", clients: failed, mayAppear: new(false)},
	{file: "quota", text: "a quota or a limit refuses its build", clients: inProgress, digest: "A", refused: new(false)},
	{file: "refused", text: "the server refuses its build until the image changes", clients: failed, digest: "A", refused: new(true)},
	{file: "suspended-unbuilt", text: "its inputs are not built, and it is suspended or its triggers are off", clients: held, image: suspended, digest: "A"},
	{file: "suspended-changed", clients: held, image: suspended, digest: "B", builds: list(newBuild(1, v1alpha1.BuildSucceeded, "A"))},
	{file: "suspended-built", text: "its inputs are built, and it is suspended or its triggers are off", clients: current, image: suspended, digest: "A", builds: list(newBuild(1, v1alpha1.BuildSucceeded, "A"))},
	{
		file: "suspended-reverted", clients: current, digest: "A", builds: list(newBuild(1, v1alpha1.BuildSucceeded, "A"), newBuild(2, v1alpha1.BuildCancelled, "B")),
		image: suspended,
	},
	{file: "suspended-running", clients: inProgress, image: suspended, digest: "A", builds: list(newBuild(1, v1alpha1.BuildRunning, "A"))},
	{
		file: "triggers-off", clients: held, digest: "B", builds: list(newBuild(1, v1alpha1.BuildSucceeded, "A")),
		image: func() *v1alpha1.Image {
			return newImage(func(image *v1alpha1.Image) { image.Spec.Triggers.OnSpecChange = new(false) })
		},
	},
	{
		file: "waiting-for-schedule", text: "its inputs are not built, and wait for the schedule", clients: inProgress,
		image: func() *v1alpha1.Image {
			image := nightly(v1alpha1.ScheduleIfChanged)
			image.Spec.Triggers.OnSpecChange = new(false)
			return image
		}, digest: "B", builds: list(newBuild(1, v1alpha1.BuildSucceeded, "A")),
	},
	{file: "nightly", text: "its inputs are built, and the schedule builds them again", clients: current, image: func() *v1alpha1.Image { return nightly(v1alpha1.ScheduleAlways) }, digest: "A", builds: list(newBuild(1, v1alpha1.BuildSucceeded, "A"))},
	{file: "nightly-failed", text: "its last build failed, and the schedule builds the same inputs again (`mode: Always`)", clients: inProgress, image: func() *v1alpha1.Image { return nightly(v1alpha1.ScheduleAlways) }, digest: "A", builds: list(newBuild(1, v1alpha1.BuildFailed, "A"))},
	{file: "nightly-cancelled", clients: inProgress, image: func() *v1alpha1.Image { return nightly(v1alpha1.ScheduleAlways) }, digest: "B", builds: list(newBuild(1, v1alpha1.BuildSucceeded, "A"), newBuild(2, v1alpha1.BuildCancelled, "B"))},
	{
		file: "too-many-failures", text: "too many builds failed, or its schedule is invalid", clients: failed,
		image: func() *v1alpha1.Image {
			image := nightly(v1alpha1.ScheduleAlways)
			image.Spec.Triggers.DisableAfterFailures = new(int32(1))
			return image
		}, digest: "A", builds: list(newBuild(1, v1alpha1.BuildFailed, "A")),
	},
	{
		file: "invalid-schedule", clients: failed,
		image: func() *v1alpha1.Image {
			image := nightly(v1alpha1.ScheduleAlways)
			image.Spec.Triggers.Schedule.TimeZone = "Nowhere"
			return image
		}, digest: "A", builds: list(newBuild(1, v1alpha1.BuildSucceeded, "A")),
	},
	{
		file: "deleted", text: "it is being deleted", clients: terminating,
		image: func() *v1alpha1.Image {
			image := newImage()
			keep(observed(image, "A", newBuild(1, v1alpha1.BuildSucceeded, "A")))
			image.DeletionTimestamp = &now
			return image
		}, not: true,
	},
}

func list(builds ...v1alpha1.ImageBuild) []v1alpha1.ImageBuild { return builds }

// withArtifact returns a build with an artifact that the server kept.
func withArtifact(build v1alpha1.ImageBuild) v1alpha1.ImageBuild {
	build.Status.Artifacts = []v1alpha1.Artifact{{Target: "linux/amd64/raw", Digest: "lost", Verified: v1alpha1.ArtifactVerifiedContent}}
	return build
}

func onABase() *v1alpha1.Image {
	return newImage(func(image *v1alpha1.Image) { image.Spec.Base.ImageRef = &v1alpha1.BaseImageReference{Name: "base"} })
}

func suspended() *v1alpha1.Image {
	return newImage(func(image *v1alpha1.Image) { image.Spec.Suspend = new(true) })
}

func nightly(mode v1alpha1.ScheduleMode) *v1alpha1.Image {
	return newImage(func(image *v1alpha1.Image) {
		image.Spec.Triggers.Schedule = &v1alpha1.Schedule{Cron: "30 3 * * *", Mode: mode}
		v1alpha1.SetObjectDefaults_Image(image)
	})
}

func TestAPublishedArtifactIsNotLost(t *testing.T) {
	for location, want := range map[string]metav1.ConditionStatus{
		"registry.example.com/debian@sha256:0": metav1.ConditionTrue, "": metav1.ConditionFalse,
		v1alpha1.ArtifactPath("default", "debian-1", "lost"): metav1.ConditionFalse,
	} {
		build := withArtifact(newBuild(1, v1alpha1.BuildSucceeded, "A"))
		build.Status.Artifacts[0].Location = location
		o := observed(newImage(), "A", build)
		o.Kept = func(string) bool { return false }
		if ready := meta.FindStatusCondition(Next(o).Status.Conditions, v1alpha1.ImageReady); ready.Status != want {
			t.Errorf("with location %q, Ready is %s: %s", location, ready.Status, ready.Message)
		}
	}
}

func TestABaseIsComingWhileABuildOfItIs(t *testing.T) {
	ref := &v1alpha1.BaseImageReference{Name: "base"}
	base := func(status metav1.ConditionStatus, reason string) *v1alpha1.Image {
		image := newImage()
		image.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ImageReconciling, Status: status, Reason: reason}}
		return image
	}
	for name, test := range map[string]struct {
		ref  *v1alpha1.BaseImageReference
		base *v1alpha1.Image
		want bool
	}{
		"no base":               {nil, base(metav1.ConditionTrue, v1alpha1.ReasonBuildActive), false},
		"a missing base":        {ref, nil, false},
		"no status":             {ref, newImage(), false},
		"just created":          {ref, &v1alpha1.Image{Status: v1alpha1.ImageStatus{Conditions: FirstConditions(now)}}, true},
		"due":                   {ref, base(metav1.ConditionTrue, v1alpha1.ReasonBuildDue), true},
		"queued":                {ref, base(metav1.ConditionTrue, v1alpha1.ReasonBuildQueued), true},
		"runs":                  {ref, base(metav1.ConditionTrue, v1alpha1.ReasonBuildActive), true},
		"waits for its base":    {ref, base(metav1.ConditionTrue, v1alpha1.ReasonWaitingForBase), true},
		"a channel":             {&v1alpha1.BaseImageReference{Name: "base", Channel: "stable"}, base(metav1.ConditionTrue, v1alpha1.ReasonBuildActive), false},
		"built or failed":       {ref, base(metav1.ConditionFalse, v1alpha1.ReasonIdle), false},
		"suspended":             {ref, base(metav1.ConditionTrue, v1alpha1.ReasonSuspended), false},
		"its source is missing": {ref, base(metav1.ConditionTrue, string(v1alpha1.ReasonSourceNotFound)), false},
		"its base is missing":   {ref, base(metav1.ConditionTrue, string(v1alpha1.ReasonBaseNotFound)), false},
		"a quota":               {ref, base(metav1.ConditionTrue, v1alpha1.ReasonBuildRefused), false},
		"a schedule":            {ref, base(metav1.ConditionTrue, v1alpha1.ReasonScheduled), false},
	} {
		if got := BaseBuildPending(test.ref, test.base); got != test.want {
			t.Errorf("%s: got %t, want %t", name, got, test.want)
		}
	}
}

// TestStatesAreWhatClientsTakeThemFor shows each state to kstatus, which Flux, Helm and kpt wait with, and compares the table of
// docs/images.md.
func TestStatesAreWhatClientsTakeThemFor(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "images.md"))
	require.NoError(t, err)
	for _, state := range states {
		t.Run(state.file, func(t *testing.T) {
			image := newImage()
			if state.image != nil {
				image = state.image()
			}
			if !state.not {
				o := observed(image, state.digest, state.builds...)
				if state.mayAppear != nil {
					reason := v1alpha1.ReasonSourceNotFound
					if state.baseComing {
						reason = v1alpha1.ReasonBaseNotFound
					}
					o = unresolved(image, reason, *state.mayAppear)
				}
				o.BaseComing = state.baseComing
				if state.lost {
					o.Kept = func(digest string) bool { return digest != "lost" }
				}
				next := Next(o).Status
				if state.refused != nil {
					next = o.RefusedStatus(next, *state.refused, "namespace default has 2 builds")
				}
				image.Status = next
			}
			image.TypeMeta = metav1.TypeMeta{APIVersion: v1alpha1.SchemeGroupVersion.String(), Kind: "Image"}
			clients.Check(t, state.file, image, state.clients, *update)
			if row := fmt.Sprintf("| %s | %s |", state.text, state.clients.Kstatus); state.text != "" && !bytes.Contains(page, []byte(row)) {
				t.Errorf("docs/images.md has no row %q", row)
			}
		})
	}
}
