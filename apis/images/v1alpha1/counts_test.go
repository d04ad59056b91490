// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"testing"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

func TestABuildCountsUnlessItIsOneOffOrCancelled(t *testing.T) {
	rerun := &v1alpha1.BuildTrigger{Reason: v1alpha1.TriggerRerun, RerunOf: "debian-3"}
	override := &v1alpha1.BuildTrigger{Reason: v1alpha1.TriggerManual, Parameters: []v1alpha1.Parameter{{Name: "a"}}}
	for name, test := range map[string]struct {
		trigger *v1alpha1.BuildTrigger
		oneOff  *bool
		want    bool
	}{
		"by a change":                       {&v1alpha1.BuildTrigger{Reason: v1alpha1.TriggerSpecChange}, nil, true},
		"created directly":                  {nil, nil, true},
		"a rerun of other inputs":           {rerun, new(true), false},
		"a rerun of the Image's own inputs": {rerun, new(false), true},
		"parameters that change nothing":    {override, new(false), true},
	} {
		build := &v1alpha1.ImageBuild{Spec: v1alpha1.ImageBuildSpec{Trigger: test.trigger, OneOff: test.oneOff}}
		if got := build.IsOneOff(); got == test.want {
			t.Errorf("%s: one-off %v, want %v", name, got, !test.want)
		}
		for _, phase := range []v1alpha1.BuildPhase{
			v1alpha1.BuildPending, v1alpha1.BuildQueued, v1alpha1.BuildStarting, v1alpha1.BuildRunning, v1alpha1.BuildRetrying, v1alpha1.BuildCancelling,
			v1alpha1.BuildSucceeded, v1alpha1.BuildFailed, v1alpha1.BuildCancelled,
		} {
			build.Status.Phase = phase
			if got, want := build.Counts(), test.want && phase != v1alpha1.BuildCancelled; got != want {
				t.Errorf("%s, in phase %s: counts %v, want %v", name, phase, got, want)
			}
		}
	}
}
