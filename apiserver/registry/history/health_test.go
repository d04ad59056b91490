// SPDX-License-Identifier: Apache-2.0

package history

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

func TestHealth(t *testing.T) {
	for name, c := range map[string]struct {
		stats   v1alpha1.BuildStats
		last    string
		score   int32
		message string
	}{
		"all is well": {
			v1alpha1.BuildStats{Builds: 10, Succeeded: 10}, v1alpha1.ReasonBuildSucceeded, 100, "10 of 10 builds succeeded; the last one succeeded",
		},
		"nothing works": {
			v1alpha1.BuildStats{Builds: 3, Failed: 3}, v1alpha1.ReasonBuildFailed, 0, "0 of 3 builds succeeded; the last one failed",
		},
		"the last one failed": {
			v1alpha1.BuildStats{Builds: 10, Succeeded: 9, Failed: 1}, v1alpha1.ReasonBuildFailed, 63, "9 of 10 builds succeeded; the last one failed",
		},
		"the last one failed, and has succeeded since": {
			v1alpha1.BuildStats{Builds: 10, Succeeded: 9, Failed: 1}, v1alpha1.ReasonBuildSucceeded, 93, "9 of 10 builds succeeded; the last one succeeded",
		},
		"cancelled builds count for nothing": {
			v1alpha1.BuildStats{Builds: 9, Succeeded: 2, Cancelled: 7, Retried: 1}, v1alpha1.ReasonBuildSucceeded, 95,
			"2 of 2 builds succeeded; the last one succeeded; 1 of 2 had more than one attempt",
		},
		"the image is gone": {
			v1alpha1.BuildStats{Builds: 4, Succeeded: 3, Failed: 1}, "", 75, "3 of 4 builds succeeded",
		},
		"every build takes two attempts": {
			v1alpha1.BuildStats{Builds: 5, Succeeded: 5, Retried: 5}, v1alpha1.ReasonBuildSucceeded, 90,
			"5 of 5 builds succeeded; the last one succeeded; 5 of 5 had more than one attempt",
		},
		"almost all is well, which is not all": {
			v1alpha1.BuildStats{Builds: 100_000, Succeeded: 99_999, Failed: 1}, v1alpha1.ReasonBuildSucceeded, 99,
			"99999 of 100000 builds succeeded; the last one succeeded",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var conditions []metav1.Condition
			if c.last != "" {
				conditions = []metav1.Condition{{Type: v1alpha1.ImageReady, Reason: c.last}}
			}
			health := Health(&c.stats, conditions)
			if health == nil || health.Score != c.score || health.Message != c.message {
				t.Errorf("got %+v, want %d: %s", health, c.score, c.message)
			}
		})
	}
}

func TestWithoutBuildsThatSucceedOrFailThereIsNoHealth(t *testing.T) {
	for _, stats := range []v1alpha1.BuildStats{{}, {Builds: 2, Cancelled: 2}} {
		if health := Health(&stats, []metav1.Condition{{Type: v1alpha1.ImageReady, Reason: v1alpha1.ReasonBuildSucceeded}}); health != nil {
			t.Errorf("%+v has health %+v", stats, health)
		}
	}
}
