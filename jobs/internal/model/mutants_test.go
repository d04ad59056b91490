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
	adoptsNothing           // takes a Job of its own, which an earlier process made, for an error
	adoptsStrangers         // takes any Job of the right name for its own
	trustsAnyPod            // does not look at the UID of a pod
	actsOnOldNews           // does not read the build again before it creates a Job
	asksAnew                // names each request for a build anew
	asksBlindly             // does not look whether there is a build that the cache does not have
	asksUnconfirmed         // does not look whether the Image still is what was decided on
	reservesNothing         // forgets which builds it has admitted and not seen started
	opensEarly              // admits builds before the cache has caught up
	forgetsUnsure           // takes a write without an answer for one that was not made
	skipsOutcome            // starts the next attempt without storing the outcome of the one before
	retriesForever          // knows no limit of retries
	dropsErrors             // does not come back to what went wrong
	supersedesAll           // cancels superseded builds even if they have started
	prunesAll               // deletes all that has finished
	decidesUnseen           // ends attempts and deletes Jobs for what its caches have
	countsAll               // counts one-off builds like any other
	leavesDeleted           // ignores a deleted build that a finalizer keeps
	leavesOrphans           // ignores a pod that its Job has left behind
	trustsKubelets          // waits for the end of a container for any time
	trustsKueue             // waits for any time until Kueue admits another attempt
	prunesHeld              // ignores legal holds
	outlivesRestores        // goes on after a restore with what it has seen before
	comparesClocks          // decides by the times of a node and of the API server whether a pod ended because it was deleted
	looksOnce               // takes a Job for gone that is made while its pods are asked for
	mutants
)

var mutantNames = [...]string{
	"sound", "acts first", "adopts nothing", "adopts strangers", "trusts any pod", "acts on old news", "asks anew", "asks blindly", "asks unconfirmed",
	"reserves nothing", "opens early", "forgets unsure", "skips outcome", "retries forever", "drops errors", "supersedes all", "prunes all", "decides unseen", "counts all",
	"leaves deleted", "leaves orphans", "trusts kubelets", "trusts Kueue", "prunes held", "outlives restores", "compares clocks", "looks once",
}

// mutate is what a mutant stores instead.
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

// byTimes is a pod whose container ended before it was deleted, if the times of two machines say so.
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

// anyPod is a pod of the build, whichever attempt it is of, made to look like the one that is wanted.
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
