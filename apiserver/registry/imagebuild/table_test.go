// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	testingclock "k8s.io/utils/clock/testing"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/table/tabletest"
)

func TestTable(t *testing.T) {
	now := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	at := func(ago time.Duration) *metav1.Time { return &metav1.Time{Time: now.Add(-ago)} }
	build := func(name string, status v1alpha1.ImageBuildStatus) v1alpha1.ImageBuild {
		return v1alpha1.ImageBuild{
			ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: *at(10 * time.Minute)},
			Spec: v1alpha1.ImageBuildSpec{
				ImageRef: &v1alpha1.ImageReference{Name: "debian"},
				Trigger:  &v1alpha1.BuildTrigger{Reason: v1alpha1.TriggerSpecChange, RequestedBy: "controller"},
			},
			Status: status,
		}
	}
	waiting := func(kind, reason string) []metav1.Condition {
		return []metav1.Condition{{Type: kind, Status: metav1.ConditionFalse, Reason: reason}}
	}
	rerun := build("debian-8", v1alpha1.ImageBuildStatus{Phase: v1alpha1.BuildPending})
	rerun.Spec.OneOff = new(true)
	rerun.Spec.Trigger = &v1alpha1.BuildTrigger{Reason: v1alpha1.TriggerRerun, RerunOf: "debian-1"}
	counted := build("debian-9", rerun.Status)
	counted.Spec.Trigger, counted.Spec.OneOff = rerun.Spec.Trigger, new(false)
	direct := build("once", v1alpha1.ImageBuildStatus{Phase: v1alpha1.BuildPending})
	direct.Spec.ImageRef, direct.Spec.Trigger = nil, &v1alpha1.BuildTrigger{Reason: v1alpha1.TriggerManual}

	tabletest.Golden(t, newTable(testingclock.NewFakePassiveClock(now)), &v1alpha1.ImageBuildList{Items: []v1alpha1.ImageBuild{
		direct, rerun, counted,
		build("debian-1", v1alpha1.ImageBuildStatus{
			Phase: v1alpha1.BuildSucceeded, StartTime: at(9 * time.Minute), CompletionTime: at(8 * time.Minute), CurrentAttempt: 1,
			Attempts:   []v1alpha1.BuildAttempt{{Number: 1, NodeName: "node-1"}},
			Artifacts:  []v1alpha1.Artifact{{Digest: "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"}},
			Conditions: waiting(v1alpha1.BuildPodReady, "Stale"),
		}),
		build("debian-2", v1alpha1.ImageBuildStatus{
			Phase: v1alpha1.BuildFailed, StartTime: at(9 * time.Minute), CompletionTime: at(7 * time.Minute), CurrentAttempt: 3,
			RequeuedDuration: &metav1.Duration{Duration: 90 * time.Second},
			Attempts:         []v1alpha1.BuildAttempt{{Number: 1, NodeName: "node-1"}, {Number: 2}, {Number: 3, NodeName: "node-2"}},
			Failure:          &v1alpha1.BuildFailure{Class: v1alpha1.FailureUser, Reason: v1alpha1.ReasonOOMKilled},
		}),
		build("debian-3", v1alpha1.ImageBuildStatus{
			Phase: v1alpha1.BuildStarting, StartTime: at(time.Minute), CurrentAttempt: 1,
			Attempts:   []v1alpha1.BuildAttempt{{Number: 1}},
			Conditions: append(waiting(v1alpha1.BuildPodReady, v1alpha1.ReasonUnschedulable), metav1.Condition{Type: v1alpha1.BuildAdmitted, Status: "True"}),
		}),
		build("debian-4", v1alpha1.ImageBuildStatus{
			Phase: v1alpha1.BuildQueued, Conditions: waiting(v1alpha1.BuildAdmitted, v1alpha1.ReasonWaitingForSlot),
		}),
		build("debian-5", v1alpha1.ImageBuildStatus{Phase: v1alpha1.BuildRunning, Progress: &v1alpha1.BuildProgress{Percent: new(int32(40))}}),
		build("debian-6", v1alpha1.ImageBuildStatus{Phase: v1alpha1.BuildRunning, Progress: &v1alpha1.BuildProgress{Percent: new(int32(0)), Stage: "packages"}}),
		build("debian-10", v1alpha1.ImageBuildStatus{Phase: v1alpha1.BuildRunning, Conditions: []metav1.Condition{
			{Type: v1alpha1.BuildPodReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonWaitingForPublisher},
		}}),
		build("debian-11", v1alpha1.ImageBuildStatus{Phase: v1alpha1.BuildRunning, Conditions: []metav1.Condition{
			{Type: v1alpha1.BuildPodReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonContainerStarted},
		}}),
		build("debian-12", v1alpha1.ImageBuildStatus{
			Phase: v1alpha1.BuildTesting, StartTime: at(time.Minute), CurrentAttempt: 2, Progress: &v1alpha1.BuildProgress{Percent: new(int32(40))},
			Attempts:   []v1alpha1.BuildAttempt{{Number: 1}, {Number: 2, NodeName: "node-1", Tests: []string{"boots"}}},
			Artifacts:  []v1alpha1.Artifact{{Digest: "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"}},
			Tests:      []v1alpha1.TestStatus{{Name: "web", Outcome: v1alpha1.TestFailed}, {Name: "boots"}},
			Conditions: waiting(v1alpha1.BuildPodReady, v1alpha1.ReasonUnschedulable),
		}),
		build("debian-13", v1alpha1.ImageBuildStatus{
			Phase: v1alpha1.BuildFailed, StartTime: at(9 * time.Minute), CompletionTime: at(7 * time.Minute), CurrentAttempt: 2,
			Attempts:  []v1alpha1.BuildAttempt{{Number: 1}, {Number: 2, Tests: []string{"boots"}}},
			Artifacts: []v1alpha1.Artifact{{Digest: "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"}},
			Failure:   &v1alpha1.BuildFailure{Class: v1alpha1.FailureTest, Reason: v1alpha1.ReasonTestsFailed},
		}),
		build("debian-7", v1alpha1.ImageBuildStatus{Phase: v1alpha1.BuildRunning, Progress: &v1alpha1.BuildProgress{Stage: "packages"}}),
	}})
}
