// SPDX-License-Identifier: Apache-2.0

package state

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// conditionRevoked returns the status and the reason of the condition Revoked.
func conditionRevoked(status *v1alpha1.ImageBuildStatus) string {
	condition := meta.FindStatusCondition(status.Conditions, v1alpha1.BuildRevoked)
	if condition == nil {
		return ""
	}
	return string(condition.Status) + " " + condition.Reason
}

func TestARevokedBuildNeverSucceeds(t *testing.T) {
	made := exited(0, goodResult)
	tests := func(w *scenario) *scenario {
		w.Build.Spec.Tests = []v1alpha1.ImageTest{{Name: "boots", Boot: &v1alpha1.TestBoot{}}}
		v1alpha1.SetObjectDefaults_ImageBuild(w.Build)
		return w
	}
	for title, w := range map[string]*scenario{
		"it waits":                                       given(v1alpha1.BuildQueued),
		"it waits for another attempt":                   given(v1alpha1.BuildRetrying).recorded().ended(v1alpha1.AttemptFailed, v1alpha1.ReasonBuilderTempFail.Failure("again")),
		"it is about to succeed":                         given(v1alpha1.BuildRunning).recorded().job().pod(corev1.PodSucceeded, made),
		"it is being cancelled, and is about to succeed": given(v1alpha1.BuildCancelling).recorded().stopped(t0).job().pod(corev1.PodSucceeded, made),
		"its tests are about to begin":                   tests(given(v1alpha1.BuildRunning).recorded()).job().pod(corev1.PodSucceeded, made),
		"its tests are about to pass": func() *scenario {
			w := tests(given(v1alpha1.BuildTesting).recorded())
			w.current().Tests, w.Build.Status.Tests = []string{"boots"}, []v1alpha1.TestStatus{{Name: "boots", Gates: true}}
			return w.job().pod(corev1.PodSucceeded, found("boots=Passed"))
		}(),
	} {
		w.Build.Status.Revoked = &v1alpha1.Revocation{By: "anna", Reason: "wrong key"}
		w.steps(t)
		status := &w.Build.Status
		if status.Phase != v1alpha1.BuildCancelled || status.Failure.Reason != v1alpha1.ReasonRevoked || status.Failure.Message != "cancelled: revoked by anna: wrong key" {
			t.Errorf("%s: it is %s: %+v", title, status.Phase, status.Failure)
		}
		if got := conditionRevoked(status); got != "True Revoked" {
			t.Errorf("%s: the condition is %q", title, got)
		}
	}
}

func TestABuildNeverSucceedsWithTheArtifactsOfARevokedBuild(t *testing.T) {
	tested := given(v1alpha1.BuildTesting).recorded()
	tested.Build.Spec.Tests = []v1alpha1.ImageTest{{Name: "boots", Boot: &v1alpha1.TestBoot{}}}
	tested.Build.Status.Artifacts = []v1alpha1.Artifact{{Target: "linux/amd64/raw", Digest: goodDigest}}
	tested.current().Tests, tested.Build.Status.Tests = []string{"boots"}, []v1alpha1.TestStatus{{Name: "boots", Gates: true}}
	v1alpha1.SetObjectDefaults_ImageBuild(tested.Build)
	reproduces := given(v1alpha1.BuildRunning).recorded().job().pod(corev1.PodSucceeded, exited(0, goodResult))
	reproduces.Build.Spec.Reproduces = &v1alpha1.Reproduction{Name: "debian-0"}
	for title, c := range map[string]struct {
		*scenario
		digest string
		uid    types.UID // of the revoked build, unless it may be deleted
		want   v1alpha1.BuildPhase
		remedy string
	}{
		"it makes them again":               {given(v1alpha1.BuildRunning).recorded().job().pod(corev1.PodSucceeded, exited(0, goodResult)), goodDigest, "u", v1alpha1.BuildCancelled, "take that back: goldsmith unrevoke debian-0. It"},
		"it makes those of a deleted build": {given(v1alpha1.BuildRunning).recorded().job().pod(corev1.PodSucceeded, exited(0, goodResult)), goodDigest, "", v1alpha1.BuildCancelled, "take that back: delete its RevokedArtifact. It"},
		"it passes the tests with them":     {tested.job().pod(corev1.PodSucceeded, found("boots=Passed")), goodDigest, "u", v1alpha1.BuildCancelled, ""},
		"it is to make the same":            {reproduces, goodDigest, "u", v1alpha1.BuildSucceeded, ""},
		"it makes others":                   {given(v1alpha1.BuildRunning).recorded().job().pod(corev1.PodSucceeded, exited(0, goodResult)), "sha256:other", "u", v1alpha1.BuildSucceeded, ""},
	} {
		revoked := v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Name: "debian-0", UID: c.uid}}
		revoked.Status.Artifacts = []v1alpha1.Artifact{{Digest: c.digest}}
		revoked.Status.Revoked = &v1alpha1.Revocation{By: "anna", Reason: "wrong key"}
		c.Revoked = []v1alpha1.ImageBuild{{}, revoked}
		c.steps(t)
		status := &c.Build.Status
		if status.Phase != c.want || (c.want == v1alpha1.BuildCancelled) != (status.Failure != nil && status.Failure.Reason == v1alpha1.ReasonRevoked) {
			t.Errorf("%s: it is %s: %+v", title, status.Phase, status.Failure)
		}
		if c.remedy != "" && !strings.Contains(status.Failure.Message, c.remedy) {
			t.Errorf("%s: %s", title, status.Failure.Message)
		}
	}
}

func TestABuildInheritsARevocationThatIsScheduled(t *testing.T) {
	w := given(v1alpha1.BuildRunning).recorded().job().pod(corev1.PodSucceeded, exited(0, goodResult))
	for i, digest := range []string{goodDigest, goodDigest, "sha256:other"} {
		other := v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Name: "debian-" + string('a'+rune(i))}}
		other.Status.Artifacts = []v1alpha1.Artifact{{Digest: digest}}
		other.Status.Revoked = &v1alpha1.Revocation{Reason: "old", EffectiveTime: new(metav1.NewTime(w.Now.Add(time.Duration(3-i) * time.Hour)))}
		w.Revoked = append(w.Revoked, other)
	}
	w.steps(t)
	want := w.Revoked[1].Status.Revoked.DeepCopy()
	want.Origin = "debian-b"
	if diff := cmp.Diff(want, w.Build.Status.Revoked); diff != "" || w.Build.Status.Phase != v1alpha1.BuildSucceeded || conditionRevoked(&w.Build.Status) != "False RevocationScheduled" {
		t.Errorf("it is %s, %s: %s", w.Build.Status.Phase, conditionRevoked(&w.Build.Status), diff)
	}
}

func TestTheConditionRevokedFollowsTheRevocation(t *testing.T) {
	w := given(v1alpha1.BuildRunning).recorded().job().pod(corev1.PodRunning, running())
	w.steps(t)
	w.Build.Status.Revoked = &v1alpha1.Revocation{Reason: "wrong key", EffectiveTime: new(metav1.NewTime(w.Now.Add(time.Minute)))}
	w.steps(t)
	if decision := Next(w.Observed); decision.After != time.Minute || decision.Status.Phase != v1alpha1.BuildRunning {
		t.Errorf("it is %s, again after %s", decision.Status.Phase, decision.After)
	}
	if got := conditionRevoked(&w.Build.Status); got != "False RevocationScheduled" {
		t.Errorf("before its time, the condition is %q", got)
	}
	w.pod(corev1.PodSucceeded, exited(0, goodResult))
	w.steps(t)
	if decision := Next(w.Observed); decision.After != time.Minute || decision.Status.Phase != v1alpha1.BuildSucceeded {
		t.Errorf("it is %s, again after %s", decision.Status.Phase, decision.After)
	}
	w.Now = w.Now.Add(time.Minute)
	w.steps(t)
	if got := conditionRevoked(&w.Build.Status); got != "True Revoked" || w.Build.Status.Phase != v1alpha1.BuildSucceeded {
		t.Errorf("at its time, the condition of the build that is %s is %q", w.Build.Status.Phase, got)
	}
	w.Build.Status.Revoked = nil
	meta.SetStatusCondition(&w.Build.Status.Conditions, metav1.Condition{Type: v1alpha1.BuildRevoked, Status: metav1.ConditionUnknown, Reason: v1alpha1.ReasonRestored, Message: "by anna"})
	w.steps(t)
	condition := meta.FindStatusCondition(w.Build.Status.Conditions, v1alpha1.BuildRevoked)
	if got := conditionRevoked(&w.Build.Status); got != "False Restored" || condition.Message != "by anna" {
		t.Errorf("after it was restored, the condition is %q: %s", got, condition.Message)
	}
}

func TestABuildThatWasRestoredWhileItEndsTellsSo(t *testing.T) {
	w := given(v1alpha1.BuildCancelling).recorded().stopped(t0)
	w.Build.Status.Conditions = []metav1.Condition{{Type: v1alpha1.BuildRevoked, Status: metav1.ConditionUnknown, Reason: v1alpha1.ReasonRestored}}
	w.steps(t)
	want := v1alpha1.ReasonRevoked.Failure("cancelled: revoked, and restored since")
	if diff := cmp.Diff(want, w.Build.Status.Failure); diff != "" || w.Build.Status.Phase != v1alpha1.BuildCancelled {
		t.Errorf("it is %s: %s", w.Build.Status.Phase, diff)
	}
}

func TestATestOfARevokedBuildIsCancelled(t *testing.T) {
	w := given(v1alpha1.BuildPending)
	w.Unresolved = v1alpha1.ReasonRevoked.Failure("build debian-1 is revoked")
	if decision := Next(w.Observed); decision.Status.Phase != v1alpha1.BuildCancelled || decision.Status.Failure != w.Unresolved {
		t.Errorf("it is %s: %+v", decision.Status.Phase, decision.Status.Failure)
	}
}
