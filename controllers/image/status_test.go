// SPDX-License-Identifier: Apache-2.0

package image

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/controllers/resolution"
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

func resolvesTo(digest string) resolution.Resolution {
	return resolution.Resolution{Resolved: &v1alpha1.ResolvedInputs{InputsDigest: digest}}
}

func TestStatusFollowsTheBuilds(t *testing.T) {
	const (
		pending   = v1alpha1.BuildPending
		run       = v1alpha1.BuildRunning
		succeeded = v1alpha1.BuildSucceeded
		failed    = v1alpha1.BuildFailed
		cancelled = v1alpha1.BuildCancelled
	)
	missing := resolution.Resolution{Unresolved: &v1alpha1.BuildFailure{Reason: v1alpha1.ReasonSourceNotFound, Message: "ConfigMap default/x"}, MayAppear: true}
	unknown := resolution.Resolution{Unresolved: &v1alpha1.BuildFailure{Reason: v1alpha1.ReasonBuilderNotFound, Message: "builder nobody"}}
	cases := []struct {
		name     string
		builds   []v1alpha1.ImageBuild
		resolved resolution.Resolution
		due      bool
		// status and reason of Ready, UpToDate, Building, InputsResolved, Stalled
		want [5]string
	}{
		{"nothing built yet", nil, resolvesTo("A"), true,
			[5]string{"False NeverBuilt", "False NeverBuilt", "False Idle", "True Resolved", "False Progressing"}},
		{"the first build waits", []v1alpha1.ImageBuild{newBuild(1, pending, "")}, resolvesTo("A"), false,
			[5]string{"False NeverBuilt", "False NeverBuilt", "True BuildQueued", "True Resolved", "False Progressing"}},
		{"the inputs change while a build has not resolved its own", []v1alpha1.ImageBuild{newBuild(1, pending, "")}, resolvesTo("B"), false,
			[5]string{"False NeverBuilt", "False NeverBuilt", "True BuildQueued", "True Resolved", "False Progressing"}},
		{"the inputs change while a build runs", []v1alpha1.ImageBuild{newBuild(1, run, "A")}, resolvesTo("B"), true,
			[5]string{"False NeverBuilt", "False NeverBuilt", "True BuildActive", "True Resolved", "False Progressing"}},
		{"built", []v1alpha1.ImageBuild{newBuild(1, succeeded, "A")}, resolvesTo("A"), false,
			[5]string{"True BuildSucceeded", "True InputsUnchanged", "False Idle", "True Resolved", "False Progressing"}},
		{"built, then changed", []v1alpha1.ImageBuild{newBuild(1, succeeded, "A")}, resolvesTo("B"), true,
			[5]string{"True BuildSucceeded", "False InputsChanged", "False Idle", "True Resolved", "False Progressing"}},
		{"failed: not built again for the same inputs", []v1alpha1.ImageBuild{newBuild(1, failed, "A")}, resolvesTo("A"), false,
			[5]string{"False BuildFailed", "False NeverBuilt", "False Idle", "True Resolved", "True BuilderFailed"}},
		{"failed, then changed", []v1alpha1.ImageBuild{newBuild(1, failed, "A")}, resolvesTo("B"), true,
			[5]string{"False BuildFailed", "False NeverBuilt", "False Idle", "True Resolved", "False Progressing"}},
		{"failed before its inputs resolved", []v1alpha1.ImageBuild{newBuild(1, failed, "")}, resolvesTo("A"), true,
			[5]string{"False BuildFailed", "False NeverBuilt", "False Idle", "True Resolved", "False Progressing"}},
		{"a failure after a success", []v1alpha1.ImageBuild{newBuild(1, succeeded, "A"), newBuild(2, failed, "B")}, resolvesTo("B"), false,
			[5]string{"False BuildFailed", "False InputsChanged", "False Idle", "True Resolved", "True BuilderFailed"}},
		{"back to what succeeded before", []v1alpha1.ImageBuild{newBuild(1, succeeded, "A"), newBuild(2, failed, "B")}, resolvesTo("A"), true,
			[5]string{"False BuildFailed", "True InputsUnchanged", "False Idle", "True Resolved", "False Progressing"}},
		{"cancelled", []v1alpha1.ImageBuild{newBuild(1, cancelled, "A")}, resolvesTo("A"), false,
			[5]string{"False BuildCancelled", "False NeverBuilt", "False Idle", "True Resolved", "True CancelRequested"}},
		{"a ConfigMap is missing: it may still appear", nil, missing, false,
			[5]string{"False NeverBuilt", "Unknown InputsNotResolved", "False Idle", "False SourceNotFound", "False Progressing"}},
		{"a builder nobody registered: a person is needed", nil, unknown, false,
			[5]string{"False NeverBuilt", "Unknown InputsNotResolved", "False Idle", "False BuilderNotFound", "True BuilderNotFound"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			image := newImage()
			status := nextStatus(image, c.builds, c.resolved, now)
			var got [5]string
			for i, kind := range []string{v1alpha1.ImageReady, v1alpha1.ImageUpToDate, v1alpha1.ImageBuilding, v1alpha1.ImageInputsResolved, v1alpha1.ImageStalled} {
				condition := meta.FindStatusCondition(status.Conditions, kind)
				got[i] = string(condition.Status) + " " + condition.Reason
				if condition.ObservedGeneration != 4 {
					t.Errorf("%s speaks of generation %d", kind, condition.ObservedGeneration)
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			if got := due(image, c.builds, status); got != c.due {
				t.Errorf("due: %v, want %v", got, c.due)
			}
			image.Status = *status
			if diff := cmp.Diff(status, nextStatus(image, c.builds, c.resolved, now)); diff != "" {
				t.Errorf("not stable: %s", diff)
			}
		})
	}
}

func TestNothingIsDueWhenTriggersAreOff(t *testing.T) {
	yes, no := true, false
	for name, image := range map[string]*v1alpha1.Image{
		"suspended":          newImage(func(i *v1alpha1.Image) { i.Spec.Suspend = &yes }),
		"onSpecChange false": newImage(func(i *v1alpha1.Image) { i.Spec.Triggers.OnSpecChange = &no }),
	} {
		if status := nextStatus(image, nil, resolvesTo("A"), now); due(image, nil, status) {
			t.Errorf("%s: a build is due", name)
		}
	}
}

func TestStatusOutlivesItsBuilds(t *testing.T) {
	image := newImage()
	image.Status = *nextStatus(image, []v1alpha1.ImageBuild{newBuild(1, v1alpha1.BuildSucceeded, "A"), newBuild(2, v1alpha1.BuildFailed, "B")}, resolvesTo("B"), now)
	status := nextStatus(image, nil, resolvesTo("B"), now)
	if diff := cmp.Diff(&image.Status, status); diff != "" {
		t.Errorf("changed when the builds went: %s", diff)
	}
	if due(image, nil, status) {
		t.Error("inputs that were attempted are due again because the build is gone")
	}
}

func TestAFailureThatIsGoneIsNotHealedByAnOlderSuccess(t *testing.T) {
	image := newImage()
	first := newBuild(1, v1alpha1.BuildSucceeded, "A")
	image.Status = *nextStatus(image, []v1alpha1.ImageBuild{first, newBuild(2, v1alpha1.BuildFailed, "B")}, resolvesTo("B"), now)
	image.Generation++
	status := nextStatus(image, []v1alpha1.ImageBuild{first}, resolvesTo("B"), now)
	if meta.IsStatusConditionTrue(status.Conditions, v1alpha1.ImageReady) || !meta.IsStatusConditionTrue(status.Conditions, v1alpha1.ImageStalled) {
		t.Errorf("conditions %+v", status.Conditions)
	}
	for _, condition := range status.Conditions {
		if condition.ObservedGeneration != image.Generation {
			t.Errorf("%s speaks of generation %d", condition.Type, condition.ObservedGeneration)
		}
	}
}

func TestAnImageWhoseTriggersAreOffSaysSo(t *testing.T) {
	yes := true
	image := newImage(func(i *v1alpha1.Image) { i.Spec.Suspend = &yes })
	stalled := meta.FindStatusCondition(nextStatus(image, nil, resolvesTo("A"), now).Conditions, v1alpha1.ImageStalled)
	if stalled.Status != metav1.ConditionFalse || stalled.Reason != v1alpha1.ReasonSuspended {
		t.Errorf("Stalled %+v", stalled)
	}
}

func TestGoingBackToEarlierInputsIsAnotherRequest(t *testing.T) {
	first := requestID("A", nil)
	again := requestID("A", &v1alpha1.AttemptedBuild{Number: 2, InputsDigest: "B"})
	if first == again || first != requestID("A", nil) {
		t.Errorf("requests %q and %q", first, again)
	}
}

func TestUIDsOfBuildsAreFilledIntoTheRequests(t *testing.T) {
	image := newImage()
	image.Status.RecentRequests = []v1alpha1.BuildRequestRecord{{RequestID: "one", Number: 1}, {RequestID: "two", Number: 2}}
	status := nextStatus(image, []v1alpha1.ImageBuild{newBuild(2, v1alpha1.BuildPending, "")}, resolvesTo("A"), now)
	want := []v1alpha1.BuildRequestRecord{{RequestID: "one", Number: 1}, {RequestID: "two", Number: 2, UID: "uid-2"}}
	if diff := cmp.Diff(want, status.RecentRequests); diff != "" {
		t.Error(diff)
	}
}

func TestHistoryKeepsTheNewestAndTheLatestSuccess(t *testing.T) {
	one, zero := int32(1), int32(0)
	image := newImage(func(i *v1alpha1.Image) { i.Spec.History = &v1alpha1.HistoryLimits{Succeeded: &one, Failed: &zero} })
	image.Status.RecentRequests = []v1alpha1.BuildRequestRecord{{RequestID: "five", Number: 5}}
	builds := []v1alpha1.ImageBuild{
		newBuild(1, v1alpha1.BuildSucceeded, "A"), newBuild(2, v1alpha1.BuildSucceeded, "B"),
		newBuild(3, v1alpha1.BuildFailed, "C"), newBuild(4, v1alpha1.BuildCancelled, "D"), newBuild(5, v1alpha1.BuildFailed, "E"),
		newBuild(6, v1alpha1.BuildRunning, "F"),
	}
	names := func(status *v1alpha1.ImageStatus) (names []string) {
		for _, build := range excess(image, status, builds) {
			names = append(names, build.Name)
		}
		return names
	}
	status := nextStatus(image, builds, resolvesTo("F"), now)
	if diff := cmp.Diff([]string{"debian-5", "debian-4", "debian-3", "debian-1"}, names(status)); diff != "" {
		t.Error(diff)
	}
	status.RecentRequests[0].UID = ""
	if diff := cmp.Diff([]string{"debian-4", "debian-3", "debian-1"}, names(status)); diff != "" {
		t.Errorf("with a request whose build is not recorded: %s", diff)
	}
	status.LatestSuccessful.Number = 1
	if diff := cmp.Diff([]string{"debian-4", "debian-3"}, names(status)); diff != "" {
		t.Errorf("with the latest success over the limit: %s", diff)
	}
}
