// SPDX-License-Identifier: Apache-2.0

package trigger

import (
	"slices"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// nextStatus returns the status of an Image with the fields about its builds and inputs. It keeps the results of deleted builds. It
// does not set the schedule and the conditions.
func nextStatus(o Observed) v1alpha1.ImageStatus {
	status := *o.Image.Status.DeepCopy()
	if status.ObservedGeneration != o.Image.Generation {
		status.ConsecutiveFailures = 0
	}
	status.ObservedGeneration = o.Image.Generation
	status.InputsDigest = ""
	if o.Resolved != nil {
		status.InputsDigest = o.Resolved.InputsDigest
	}
	status.ActiveBuilds, status.QueuedBuilds = 0, 0
	if o.latestIsOneOff() {
		status.LatestSuccessful = nil // an older version counted it: the builds that count are counted below
	}
	for i := range o.Builds {
		count(&status, &o.Builds[i])
	}
	countFailures(o, &status)
	return status
}

// latestIsOneOff reports whether the stored latest success is a build that does not count. It stays if it is a rerun of an
// older version, which did not record whether a rerun was of the Image's own inputs.
func (o Observed) latestIsOneOff() bool {
	latest := o.Image.Status.LatestSuccessful
	return latest != nil && slices.ContainsFunc(o.Builds, func(build v1alpha1.ImageBuild) bool {
		return number(&build) == latest.Number && !build.Counts() && (build.Spec.OneOff != nil || len(build.Spec.Trigger.Parameters) > 0)
	})
}

// count adds one build to the status. The builds are passed in the order of their numbers.
func count(status *v1alpha1.ImageStatus, build *v1alpha1.ImageBuild) {
	n := number(build)
	switch {
	case build.Status.Phase.Active():
		status.ActiveBuilds++
	case !build.Status.Phase.Finished():
		status.QueuedBuilds++
	}
	for i := range status.RecentRequests {
		if status.RecentRequests[i].Number == n {
			status.RecentRequests[i].UID = build.UID
		}
	}
	if status.LatestBuild == nil || n >= status.LatestBuild.Number {
		status.LatestBuild = &v1alpha1.LatestBuild{Name: build.Name, Number: n, Phase: build.Status.Phase}
	}
	known := build.Status.Resolved != nil || build.Status.Finished
	if attempted := status.LastAttempted; known && build.Counts() && (attempted == nil || n > attempted.Number) {
		status.LastAttempted = &v1alpha1.AttemptedBuild{Number: n}
		if resolved := build.Status.Resolved; resolved != nil {
			status.LastAttempted.InputsDigest, status.LastAttempted.BaseDigest = resolved.InputsDigest, resolved.BaseDigest
		}
	}
	if latest := status.LatestSuccessful; build.Status.Phase == v1alpha1.BuildSucceeded && build.Counts() && (latest == nil || n > latest.Number) {
		status.LatestSuccessful = &v1alpha1.SuccessfulBuild{
			Name: build.Name, Number: n,
			CompletionTime: *build.Status.CompletionTime, Artifacts: build.Status.Artifacts,
		}
		if resolved := build.Status.Resolved; resolved != nil {
			status.LatestSuccessful.InputsDigest = resolved.InputsDigest
		}
	}
}

// countFailures counts finished builds, each once and in the order of their numbers. It stops at the first unfinished build,
// because later builds may end earlier. It skips one-off builds. A failure counts only if the build has the current spec.
func countFailures(o Observed, status *v1alpha1.ImageStatus) {
	for i := range o.Builds {
		build := &o.Builds[i]
		switch n := number(build); {
		case n <= status.CountedBuild:
			continue
		case !build.Status.Finished && build.Counts():
			return
		case !build.Status.Finished:
			continue
		default:
			status.CountedBuild = n
		}
		older := build.Spec.ImageGeneration != nil && *build.Spec.ImageGeneration < o.Image.Generation
		switch phase := build.Status.Phase; {
		case !build.Counts():
		case phase == v1alpha1.BuildSucceeded:
			status.ConsecutiveFailures = 0
		case phase == v1alpha1.BuildFailed && !older:
			status.ConsecutiveFailures++
		}
	}
}
