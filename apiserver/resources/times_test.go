// SPDX-License-Identifier: Apache-2.0

package resources

import (
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestTimesWithoutAFormInJSONAreNamed(t *testing.T) {
	west, east := time.FixedZone("", -3600), time.FixedZone("", 3600)
	first, last := time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
	pod := func(moment time.Time) *corev1.Pod {
		at := metav1.Time{Time: moment}
		return &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{"a": "b"}, ManagedFields: []metav1.ManagedFieldsEntry{{}, {Time: &at}}},
			Status:     corev1.PodStatus{StartTime: &at, Conditions: []corev1.PodCondition{{LastProbeTime: at}}},
		}
	}
	for _, moment := range []time.Time{{}, first, last, first.In(west), last.In(east)} {
		if errs := checkTimes(pod(moment)); len(errs) > 0 {
			t.Errorf("%s: %v", moment, errs)
		}
	}
	for _, moment := range []time.Time{first.Add(-1), last.Add(time.Second).In(west)} {
		var paths []string
		for _, err := range checkTimes(pod(moment)) {
			paths = append(paths, err.Field)
		}
		if want := []string{"metadata.managedFields[1].time", "status.conditions[0].lastProbeTime", "status.startTime"}; !slices.Equal(slices.Sorted(slices.Values(paths)), want) {
			t.Errorf("%s: got %q", moment, paths)
		}
	}
}
