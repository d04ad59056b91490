// SPDX-License-Identifier: Apache-2.0

package model_test

import (
	"fmt"
	"maps"
	"slices"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/invariants"
	"goldsmith.dev/goldsmith/jobs/inputs"
	"goldsmith.dev/goldsmith/jobs/state"
)

// maxDisruptions is how many disrupted attempts end a build.
const maxDisruptions = 10

// checkStatus holds the rules for a build's status, those of the server and those that only the truth can tell.
func (w *environment) checkStatus(was, is *v1alpha1.ImageBuild) {
	before, after := &was.Status, &is.Status
	w.cover.transition(before.Phase, after.Phase)
	w.hold(invariants.Transition(was, is))
	if before.Phase != after.Phase && !slices.Contains(nextPhases(before.Phase), after.Phase) {
		w.broken("%s went from %s to %s", is.Name, before.Phase, after.Phase)
	}
	switch failure := after.Failure; {
	case failure != nil && (failure.Reason == v1alpha1.ReasonBuilderNotFound || failure.Reason == v1alpha1.ReasonBaseRevoked):
		delete(w.truth.digests, is.UID) // they are built once there is a builder, and the base is restored
	case after.Resolved != nil:
		w.truth.digests[is.UID] = after.Resolved.InputsDigest
	}
	w.checkRequeued(is, before, after)
	w.checkFresh(was, after.Resolved)
	w.checkKept(was, is)
	w.checkAttempts(is, before, after)
	w.checkTests(is, before, after)
	w.checkRevoked(is, before, after)
	retests := (before.Phase == v1alpha1.BuildPending || before.Phase == v1alpha1.BuildQueued) && after.Phase == v1alpha1.BuildTesting
	if retests || len(before.Attempts) == 0 && len(after.Attempts) == 1 && after.Phase == v1alpha1.BuildStarting {
		w.checkAdmission(is)
	}
	if before.Phase == v1alpha1.BuildCancelling && after.Phase == v1alpha1.BuildCancelled {
		w.checkAlone(is, "a pod of the next build")
		if attempt := lastAttempt(is); w.hangs(attempt) {
			w.cover.point("a build is cancelled whose node hangs")
		}
	}
	if after.Phase.Finished() && !before.Phase.Finished() {
		w.checkEnd(is, after)
		w.checkAttested(is)
		if is.Spec.ImageRef != nil {
			w.truth.end(is)
			w.othersMove(is.Spec.ImageRef.Name)
		}
	}
	if w.tracing {
		w.note("%s is %s%s", is.Name, after.Phase, failureOf(after.Failure))
	}
}

// checkRequeued checks that the time for which a build was queued again grows when such a wait ends, and never exceeds the time since
// the start of the build.
func (w *environment) checkRequeued(build *v1alpha1.ImageBuild, before, after *v1alpha1.ImageBuildStatus) {
	var was, is time.Duration
	if before.RequeuedDuration != nil {
		was = before.RequeuedDuration.Duration
	}
	if after.RequeuedDuration != nil {
		is = after.RequeuedDuration.Duration
	}
	switch {
	case is == was:
		return
	case is < was || before.RequeuedSince() == nil:
		w.broken("%s was queued again for %s, and then for %s", build.Name, was, is)
	case is > w.now.Add(w.truth.turnedBack).Sub(after.StartTime.Time):
		w.broken("%s started at %s, and was queued again for %s", build.Name, after.StartTime, is)
	}
	w.cover.point("a build is queued again")
}

func failureOf(failure *v1alpha1.BuildFailure) string {
	if failure == nil {
		return ""
	}
	return fmt.Sprintf(" (%s: %s)", failure.Reason, failure.Message)
}

func (w *environment) checkAttempts(build *v1alpha1.ImageBuild, before, after *v1alpha1.ImageBuildStatus) {
	if len(after.Attempts) > len(before.Attempts)+1 {
		w.broken("%s had %d attempts, and has %d", build.Name, len(before.Attempts), len(after.Attempts))
	}
	for i := range after.Attempts {
		attempt := &after.Attempts[i]
		if i >= len(before.Attempts) {
			w.checkNewAttempt(build, before)
			continue
		}
		if attempt.JobUID != "" && w.truth.jobs[attempt.JobUID] != attempt.JobName {
			w.broken("attempt %d of %s took a Job that is not its own", i+1, build.Name)
		}
		if before.Attempts[i].Outcome == "" && attempt.Outcome != "" && attempt.Failure != nil {
			w.checkFailure(build, attempt)
		}
	}
}

func (w *environment) checkNewAttempt(build *v1alpha1.ImageBuild, before *v1alpha1.ImageBuildStatus) {
	w.checkAlone(build, "a pod of the new attempt")
	next := lastAttempt(build)
	failures, disruptions := 0, 0
	for _, attempt := range before.Attempts {
		shares := func(test string) bool { return slices.Contains(attempt.Tests, test) }
		if len(attempt.Tests) > 0 != (len(next.Tests) > 0) || len(next.Tests) > 0 && !slices.ContainsFunc(next.Tests, shares) {
			continue // it did something else
		}
		switch attempt.Outcome {
		case v1alpha1.AttemptFailed:
			failures++
			if !slices.Contains(build.Spec.Retry.Classes, attempt.Failure.Class) {
				w.broken("%s was tried again after %s", build.Name, attempt.Failure.Reason)
			}
		case v1alpha1.AttemptDisrupted:
			disruptions++
		}
	}
	if failures > int(*build.Spec.Retry.Limit) || disruptions >= maxDisruptions {
		w.broken("%s was tried again after %d failures and %d disruptions", build.Name, failures, disruptions)
	}
	w.cover.attempts[min(len(before.Attempts)+1, len(w.cover.attempts)-1)]++
}

// hold ends the schedule at the first violation.
func (w *environment) hold(violations []string) {
	for _, violation := range violations {
		w.broken("%s", violation)
	}
}

// checkAlone checks that no pod of a build runs beside one that may start from now on.
func (w *environment) checkAlone(build *v1alpha1.ImageBuild, next string) {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: next, Labels: map[string]string{batchv1.ControllerUidLabel: next}}}
	setState(pod, corev1.ContainerState{Running: &corev1.ContainerStateRunning{}})
	w.truth.owners[types.UID(next)] = build.UID
	w.hold(invariants.OneContainerRuns(append(slices.Clone(w.pods.all), pod), w.truth.owners, w.now))
}

// hangs reports whether the kubelet of an attempt's pod does nothing any more.
func (w *environment) hangs(attempt *v1alpha1.BuildAttempt) bool {
	pod := w.truth.pods[attempt.PodUID]
	return pod != nil && pod.node == nodeHangs
}

// checkAdmission checks the limits. It ignores builds that a late write of a crashed process started: no controller can know them.
func (w *environment) checkAdmission(build *v1alpha1.ImageBuild) {
	if w.arrivesLate || w.former != nil {
		w.truth.lateStarts++
		return
	}
	var all, mine, allTest, mineTest int
	for _, other := range w.builds.all {
		if other.Name == build.Name || !active(other) {
			continue
		}
		if other.Spec.ImageRef != nil && build.Spec.ImageRef != nil && other.Spec.ImageRef.UID == build.Spec.ImageRef.UID &&
			build.Spec.RunPolicy != v1alpha1.RunPolicyParallel && other.Spec.RunPolicy != v1alpha1.RunPolicyParallel && w.truth.lateStarts == 0 {
			w.broken("%s was started while %s goes on", build.Name, other.Name)
		}
		if external(other) {
			continue
		}
		tests := 0
		if len(inputs.ArtifactsOf(other)) > 0 {
			tests = 1
		}
		all, allTest = all+1, allTest+tests
		if other.Namespace == build.Namespace {
			mine, mineTest = mine+1, mineTest+tests
		}
	}
	all -= w.truth.lateStarts
	mine -= w.truth.lateStarts
	reached := func(limit, count, tests int) bool { return limit > 0 && count-min(tests, limit) >= limit }
	if !external(build) && (reached(w.limits.Builds, all, allTest) || reached(w.limits.PerNamespace, mine, mineTest)) {
		w.broken("%s was started while %d builds go on, %d of them in its namespace, %d and %d of which run tests: the limits are %+v",
			build.Name, all, mine, allTest, mineTest, w.limits)
	}
}

// checkOrder holds that a build is not admitted before one of its Image that is older and known to the queue.
func (p *process) checkOrder(name string) {
	waits := func(b *v1alpha1.ImageBuild) bool {
		return len(b.Status.Attempts) == 0 && !b.Status.Finished && b.Spec.CancelRequested == nil && b.DeletionTimestamp == nil
	}
	build, ok := p.buildCache.get(name)
	if !ok || build.Spec.ImageRef == nil || build.Spec.RunPolicy == v1alpha1.RunPolicyParallel || p.ordered[build.UID] {
		return
	}
	p.ordered[build.UID] = true
	for _, other := range p.buildCache.all {
		if other.Spec.ImageRef == nil || other.Spec.ImageRef.UID != build.Spec.ImageRef.UID || numberOf(other) >= numberOf(build) || other.Spec.Reproduces != nil || !waits(other) || !p.told[other.UID] {
			continue
		}
		if live, ok := p.builds.get(other.Name); ok && live.UID == other.UID && waits(live) {
			p.broken("%s was admitted before %s", build.Name, other.Name)
		}
	}
}

// checkEnd holds what is said at the end of a build against what happened.
func (w *environment) checkEnd(build *v1alpha1.ImageBuild, status *v1alpha1.ImageBuildStatus) {
	w.hold(invariants.End(build, w.truth.endedPod))
	if attempt := maker(build); status.Phase == v1alpha1.BuildSucceeded {
		w.checkTested(build)
		if of := build.Spec.Retests; of != nil {
			if attempt != nil || inputs.ArtifactsDigest(status.Artifacts) != inputs.ArtifactsDigest(of.Artifacts) {
				w.broken("%s tests the artifacts of %s, and has made others", build.Name, of.Name)
			}
		} else if pod := w.truth.pods[attempt.PodUID]; pod == nil || pod.job != attempt.JobUID || w.truth.jobs[pod.job] == "" {
			w.broken("%s succeeded by a pod that is not its attempt's", build.Name)
		} else {
			w.checkPublished(build, status, pod)
		}
		return
	}
	w.cover.failures[status.Failure.Reason]++
	switch reason := status.Failure.Reason; {
	case reason == v1alpha1.ReasonRevoked:
	case reason == v1alpha1.ReasonSuperseded && len(status.Attempts) > 0:
		w.broken("%s was superseded after it had started", build.Name)
	case reason == v1alpha1.ReasonSuperseded && w.hasOtherSource(build):
		w.cover.point("a build is superseded by another source")
	case (reason == v1alpha1.ReasonSuperseded || reason == v1alpha1.ReasonCancelRequested) != ((build.Spec.CancelRequested != nil || build.DeletionTimestamp != nil) && status.Phase == v1alpha1.BuildCancelled):
		w.broken("%s ended with %s", build.Name, reason)
	case reason == v1alpha1.ReasonQueueTimeout:
		w.checkQueueTimeout(build)
	}
}

// checkQueueTimeout checks that no build starves once no faults happen.
func (w *environment) checkQueueTimeout(build *v1alpha1.ImageBuild) {
	since := build.CreationTimestamp.Time
	if build.Status.QueuedTime != nil {
		since = build.Status.QueuedTime.Time
	}
	deadline := since.Add(build.Spec.Timeouts.Queue.Duration)
	if len(build.Status.Attempts) > 1 {
		w.cover.point("Kueue does not admit another attempt")
	}
	switch {
	case w.now.Before(deadline.Add(-longestTurnBack)): // a later attempt waits anew, by a clock that may have been turned back
		w.broken("%s ended with QueueTimeout too early", build.Name)
	case w.peace && (!external(build) || !w.queueGone) && deadline.After(w.truth.endedAt.Add(time.Hour)):
		w.broken("%s starved", build.Name)
	}
}

// checkFailure holds a failed attempt against what happened.
func (w *environment) checkFailure(build *v1alpha1.ImageBuild, attempt *v1alpha1.BuildAttempt) {
	w.cover.attemptFailures[attempt.Failure.Reason]++
	switch attempt.Failure.Reason {
	case v1alpha1.ReasonJobConflict:
		if !w.truth.strangers[attempt.JobName] && !w.truth.uncompared[attempt.JobName] {
			w.broken("attempt %d of %s ended with JobConflict, and its Job and pod are its own: %s", attempt.Number, build.Name, attempt.Failure.Message)
		}
	case v1alpha1.ReasonPodDeleted:
		job, ok := w.jobs.get(attempt.JobName)
		if !ok || w.faults.interjected || w.arrivesLate || w.truth.jobs[job.UID] == "" || job.DeletionTimestamp != nil || jobOver(job) || state.Failing(job) || suspended(job) {
			break
		}
		ready := meta.FindStatusCondition(build.Status.Conditions, v1alpha1.BuildPodReady)
		resumed := slices.ContainsFunc(job.Status.Conditions, func(c batchv1.JobCondition) bool {
			return c.Type == batchv1.JobSuspended && ready != nil && !c.LastTransitionTime.Before(&ready.LastTransitionTime)
		}) // and not before an older cache showed that the container runs
		if pod := w.truth.pods[attempt.PodUID]; pod != nil && pod.suspended && resumed {
			w.broken("attempt %d of %s ended with PodDeleted, and its pod was deleted because its Job was suspended", attempt.Number, build.Name)
		}
	case v1alpha1.ReasonPodForbidden:
		if !w.truth.forbidden[attempt.JobName] {
			w.broken("attempt %d of %s ended with PodForbidden, and its pod was not forbidden", attempt.Number, build.Name)
		}
	case v1alpha1.ReasonRunTimeout:
		pod := w.truth.pods[attempt.PodUID]
		if !pod.overdue && w.now.Before(pod.startedAt.Add(build.Spec.Timeouts.Run.Duration-longestTurnBack)) {
			w.broken("attempt %d of %s ended with RunTimeout too early", attempt.Number, build.Name)
		}
		if w.hangs(attempt) {
			w.cover.point("a build runs too long whose node hangs")
		}
	case v1alpha1.ReasonJobRejected:
		if !w.truth.rejected[attempt.JobName] {
			w.broken("attempt %d of %s ended with JobRejected, and its Job was not rejected", attempt.Number, build.Name)
		}
	case v1alpha1.ReasonNoSigningKey, v1alpha1.ReasonSigningKeyExpired, v1alpha1.ReasonSigningKeyUnusable:
		if pod := w.truth.pods[attempt.PodUID]; pod == nil || pod.unsigned != attempt.Failure.Reason {
			w.broken("attempt %d of %s ended with %s, which its publisher does not say", attempt.Number, build.Name, attempt.Failure.Reason)
		}
	case v1alpha1.ReasonSourceUnavailable, v1alpha1.ReasonSourceDenied, v1alpha1.ReasonSourceInvalid, v1alpha1.ReasonSourceNotFound:
		if pod := w.truth.pods[attempt.PodUID]; pod == nil || pod.unfetched != attempt.Failure.Reason {
			w.broken("attempt %d of %s ended with %s, which its fetcher does not say", attempt.Number, build.Name, attempt.Failure.Reason)
		}
	case v1alpha1.ReasonTestsFailed:
		if pod := w.truth.pods[attempt.PodUID]; pod == nil || !slices.Contains(slices.Collect(maps.Values(pod.tested)), v1alpha1.TestFailed) {
			w.broken("attempt %d of %s ended with TestsFailed, which its pod does not say", attempt.Number, build.Name)
		}
	case v1alpha1.ReasonBuilderFailed, v1alpha1.ReasonBuilderTempFail, v1alpha1.ReasonBuilderMisconfigured, v1alpha1.ReasonNoResult, v1alpha1.ReasonInvalidResult, v1alpha1.ReasonOOMKilled,
		v1alpha1.ReasonArtifactNotStored, v1alpha1.ReasonRegistryDenied, v1alpha1.ReasonRegistryRefused, v1alpha1.ReasonRegistryUnavailable:
		if pod := w.truth.pods[attempt.PodUID]; pod == nil || pod.job != attempt.JobUID || pod.made || pod.killed {
			w.broken("attempt %d of %s ended with %s, which its pod does not say", attempt.Number, build.Name, attempt.Failure.Reason)
		}
	}
}

// nextPhases is the phase table.
func nextPhases(phase v1alpha1.BuildPhase) []v1alpha1.BuildPhase {
	const (
		queued, starting, running, retrying = v1alpha1.BuildQueued, v1alpha1.BuildStarting, v1alpha1.BuildRunning, v1alpha1.BuildRetrying
		cancelling, cancelled               = v1alpha1.BuildCancelling, v1alpha1.BuildCancelled
		succeeded, failed                   = v1alpha1.BuildSucceeded, v1alpha1.BuildFailed
		testing                             = v1alpha1.BuildTesting
	)
	switch phase {
	case v1alpha1.BuildPending:
		return []v1alpha1.BuildPhase{queued, starting, testing, failed, cancelled}
	case queued:
		return []v1alpha1.BuildPhase{starting, testing, failed, cancelled}
	case starting:
		return []v1alpha1.BuildPhase{running, queued, testing, succeeded, failed, retrying, cancelling, cancelled}
	case running:
		return []v1alpha1.BuildPhase{queued, testing, succeeded, failed, retrying, cancelling, cancelled}
	case retrying:
		return []v1alpha1.BuildPhase{starting, failed, cancelled}
	case testing:
		return []v1alpha1.BuildPhase{succeeded, failed, cancelling, cancelled}
	case cancelling:
		return []v1alpha1.BuildPhase{cancelled, succeeded}
	}
	return nil
}

// checkDeletion checks that a controller keeps the Job of a builder that has run and ended, because its pod has the log. The
// pod of a Job that Kueue has suspended is deleted anyway.
func (p *process) checkDeletion(name string) {
	w := p.environment
	job, ok := w.jobs.get(name)
	if !ok {
		return
	}
	build := w.ownerOfJob(job)
	switch {
	case build == nil:
		return
	case p.acting == p.ofOrphans:
		w.broken("the Job of %s is deleted as an orphan", build.Name)
	case suspended(job) || lastAttempt(build) == nil:
		return
	}
	for _, pod := range w.pods.all {
		if pod.UID == lastAttempt(build).PodUID && metav1.IsControlledBy(pod, job) && pod.DeletionTimestamp == nil && hasRun(pod) {
			w.broken("the Job of %s is deleted, whose builder has ended", build.Name)
		}
	}
}

func hasRun(pod *corev1.Pod) bool {
	end := stateOf(pod).Terminated
	return end != nil && (publishing(pod) || end.StartedAt.Unix() > 0) // 1970 is that it was never started
}
