// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/inputs"
	"goldsmith.dev/goldsmith/jobs/state"
)

// Key names a build.
type Key = types.NamespacedName

// State is the state of a build in the queue.
type State uint8

const (
	// Waiting is a build that may be admitted.
	Waiting State = iota
	// Resting is a build that waits and is skipped for now. Later builds of its Image still wait for it.
	Resting
	// Active is a build that was admitted and has not finished.
	Active
)

// Build is a build in the queue.
type Build struct {
	Key
	// Image is the UID of its Image; empty for a build created directly, and for a build that only reproduces artifacts.
	Image types.UID
	// Number among the builds of the Image.
	Number int64
	// Since is when it was created.
	Since time.Time
	// Priority among the builds of its namespace that wait.
	Priority int32
	// Automatic is whether nobody asked for the build: a schedule, a changed base or source, or new packages started it.
	Automatic bool
	// State of the build.
	State State
	// Testing is whether its artifacts are made, so that it only runs tests.
	Testing bool
	// Serial is true if it waits for the other builds of its Image.
	Serial bool
	// External is true as long as Kueue decides when the build's Job starts. Such a build counts in no limit.
	External bool
}

// FromBuild returns a stored build for the queue. It returns false for a build that does not belong in the queue: it has finished, or it
// was cancelled or deleted before it started.
func FromBuild(build *v1alpha1.ImageBuild) (Build, bool) {
	view := Build{
		Key:   Key{Namespace: build.Namespace, Name: build.Name},
		Since: build.CreationTimestamp.Time,
		State: Waiting,
	}
	switch {
	case build.Status.Phase.Finished():
		return Build{}, false
	case !state.Waits(build):
		view.State, view.Testing = Active, len(inputs.ArtifactsOf(build)) > 0 // also once its tests are cancelled
	case build.Spec.CancelRequested != nil || build.DeletionTimestamp != nil:
		return Build{}, false
	}
	view.Priority = ptr.Deref(build.Spec.Priority, 0)
	view.External = external(build)
	view.Automatic = automatic(build)
	if ref := build.Spec.ImageRef; ref != nil && build.Spec.Reproduces == nil { // or no other build of the Image waits for it
		view.Image = ref.UID
		view.Serial = build.Spec.RunPolicy != v1alpha1.RunPolicyParallel
		view.Number = ptr.Deref(build.Spec.Number, 0)
	}
	return view, true
}

// automatic reports whether nobody asked for a build, neither directly nor by a changed Image.
func automatic(build *v1alpha1.ImageBuild) bool {
	if build.Spec.Trigger == nil {
		return false
	}
	switch build.Spec.Trigger.Reason {
	case v1alpha1.TriggerSchedule, v1alpha1.TriggerBaseChange, v1alpha1.TriggerSourceChange, v1alpha1.TriggerPackageChange:
		return true
	}
	return false
}

// external reports whether Kueue decides when the build starts. A build whose Job was resumed, by Kueue or a user, counts like any
// other build.
func external(build *v1alpha1.ImageBuild) bool {
	template, status := build.Spec.Inputs.Template, &build.Status
	if template == nil || template.QueueName == "" {
		return false
	}
	last := len(status.Attempts) - 1
	starts := status.Phase == v1alpha1.BuildStarting || status.Phase == v1alpha1.BuildTesting
	notSeen := starts && last >= 0 && status.Attempts[last].Outcome == "" && status.Attempts[last].JobUID == "" // its Job is created suspended
	return state.Waits(build) || state.Held(status) || notSeen
}
