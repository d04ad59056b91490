// SPDX-License-Identifier: Apache-2.0

package reconciliation

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/strategicpatch"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
)

// TestAPatchKeepsWhatOthersOwn patches a status that has, since it was read, a condition, fields of an attempt and a stage of others.
func TestAPatchKeepsWhatOthersOwn(t *testing.T) {
	t.Parallel()
	condition := func(kind, reason string) metav1.Condition {
		return metav1.Condition{Type: kind, Status: metav1.ConditionTrue, Reason: reason}
	}
	before := v1alpha1.ImageBuildStatus{
		Phase: v1alpha1.BuildStarting, Failure: &v1alpha1.BuildFailure{}, Conditions: []metav1.Condition{condition("Ours", "Before")},
		Attempts: []v1alpha1.BuildAttempt{{Number: 1, JobName: "web-1-1"}},
	}
	after := *before.DeepCopy()
	after.Phase, after.Failure = v1alpha1.BuildRunning, nil
	after.Conditions[0].Reason = "After"
	after.Attempts[0].PodName = "pod"
	stored := *before.DeepCopy()
	stored.Conditions = append(stored.Conditions, condition("Theirs", "Theirs"))
	stored.Attempts[0].JobUID = "job"
	stored.Stages = []v1alpha1.BuildStage{{Name: "packages"}}

	build := &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Name: "web-1", UID: "u", ResourceVersion: "7"}}
	patch, err := StatusPatch(build, v1alpha1.ImageBuild{}, &before, &after)
	require.NoError(t, err)
	text, err := json.Marshal(map[string]any{"status": stored})
	require.NoError(t, err)
	text, err = strategicpatch.StrategicMergePatch(text, patch, v1alpha1.ImageBuild{})
	require.NoError(t, err)
	got := v1alpha1.ImageBuild{}
	require.NoError(t, json.Unmarshal(text, &got))

	want := v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{UID: "u", ResourceVersion: "7"}, Status: stored}
	want.Status.Phase, want.Status.Failure, want.Status.Conditions[0].Reason, want.Status.Attempts[0].PodName = v1alpha1.BuildRunning, nil, "After", "pod"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s\nby the patch %s", diff, patch)
	}
}
