// SPDX-License-Identifier: Apache-2.0

package trigger

import (
	"slices"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/inputs"
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
	for i := range o.Builds {
		o.count(&status, &o.Builds[i])
	}
	o.recordRevocations(&status)
	o.recordMissing(&status)
	o.recordPackages(&status)
	o.recordFixes(&status)
	o.recordVulnerabilities(&status)
	status.LatestBuild = latestBuild(o.Builds, status.LastFinished)
	countFailures(o, &status)
	return status
}

// count adds one build to the status. The builds are passed in the order of their numbers.
func (o Observed) count(status *v1alpha1.ImageStatus, build *v1alpha1.ImageBuild) {
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
	// A build that waited for a check of the source in vain leaves the last attempt as it was: what an earlier check found need not be built again.
	waited := build.Status.Failure != nil && slices.Contains(checkFailures, build.Status.Failure.Reason) && inputs.AskedForCheck(build)
	known := build.Status.Resolved != nil || build.Status.Finished && !waited
	if attempted := status.LastAttempted; known && !build.IsOneOff() && (attempted == nil || n > attempted.Number || n == attempted.Number && failedWithoutInputs(build)) {
		status.LastAttempted = o.attempt(build)
	}
	if last := status.LastFinished; build.Status.Finished && build.Counts() && (last == nil || n >= last.Number) {
		status.LastFinished = finishedBuild(build)
	}
	if latest := status.LatestSuccessful; build.Status.Phase == v1alpha1.BuildSucceeded && build.Counts() && (latest == nil || n > latest.Number) {
		status.LatestSuccessful = &v1alpha1.SuccessfulBuild{
			Name: build.Name, Number: n,
			CompletionTime: *build.Status.CompletionTime, Artifacts: build.Status.Artifacts, TestsDigest: inputs.TestsDigest(build.Spec.Tests),
		}
		if resolved := build.Status.Resolved; resolved != nil {
			status.LatestSuccessful.InputsDigest = resolved.InputsDigest
		}
	}
}

// attempt is what the status of an Image stores about an attempted build.
func (o Observed) attempt(build *v1alpha1.ImageBuild) *v1alpha1.AttemptedBuild {
	attempt := &v1alpha1.AttemptedBuild{Number: number(build), TestsDigest: inputs.TestsDigest(build.Spec.Tests)}
	if resolved := o.attemptedInputs(build); resolved != nil {
		attempt.InputsDigest, attempt.BaseDigest, attempt.SourceRevision = resolved.InputsDigest, resolved.BaseDigest, inputs.Revision(resolved.Source)
	}
	return attempt
}

// checkFailures are the reasons for which a build that waits for a check of its source fails.
var checkFailures = []v1alpha1.FailureReason{
	v1alpha1.ReasonSourceNotFound, v1alpha1.ReasonSourceDenied, v1alpha1.ReasonSourceInvalid, v1alpha1.ReasonSourceTooLarge, v1alpha1.ReasonSourceUnavailable,
	v1alpha1.ReasonSourceUnresolved, v1alpha1.ReasonQueueTimeout,
}

// failedWithoutInputs reports whether a build failed before its inputs could be built: they did not resolve, the server no longer had
// their builder, or their base was revoked. The Image's own inputs fail to resolve for the same reasons, so no build is due until they resolve again. Reasons that
// can also end an attempt of resolved inputs, such as BaseNotFound, do not count then: the next build would fail again at once.
func failedWithoutInputs(build *v1alpha1.ImageBuild) bool {
	if build.Status.Phase != v1alpha1.BuildFailed {
		return false
	}
	failure := build.Status.Failure
	return build.Status.Resolved == nil || failure != nil && slices.Contains([]v1alpha1.FailureReason{
		v1alpha1.ReasonBuilderNotFound, v1alpha1.ReasonBuilderNotAllowed, v1alpha1.ReasonBaseRevoked,
	}, failure.Reason)
}

// attemptedInputs are the resolved inputs of a build. They are nil for a build that attempted nothing. If the build was cancelled in the queue, they are those that it would have resolved
// to: whoever cancels a build does not want the next one of the same inputs. They are nil if they are unknown.
func (o Observed) attemptedInputs(build *v1alpha1.ImageBuild) *v1alpha1.ResolvedInputs {
	switch {
	case failedWithoutInputs(build):
		return nil
	case build.Status.Resolved != nil:
		return build.Status.Resolved
	case build.Status.Phase == v1alpha1.BuildCancelled && o.Resolved != nil && !inputs.OneOff(&build.Spec, o.Image.Spec.BuildInputs, o.Resolved):
		return o.Resolved
	}
	return nil
}

func finishedBuild(build *v1alpha1.ImageBuild) *v1alpha1.FinishedBuild {
	finished := &v1alpha1.FinishedBuild{Name: build.Name, Number: number(build), Phase: build.Status.Phase}
	if failure := build.Status.Failure; failure != nil {
		finished.Reason = failure.Reason
	}
	if resolved := build.Status.Resolved; resolved != nil {
		finished.InputsDigest = resolved.InputsDigest
	}
	return finished
}

// latestBuild returns the newest existing build that counts, or the last finished build if that is newer and was deleted. The end of a
// build that was stored also holds while an outdated cache has the build as unfinished.
func latestBuild(builds []v1alpha1.ImageBuild, last *v1alpha1.FinishedBuild) *v1alpha1.LatestBuild {
	latest := newest(builds, (*v1alpha1.ImageBuild).Counts)
	switch {
	case latest != nil && (last == nil || number(latest) > last.Number):
		return &v1alpha1.LatestBuild{Name: latest.Name, Number: number(latest), Phase: latest.Status.Phase}
	case last != nil:
		exists := latest != nil && number(latest) == last.Number
		return &v1alpha1.LatestBuild{Name: last.Name, Number: last.Number, Phase: last.Phase, Deleted: !exists}
	}
	return nil
}

// LatestSuccessful returns the newest of an Image's builds that succeeded and counts, or nil. The builds are in the order of their numbers.
func LatestSuccessful(builds []v1alpha1.ImageBuild) *v1alpha1.ImageBuild {
	return newest(builds, func(build *v1alpha1.ImageBuild) bool {
		return build.Status.Phase == v1alpha1.BuildSucceeded && build.Counts()
	})
}

func newest(builds []v1alpha1.ImageBuild, is func(*v1alpha1.ImageBuild) bool) *v1alpha1.ImageBuild {
	for i := range slices.Backward(builds) {
		if is(&builds[i]) {
			return &builds[i]
		}
	}
	return nil
}

// buildNamed returns the build of a name, or nil if it was deleted.
func (o Observed) buildNamed(name string) *v1alpha1.ImageBuild {
	return newest(o.Builds, func(build *v1alpha1.ImageBuild) bool { return build.Name == name })
}

// countFailures counts finished builds, each once and in the order of their numbers. It stops at the first unfinished build,
// because later builds may end earlier. It skips builds that do not count. A failure counts only if the build has the current spec.
func countFailures(o Observed, status *v1alpha1.ImageStatus) {
	for i := range o.Builds {
		build := &o.Builds[i]
		switch n := number(build); {
		case n <= status.CountedBuild:
			continue
		case !build.Status.Finished && !build.IsOneOff():
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
