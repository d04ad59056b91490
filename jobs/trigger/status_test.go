// SPDX-License-Identifier: Apache-2.0

package trigger

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

var now = metav1.NewTime(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))

func newImage(change ...func(*v1alpha1.Image)) *v1alpha1.Image {
	image := &v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Name: "debian", Namespace: "default", UID: "image-uid", Generation: 4}}
	v1alpha1.SetObjectDefaults_Image(image)
	for _, c := range change {
		c(image)
	}
	return image
}

func newBuild(n int64, phase v1alpha1.BuildPhase, digest string) v1alpha1.ImageBuild {
	build := v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("debian-%d", n), UID: types.UID(fmt.Sprintf("uid-%d", n))}}
	build.Spec.Number = &n
	build.Status.Phase, build.Status.Finished = phase, phase.Finished()
	if digest != "" {
		build.Status.Resolved = &v1alpha1.ResolvedInputs{InputsDigest: digest}
	}
	if phase.Finished() {
		build.Status.CompletionTime = &now
	}
	switch phase {
	case v1alpha1.BuildFailed:
		build.Status.Failure = &v1alpha1.BuildFailure{Class: v1alpha1.FailureUser, Reason: v1alpha1.ReasonBuilderFailed, Message: "exit code 1"}
	case v1alpha1.BuildCancelled:
		build.Status.Failure = &v1alpha1.BuildFailure{Class: v1alpha1.FailureCancelled, Reason: v1alpha1.ReasonCancelRequested}
	}
	return build
}

// failedBy is the first build, of the inputs A, which failed for a reason.
func failedBy(reason v1alpha1.FailureReason) v1alpha1.ImageBuild {
	build := newBuild(1, v1alpha1.BuildFailed, "A")
	build.Status.Failure = reason.Failure("it is missing")
	return build
}

// observed is an Image and its builds, with inputs that resolve to a digest.
func observed(image *v1alpha1.Image, digest string, builds ...v1alpha1.ImageBuild) Observed {
	return Observed{Image: image, Builds: builds, Resolved: &v1alpha1.ResolvedInputs{InputsDigest: digest}, Now: now.Time}
}

func unresolved(image *v1alpha1.Image, reason v1alpha1.FailureReason, mayAppear bool) Observed {
	return Observed{Image: image, Unresolved: &v1alpha1.BuildFailure{Class: v1alpha1.FailureConfig, Reason: reason, Message: "it is missing"}, MayAppear: mayAppear, Now: now.Time}
}

// keep stores what was decided, as it would be after the status was written.
func keep(o Observed) v1alpha1.ImageStatus {
	o.Image.Status = Next(o).Status
	return o.Image.Status
}

func TestStatusFollowsTheBuilds(t *testing.T) {
	const (
		pending   = v1alpha1.BuildPending
		run       = v1alpha1.BuildRunning
		succeeded = v1alpha1.BuildSucceeded
		failed    = v1alpha1.BuildFailed
		cancelled = v1alpha1.BuildCancelled
	)
	cases := []struct {
		name     string
		observed Observed
		due      bool
		// status and reason of Ready, UpToDate, Building, InputsResolved, Stalled
		want [5]string
	}{
		{"nothing built yet", observed(newImage(), "A"), true,
			[5]string{"False NeverBuilt", "False NeverBuilt", "False Idle", "True Resolved", "False Progressing"}},
		{"the first build waits", observed(newImage(), "A", newBuild(1, pending, "")), false,
			[5]string{"False BuildQueued", "False BuildQueued", "True BuildQueued", "True Resolved", "False Progressing"}},
		{"the inputs change while a build has not resolved its own", observed(newImage(), "B", newBuild(1, pending, "")), false,
			[5]string{"False BuildQueued", "False BuildQueued", "True BuildQueued", "True Resolved", "False Progressing"}},
		{"the inputs change while a build runs", observed(newImage(), "B", newBuild(1, run, "A")), true,
			[5]string{"False BuildActive", "False BuildActive", "True BuildActive", "True Resolved", "False Progressing"}},
		{"built", observed(newImage(), "A", newBuild(1, succeeded, "A")), false,
			[5]string{"True BuildSucceeded", "True InputsUnchanged", "False Idle", "True Resolved", "False Progressing"}},
		{"built, then changed", observed(newImage(), "B", newBuild(1, succeeded, "A")), true,
			[5]string{"True BuildSucceeded", "False InputsChanged", "False Idle", "True Resolved", "False Progressing"}},
		{"failed: not built again for the same inputs", observed(newImage(), "A", newBuild(1, failed, "A")), false,
			[5]string{"False BuildFailed", "False NeverBuilt", "False Idle", "True Resolved", "True BuilderFailed"}},
		{"failed, then changed", observed(newImage(), "B", newBuild(1, failed, "A")), true,
			[5]string{"False BuildFailed", "False NeverBuilt", "False Idle", "True Resolved", "False Progressing"}},
		{"failed before its inputs resolved", observed(newImage(), "A", newBuild(1, failed, "")), true,
			[5]string{"False BuildFailed", "False NeverBuilt", "False Idle", "True Resolved", "False Progressing"}},
		{"its builder was removed while its build waited", observed(newImage(), "A", failedBy(v1alpha1.ReasonBuilderNotFound)), true,
			[5]string{"False BuildFailed", "False NeverBuilt", "False Idle", "True Resolved", "False Progressing"}},
		{"builders by image were forbidden while its build waited", observed(newImage(), "A", failedBy(v1alpha1.ReasonBuilderNotAllowed)), true,
			[5]string{"False BuildFailed", "False NeverBuilt", "False Idle", "True Resolved", "False Progressing"}},
		{"an attempt ended with a base that is lost: the next would, too", observed(newImage(), "A", failedBy(v1alpha1.ReasonBaseNotFound)), false,
			[5]string{"False BuildFailed", "False NeverBuilt", "False Idle", "True Resolved", "True BaseNotFound"}},
		{"a failure after a success", observed(newImage(), "B", newBuild(1, succeeded, "A"), newBuild(2, failed, "B")), false,
			[5]string{"False BuildFailed", "False InputsChanged", "False Idle", "True Resolved", "True BuilderFailed"}},
		{"back to what succeeded before", observed(newImage(), "A", newBuild(1, succeeded, "A"), newBuild(2, failed, "B")), true,
			[5]string{"False BuildFailed", "True InputsUnchanged", "False Idle", "True Resolved", "False Progressing"}},
		{"cancelled", observed(newImage(), "A", newBuild(1, cancelled, "A")), false,
			[5]string{"False NeverBuilt", "False NeverBuilt", "False Idle", "True Resolved", "True BuildCancelled"}},
		{"cancelled in the queue: not built again either", observed(newImage(), "A", newBuild(1, cancelled, "")), false,
			[5]string{"False NeverBuilt", "False NeverBuilt", "False Idle", "True Resolved", "True BuildCancelled"}},
		{"cancelled in the queue, for older inputs", observed(newImage(func(i *v1alpha1.Image) { i.Spec.Base.Reference = "new" }), "B", newBuild(1, cancelled, "")), true,
			[5]string{"False NeverBuilt", "False NeverBuilt", "False Idle", "True Resolved", "False Progressing"}},
		{"cancelled, then changed", observed(newImage(), "B", newBuild(1, cancelled, "A")), true,
			[5]string{"False NeverBuilt", "False NeverBuilt", "False Idle", "True Resolved", "False Progressing"}},
		{"a ConfigMap is missing: it may still appear", unresolved(newImage(), v1alpha1.ReasonSourceNotFound, true), false,
			[5]string{"False NeverBuilt", "Unknown InputsNotResolved", "False Idle", "False SourceNotFound", "False Progressing"}},
		{"a builder nobody registered: a person is needed", unresolved(newImage(), v1alpha1.ReasonBuilderNotFound, false), false,
			[5]string{"False NeverBuilt", "Unknown InputsNotResolved", "False Idle", "False BuilderNotFound", "True BuilderNotFound"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			decision := Next(c.observed)
			var got [5]string
			for i, kind := range []string{v1alpha1.ImageReady, v1alpha1.ImageUpToDate, v1alpha1.ImageBuilding, v1alpha1.ImageInputsResolved, v1alpha1.ImageStalled} {
				got[i] = says(t, decision.Status, kind)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			if got := decision.Request != nil; got != c.due {
				t.Errorf("due: %v (%s: %s), want %v", got, decision.Reason, decision.Message, c.due)
			}
			c.observed.Image.Status = decision.Status
			if diff := cmp.Diff(decision.Status, Next(c.observed).Status); diff != "" {
				t.Errorf("not stable: %s", diff)
			}
		})
	}
}

// says returns a condition's status and reason.
func says(t *testing.T, status v1alpha1.ImageStatus, kind string) string {
	t.Helper()
	condition := meta.FindStatusCondition(status.Conditions, kind)
	if condition == nil {
		t.Fatalf("there is no condition %s", kind)
	}
	if condition.ObservedGeneration != status.ObservedGeneration {
		t.Errorf("%s has the generation %d", kind, condition.ObservedGeneration)
	}
	return string(condition.Status) + " " + condition.Reason
}

func TestStatusOutlivesItsBuilds(t *testing.T) {
	image := newImage()
	before := keep(observed(image, "B", newBuild(1, v1alpha1.BuildSucceeded, "A"), newBuild(2, v1alpha1.BuildFailed, "B")))
	decision := Next(observed(image, "B"))
	before.LatestBuild.Deleted = true
	if diff := cmp.Diff(before, decision.Status); diff != "" {
		t.Errorf("the status changed when the builds were deleted: %s", diff)
	}
	if decision.Request != nil {
		t.Error("attempted inputs are due again after their build was deleted")
	}
}

func TestAFailureThatIsGoneIsNotHealedByAnOlderSuccess(t *testing.T) {
	image := newImage()
	first := newBuild(1, v1alpha1.BuildSucceeded, "A")
	keep(observed(image, "B", first, newBuild(2, v1alpha1.BuildFailed, "B")))
	image.Generation++
	status := Next(observed(image, "B", first)).Status
	if got := says(t, status, v1alpha1.ImageReady); got != "False BuildFailed" {
		t.Errorf("Ready %s", got)
	}
	if got := says(t, status, v1alpha1.ImageStalled); got != "True BuilderFailed" {
		t.Errorf("Stalled %s", got)
	}
}

func TestAFailureThatIsGoneIsToldAfterSomethingElseWas(t *testing.T) {
	image := newImage()
	keep(observed(image, "A", newBuild(1, v1alpha1.BuildFailed, "A")))
	keep(unresolved(image, v1alpha1.ReasonBuilderNotFound, false))
	status := keep(observed(image, "A"))
	stalled := meta.FindStatusCondition(status.Conditions, v1alpha1.ImageStalled)
	if stalled.Status != metav1.ConditionTrue || stalled.Reason != string(v1alpha1.ReasonBuilderFailed) || !strings.Contains(stalled.Message, "debian-1") {
		t.Errorf("Stalled %+v", stalled)
	}
}

// oneOff is a build of other inputs than the Image's own.
func oneOff(n int64, phase v1alpha1.BuildPhase) v1alpha1.ImageBuild {
	build := newBuild(n, phase, "Z")
	build.Spec.Trigger, build.Spec.OneOff = &v1alpha1.BuildTrigger{Reason: v1alpha1.TriggerManual}, new(true)
	return build
}

func TestAOneOffBuildChangesNothingOfItsImage(t *testing.T) {
	const ok, failed, run = v1alpha1.BuildSucceeded, v1alpha1.BuildFailed, v1alpha1.BuildRunning
	for name, own := range map[string][]v1alpha1.ImageBuild{
		"of which nothing was built": nil,
		"that was built":             {newBuild(1, ok, "A")},
		"whose build failed":         {newBuild(1, failed, "A")},
		"of older inputs":            {newBuild(1, ok, "B")},
	} {
		for _, phase := range []v1alpha1.BuildPhase{ok, failed, v1alpha1.BuildCancelled} {
			want := keep(observed(newImage(), "A", own...))
			image := newImage()
			keep(observed(image, "A", own...))
			keep(observed(image, "A", append(slices.Clone(own), oneOff(2, run))...))
			got := keep(observed(image, "A", append(slices.Clone(own), oneOff(2, phase))...))
			got.CountedBuild = want.CountedBuild
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("an Image %s, a one-off build in phase %s: %s", name, phase, diff)
			}
		}
	}
}

func TestAOneOffBuildDoesNotHideThatTheLastBuildWasDeleted(t *testing.T) {
	image := newImage()
	first := newBuild(1, v1alpha1.BuildSucceeded, "A")
	keep(observed(image, "B", first, newBuild(2, v1alpha1.BuildFailed, "B"), oneOff(3, v1alpha1.BuildSucceeded)))
	status := Next(observed(image, "B", first, oneOff(3, v1alpha1.BuildSucceeded))).Status
	if got := says(t, status, v1alpha1.ImageReady); got != "False BuildFailed" {
		t.Errorf("Ready %s", got)
	}
}

func TestUIDsOfBuildsAreFilledIntoTheRequests(t *testing.T) {
	image := newImage()
	image.Status.RecentRequests = []v1alpha1.BuildRequestRecord{{RequestID: "one", Number: 1}, {RequestID: "two", Number: 2}}
	status := Next(observed(image, "A", newBuild(2, v1alpha1.BuildPending, ""))).Status
	want := []v1alpha1.BuildRequestRecord{{RequestID: "one", Number: 1}, {RequestID: "two", Number: 2, UID: "uid-2"}}
	if diff := cmp.Diff(want, status.RecentRequests); diff != "" {
		t.Error(diff)
	}
	if image.Status.RecentRequests[1].UID != "" {
		t.Error("what was given was changed")
	}
}

func TestChannelsStayAsTheyAre(t *testing.T) {
	image := newImage()
	image.Status.Channels = []v1alpha1.ImageChannel{{Name: "stable", Build: "debian-7", Digest: "d"}}
	if diff := cmp.Diff(image.Status.Channels, Next(observed(image, "A")).Status.Channels); diff != "" {
		t.Error(diff)
	}
}
