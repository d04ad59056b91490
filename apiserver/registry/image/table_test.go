// SPDX-License-Identifier: Apache-2.0

package image

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
	ago := func(d time.Duration) metav1.Time { return metav1.NewTime(now.Add(-d)) }
	conditions := func(ready, upToDate metav1.ConditionStatus, reasons ...string) []metav1.Condition {
		return []metav1.Condition{
			{Type: v1alpha1.ImageReady, Status: ready, Reason: reasons[0], Message: "build 1 ended with OOMKilled", LastTransitionTime: ago(time.Hour)},
			{Type: v1alpha1.ImageUpToDate, Status: upToDate, LastTransitionTime: ago(2 * time.Hour)},
			{Type: v1alpha1.ImageInputsResolved, Reason: reasons[1]},
			{Type: v1alpha1.ImageStalled, Reason: reasons[2]},
		}
	}
	artifact := v1alpha1.Artifact{Digest: "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"}
	tabletest.Golden(t, newTable(testingclock.NewFakePassiveClock(now)), &v1alpha1.ImageList{Items: []v1alpha1.Image{
		{ObjectMeta: metav1.ObjectMeta{Name: "new", CreationTimestamp: ago(time.Second)}},
		{
			ObjectMeta: metav1.ObjectMeta{Name: "first-build", CreationTimestamp: ago(90 * time.Second)},
			Status: v1alpha1.ImageStatus{
				ActiveBuilds: 1, LatestBuild: &v1alpha1.LatestBuild{Name: "first-build-1", Phase: v1alpha1.BuildRunning}, Conditions: conditions("False", "False", v1alpha1.ReasonBuildActive, v1alpha1.ReasonResolved, v1alpha1.ReasonProgressing),
			},
		},
		{
			ObjectMeta: metav1.ObjectMeta{Name: "failed", CreationTimestamp: ago(time.Minute)},
			Spec:       v1alpha1.ImageSpec{BuildInputs: v1alpha1.BuildInputs{Builder: v1alpha1.BuilderReference{Name: "mock"}, Base: v1alpha1.Base{Reference: "debian:bookworm"}}},
			Status: v1alpha1.ImageStatus{
				LatestBuild: &v1alpha1.LatestBuild{Name: "failed-1", Phase: v1alpha1.BuildFailed, Deleted: true},
				Conditions:  conditions("False", "False", v1alpha1.ReasonBuildFailed, v1alpha1.ReasonResolved, string(v1alpha1.ReasonOOMKilled)),
			},
		},
		{
			ObjectMeta: metav1.ObjectMeta{Name: "cancelled", CreationTimestamp: ago(time.Minute)},
			Spec: v1alpha1.ImageSpec{BuildInputs: v1alpha1.BuildInputs{
				Builder: v1alpha1.BuilderReference{Image: "example.com/builder"}, Base: v1alpha1.Base{ImageRef: &v1alpha1.BaseImageReference{Name: "debian", Channel: "stable"}},
			}},
			Status: v1alpha1.ImageStatus{
				Conditions: conditions("False", "False", v1alpha1.ReasonNeverBuilt, v1alpha1.ReasonResolved, v1alpha1.ReasonBuildCancelled),
			},
		},
		{
			ObjectMeta: metav1.ObjectMeta{Name: "waits-for-base", CreationTimestamp: ago(time.Minute)},
			Spec:       v1alpha1.ImageSpec{BuildInputs: v1alpha1.BuildInputs{Base: v1alpha1.Base{ImageRef: &v1alpha1.BaseImageReference{Name: "missing"}}}},
			Status: v1alpha1.ImageStatus{
				Conditions: conditions("False", "Unknown", v1alpha1.ReasonNeverBuilt, string(v1alpha1.ReasonBaseNotFound), v1alpha1.ReasonProgressing),
			},
		},
		{
			ObjectMeta: metav1.ObjectMeta{Name: "debian", CreationTimestamp: ago(49 * time.Hour)},
			Status: v1alpha1.ImageStatus{
				LatestBuild:      &v1alpha1.LatestBuild{Name: "debian-7", Phase: v1alpha1.BuildSucceeded},
				LatestSuccessful: &v1alpha1.SuccessfulBuild{Name: "debian-7", Artifacts: []v1alpha1.Artifact{artifact, artifact, artifact}},
				Conditions:       conditions("True", "True", v1alpha1.ReasonBuildSucceeded, v1alpha1.ReasonResolved, v1alpha1.ReasonProgressing),
				NextScheduleTime: new(ago(-90 * time.Minute)), Vulnerabilities: &v1alpha1.ImageVulnerabilities{Counts: v1alpha1.VulnerabilityCounts{High: 1, Low: 2, Fixable: 1, Unmatched: 3}},
			},
		},
		{
			ObjectMeta: metav1.ObjectMeta{Name: "again", CreationTimestamp: ago(49 * time.Hour)},
			Spec:       v1alpha1.ImageSpec{Suspend: new(true)},
			Status: v1alpha1.ImageStatus{
				ActiveBuilds: 1, LatestBuild: &v1alpha1.LatestBuild{Name: "again-3", Phase: v1alpha1.BuildRunning},
				LatestSuccessful: &v1alpha1.SuccessfulBuild{Name: "again-1", Artifacts: []v1alpha1.Artifact{artifact}},
				Conditions:       conditions("False", "False", v1alpha1.ReasonBuildFailed, v1alpha1.ReasonResolved, v1alpha1.ReasonProgressing),
			},
		},
		{
			ObjectMeta: metav1.ObjectMeta{Name: "late", CreationTimestamp: ago(time.Hour)},
			Spec:       v1alpha1.ImageSpec{Channels: []v1alpha1.ChannelRule{{Name: "stable"}, {Name: "edge"}}},
			Status: v1alpha1.ImageStatus{Vulnerabilities: &v1alpha1.ImageVulnerabilities{}, NextScheduleTime: new(ago(time.Minute)), Channels: []v1alpha1.ImageChannel{
				{Name: "stable", Build: "late-1", Revoked: &v1alpha1.Revocation{}}, {Name: "old", Build: "late-2", Revoked: &v1alpha1.Revocation{EffectiveTime: new(ago(-time.Minute))}},
			}},
		},
	}})
}
