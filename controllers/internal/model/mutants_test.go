// SPDX-License-Identifier: Apache-2.0

package model_test

import (
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/state"
)

// mutant is a mistake that the controllers of the model can be made to make: the invariants have to find it.
type mutant uint8

const (
	sound            mutant = iota
	actsFirst               // creates the Job before the intent is stored
	adoptsNothing           // takes its own Job that an earlier process created for a stranger's
	adoptsStrangers         // takes any Job of the right name for its own
	believesOwners          // takes any Job that names the build as its owner for its own
	trustsAnyPod            // ignores the UID of a pod
	actsOnOldNews           // does not read the build again before it creates a Job
	asksAnew                // names each request for a build anew
	asksBlindly             // does not check whether there is a build that the cache does not have
	asksUnconfirmed         // does not check whether the Image has changed since the decision
	reservesNothing         // forgets which builds it has admitted and not seen started
	opensEarly              // admits builds before the cache has caught up
	forgetsUnsure           // treats a write without an answer as a failed write
	skipsOutcome            // starts the next attempt without storing the outcome of the previous attempt
	retriesForever          // knows no limit of retries
	dropsErrors             // does not retry after errors
	supersedesAll           // cancels superseded builds even if they have started
	prunesAll               // deletes all finished builds
	decidesUnseen           // ends attempts and deletes Jobs by its caches alone
	countsAll               // counts one-off builds like any other
	countsCancelled         // counts cancelled builds like failed ones
	leavesDeleted           // ignores a deleted build that a finalizer keeps
	leavesOrphans           // ignores a pod that its Job has left behind
	trustsKubelets          // waits for the end of a container for any time
	trustsKueue             // waits for any time until Kueue admits another attempt
	prunesHeld              // ignores legal holds
	outlivesRestores        // keeps its state from before a restore
	comparesClocks          // decides by the times of a node and of the API server whether a pod ended because it was deleted
	looksOnce               // treats a Job that is created while its pods are listed as deleted
	acceptsAnyID            // a server that accepts reserved request IDs of builds that are not due
	trustsEvents            // fails an attempt for what an event says
	mutants
)

var mutantNames = [...]string{
	"sound", "acts first", "adopts nothing", "adopts strangers", "believes owners", "trusts any pod", "acts on old news", "asks anew", "asks blindly", "asks unconfirmed",
	"reserves nothing", "opens early", "forgets unsure", "skips outcome", "retries forever", "drops errors", "supersedes all", "prunes all", "decides unseen", "counts all", "counts cancelled",
	"leaves deleted", "leaves orphans", "trusts kubelets", "trusts Kueue", "prunes held", "outlives restores", "compares clocks", "looks once", "accepts any ID", "trusts events",
}

// mutate returns the build that a mutant stores instead.
func (p *process) mutate(build *v1alpha1.ImageBuild, status v1alpha1.ImageBuildStatus) v1alpha1.ImageBuildStatus {
	wrong := *build
	switch {
	case p.mutant == skipsOutcome && status.Phase == v1alpha1.BuildRetrying:
		wrong.Status = status
		later := state.Next(state.Observed{Build: &wrong, Now: p.now.AddDate(1, 0, 0)})
		if len(later.Status.Attempts) > len(status.Attempts) {
			return later.Status
		}
	case p.mutant == retriesForever && status.Phase == v1alpha1.BuildFailed && len(status.Attempts) > 0 &&
		lastAttempt(build).Outcome == "" && len(status.Attempts) < 12:
		status.Phase, status.Failure, status.CompletionTime = v1alpha1.BuildRetrying, nil, nil
	}
	return status
}

// byTimes treats a container as ended before the deletion of its pod if the times of two machines suggest that.
func byTimes(pod *corev1.Pod) *corev1.Pod {
	if pod == nil || pod.DeletionTimestamp == nil || stateOf(pod).Terminated == nil {
		return pod
	}
	changed := *pod
	grace := time.Duration(*pod.DeletionGracePeriodSeconds) * time.Second
	if stateOf(pod).Terminated.FinishedAt.Time.Before(pod.DeletionTimestamp.Add(-grace)) {
		changed.Status.ObservedGeneration = pod.Generation - 1
	}
	return &changed
}

// anyPod returns a pod of any attempt of the build, changed to match the given attempt.
func (p *process) anyPod(build *v1alpha1.ImageBuild, attempt *v1alpha1.BuildAttempt, job *batchv1.Job) *corev1.Pod {
	for _, pod := range p.podCache.all {
		if pod.Labels[v1alpha1.LabelBuild] != build.Name || job == nil {
			continue
		}
		taken := *pod
		if attempt.PodUID != "" {
			taken.Name, taken.UID = attempt.PodName, attempt.PodUID
		}
		return &taken
	}
	return nil
}
