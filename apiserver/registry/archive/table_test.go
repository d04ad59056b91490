// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	testingclock "k8s.io/utils/clock/testing"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/table/tabletest"
)

func TestTable(t *testing.T) {
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	created, checked, released := metav1.NewTime(now.Add(-72*time.Hour)), metav1.NewTime(now.Add(-7*time.Minute)), metav1.NewTime(now.Add(-2*time.Hour))
	ready := func(status metav1.ConditionStatus, reason, message string) []metav1.Condition {
		return []metav1.Condition{{Type: v1alpha1.ArchiveReady, Status: status, Reason: reason, Message: message}}
	}
	tabletest.Golden(t, newTable(testingclock.NewFakePassiveClock(now)), &v1alpha1.ArchiveList{Items: []v1alpha1.Archive{
		{ObjectMeta: metav1.ObjectMeta{Name: "new", CreationTimestamp: created}, Spec: v1alpha1.ArchiveSpec{Builder: "mock", URI: "http://mirror.example/flat"}},
		{
			ObjectMeta: metav1.ObjectMeta{Name: "debian-security", CreationTimestamp: created},
			Spec:       v1alpha1.ArchiveSpec{Builder: "debian", URI: "http://deb.debian.org/debian-security", Suite: "trixie-security"},
			Status: v1alpha1.ArchiveStatus{
				Images: 50, UpdateCount: 3, LastCheckTime: &checked, Release: &v1alpha1.ArchiveRelease{Date: released},
				Conditions: ready(metav1.ConditionTrue, v1alpha1.ReasonArchiveChecked, ""),
			},
		},
		{
			ObjectMeta: metav1.ObjectMeta{Name: "debian", CreationTimestamp: created},
			Spec:       v1alpha1.ArchiveSpec{Builder: "debian", URI: "http://deb.debian.org/debian", Suite: "trixie"},
			Status: v1alpha1.ArchiveStatus{
				Images: 2, LastCheckTime: &released, Release: &v1alpha1.ArchiveRelease{Date: created},
				Conditions: ready(metav1.ConditionFalse, v1alpha1.ReasonArchiveCheckFailed, "ArchiveOlder: the release file is of 2026-11-20\x1b[2J"),
			},
		},
	}})
}
