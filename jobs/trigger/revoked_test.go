// SPDX-License-Identifier: Apache-2.0

package trigger

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// revoke returns a build that somebody has revoked now.
func revoke(build v1alpha1.ImageBuild) v1alpha1.ImageBuild {
	build.Status.Revoked = &v1alpha1.Revocation{Time: now, By: "anna", Reason: "wrong key"}
	return build
}

func TestAnImageIsNotReadyWhileItsLatestBuildIsRevoked(t *testing.T) {
	const ready, revoked = "True BuildSucceeded", "False Revoked"
	image := newImage()
	first, second := newBuild(1, v1alpha1.BuildSucceeded, "A"), newBuild(2, v1alpha1.BuildSucceeded, "A")
	restored := second
	restored.Status.Conditions = []metav1.Condition{{Type: v1alpha1.BuildRevoked, Status: metav1.ConditionUnknown, Reason: v1alpha1.ReasonRestored, LastTransitionTime: now}}
	later := revoke(second)
	later.Status.Revoked.EffectiveTime = new(metav1.NewTime(now.Add(time.Hour)))
	for _, step := range []struct {
		title  string
		at     time.Duration
		builds []v1alpha1.ImageBuild
		want   string
		after  time.Duration
	}{
		{"it succeeds", 0, list(first, second), ready, 0},
		{"an earlier build is revoked", 0, list(revoke(first), second), ready, 0},
		{"it is revoked", 0, list(first, revoke(second)), revoked, 0},
		{"it is deleted", 0, list(first), revoked, 0},
		{"an outdated cache has it as it was", 0, list(first, second), revoked, 0},
		{"it is restored", 0, list(first, restored), ready, 0},
		{"it will be revoked", 0, list(first, later), ready, time.Hour},
		{"that time has come", time.Hour, list(first, later), revoked, 0},
		{"another build runs", time.Hour, list(first, later, newBuild(3, v1alpha1.BuildRunning, "A")), revoked, 0},
		{"another build succeeds", time.Hour, list(first, later, newBuild(3, v1alpha1.BuildSucceeded, "A")), ready, 0},
	} {
		o := observed(image, "A", step.builds...)
		o.Now = o.Now.Add(step.at)
		decision := Next(o)
		image.Status = decision.Status
		condition := meta.FindStatusCondition(image.Status.Conditions, v1alpha1.ImageReady)
		if got := string(condition.Status) + " " + condition.Reason; got != step.want || decision.Request != nil || decision.After != step.after {
			t.Errorf("%s: got %s, %s; again after %s, request %v", step.title, got, condition.Message, decision.After, decision.Request)
		}
		stalled := meta.IsStatusConditionTrue(image.Status.Conditions, v1alpha1.ImageStalled)
		if unfinished := step.title == "another build runs"; stalled != (step.want == revoked && !unfinished) {
			t.Errorf("%s: stalled: %t", step.title, stalled)
		}
		if step.want == revoked && !strings.Contains(condition.Message, "goldsmith unrevoke debian-2. It was revoked by anna: wrong key") {
			t.Errorf("%s: the message is %q", step.title, condition.Message)
		}
	}
}

func TestAnImageIsDueOnceItsBaseIsNotRevokedAnyMore(t *testing.T) {
	image := onABase()
	built := newBuild(1, v1alpha1.BuildSucceeded, "A")
	built.Status.Resolved.BaseDigest = "one"
	keep(observed(image, "A", built))
	if o := unresolved(image, v1alpha1.ReasonBaseRevoked, true); Next(o).Request != nil {
		t.Error("a build is due while the base is revoked")
	}
	waiting := newBuild(2, v1alpha1.BuildFailed, "B") // the base was revoked while it waited
	waiting.Status.Failure = v1alpha1.ReasonBaseRevoked.Failure("revoked")
	for digest, builds := range map[string][]v1alpha1.ImageBuild{"C": list(built), "B": list(built, waiting)} {
		if request := Next(observed(image, digest, builds...)).Request; request == nil {
			t.Errorf("no build of the inputs %s is due", digest)
		}
	}
	if o := observed(image, "A", built); Next(o).Request != nil {
		t.Error("a build of the same base is due")
	}
	o := observed(image, "A", built)
	o.RevokedFrom = now.Add(time.Minute)
	if after := Next(o).After; after != time.Minute {
		t.Errorf("reconciled again after %s", after)
	}
}

func TestTheRevocationOfAChannelsBuildIsRecorded(t *testing.T) {
	image := newImage()
	image.Status.Channels = []v1alpha1.ImageChannel{{Name: "stable", Build: "debian-1"}, {Name: "testing", Build: "debian-2"}}
	status := Next(observed(image, "A", revoke(newBuild(1, v1alpha1.BuildSucceeded, "A")), newBuild(2, v1alpha1.BuildSucceeded, "A"))).Status
	want := []v1alpha1.ImageChannel{{Name: "stable", Build: "debian-1", Revoked: &v1alpha1.Revocation{Time: now, By: "anna", Reason: "wrong key"}}, {Name: "testing", Build: "debian-2"}}
	if diff := cmp.Diff(want, status.Channels); diff != "" {
		t.Error(diff)
	}
}

func TestAnImageTellsThatItsLatestBuildIsBasedOnARevokedBuild(t *testing.T) {
	image, built := newImage(), newBuild(1, v1alpha1.BuildSucceeded, "A")
	base := &v1alpha1.RevokedBase{Name: "golden-1", Revocation: v1alpha1.Revocation{Time: now, By: "anna", Reason: "wrong key"}}
	for _, step := range []struct {
		title string
		bases map[string]*v1alpha1.RevokedBase
		want  string
	}{
		{"nobody knows", nil, "True InputsUnchanged "},
		{"a base is revoked", map[string]*v1alpha1.RevokedBase{built.Name: base}, "False BaseRevoked BaseRevoked"},
		{"the base is deleted", nil, "False BaseRevoked BaseRevoked"},
		{"the base is restored", map[string]*v1alpha1.RevokedBase{built.Name: nil}, "True InputsUnchanged "},
	} {
		o := observed(image, "A", built)
		o.RevokedBases = step.bases
		decision := Next(o)
		image.Status = decision.Status
		condition := meta.FindStatusCondition(image.Status.Conditions, v1alpha1.ImageUpToDate)
		if got := string(condition.Status) + " " + condition.Reason + " " + Summarize(image).Reason; got != step.want || decision.Request != nil {
			t.Errorf("%s: got %s, %s; request %v", step.title, got, condition.Message, decision.Request)
		}
		const told = "build debian-1 is based on build golden-1: a new build is needed once the base is another build. That was revoked by anna: wrong key"
		if condition.Status == metav1.ConditionFalse && condition.Message != told {
			t.Errorf("%s: the message is %q", step.title, condition.Message)
		}
	}
}

func TestAnImageTellsThatItsLastBuildMadeARevokedArtifact(t *testing.T) {
	image, remade := newImage(), newBuild(2, v1alpha1.BuildCancelled, "A")
	remade.Status.Failure = v1alpha1.ReasonRevoked.Failure("change the image")
	status := Next(observed(image, "A", newBuild(1, v1alpha1.BuildSucceeded, "B"), remade)).Status
	stalled := meta.FindStatusCondition(status.Conditions, v1alpha1.ImageStalled)
	if stalled.Status != metav1.ConditionTrue || stalled.Reason != "Revoked" || stalled.Message != "change the image" {
		t.Errorf("got %+v", stalled)
	}
}
