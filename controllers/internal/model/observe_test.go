// SPDX-License-Identifier: Apache-2.0

package model_test

import (
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/render"
	"goldsmith.dev/goldsmith/jobs/state"
)

func (p *process) observe(build *v1alpha1.ImageBuild, seen *observation) (observed state.Observed, stale *v1alpha1.ImageBuild, err error) {
	observed = state.Observed{Build: build, Rejected: seen.rejected, Now: p.now}
	notAllowed := p.memo.lookup(build.Spec.Inputs.Builder, p.builderGone)
	if state.Waits(build) {
		switch {
		case build.Status.Resolved != nil || notAllowed != nil:
			observed.Unresolved = notAllowed
		case build.Spec.Pinned != nil:
			observed.Resolved = p.memo.pinned(build)
		default:
			p.request()
			now := p.resolve(&build.Spec.Inputs, p.images.get)
			observed.Resolved, observed.Unresolved = now.resolved, now.unresolved
		}
		observed.Admission = p.admission(build)
		return observed, nil, nil
	}
	if !build.Status.Phase.Finished() {
		observed.Unresolved = notAllowed
	}
	attempt := lastAttempt(build)
	if attempt == nil {
		return observed, nil, nil
	}
	if p.mutant == actsOnOldNews {
		seen.fresh = true
	}
	if seen.live && !seen.fresh {
		p.request()
		live, ok := p.builds.get(build.Name)
		if !ok {
			return observed, nil, errNotFound
		}
		seen.fresh = true
		if live.ResourceVersion != build.ResourceVersion {
			return observed, live, nil
		}
	}
	observed.Job = p.job(build, attempt, seen)
	pods := p.attemptPods(attempt, seen)
	if seen.live && observed.Job == nil && len(pods) > 0 && p.mutant != looksOnce {
		observed.Job = p.job(build, attempt, seen)
	}
	owner, foreign := attempt.JobUID, types.UID("")
	if job := observed.Job; job != nil && job.UID != attempt.JobUID {
		observed.Origin = p.origin(build, attempt, job, seen)
		observed.Uncompared = seen.uncompared
		if owner == "" {
			owner = job.UID
		}
		if observed.Origin == state.Foreign {
			foreign = job.UID
		}
	}
	observed.Pod, observed.Living = state.FindPod(attempt, owner, pods), state.FindLiving(pods, foreign)
	switch p.mutant {
	case trustsAnyPod:
		observed.Pod = p.anyPod(build, attempt, observed.Job)
	case leavesOrphans:
		observed.Living = nil
	case comparesClocks:
		observed.Pod = byTimes(observed.Pod)
	case trustsKueue:
		if observed.Job != nil && suspended(observed.Job) && attempt.Number > 1 {
			observed.Now = attempt.StartTime.Time
		}
	case trustsKubelets:
		if observed.Pod != nil && stateOf(observed.Pod).Running != nil {
			observed.Now = attempt.StartTime.Time // no time ever passes
		}
	}
	if observed.NeedsRefusal() {
		p.observeRefusal(&observed, seen)
	}
	return observed, nil, nil
}

// origin finds out whose a Job is that has the name of the attempt's Job.
func (p *process) origin(build *v1alpha1.ImageBuild, attempt *v1alpha1.BuildAttempt, job *batchv1.Job, seen *observation) state.Origin {
	if p.created[build.Name] == job.UID || p.mutant == adoptsStrangers {
		return state.Rendered
	}
	if uid, number, ok := render.Attempt(job); !ok || p.mutant == adoptsNothing || uid != build.UID || number != attempt.Number {
		return state.Foreign
	}
	if p.mutant == believesOwners {
		return state.Rendered
	}
	if seen.comparedTo == job.UID {
		return seen.origin
	}
	seen.comparedTo, seen.origin, seen.uncompared = "", state.Unknown, ""
	if p.memo.lookup(build.Spec.Inputs.Builder, p.builderGone) != nil {
		return state.Unknown
	}
	rendered, err := p.memo.job(build, attempt.Number)
	if p.rejecting {
		p.truth.uncompared[job.Name], err = true, errRejected
	}
	p.request()
	if err != nil {
		seen.comparedTo, seen.uncompared = job.UID, err.Error()
		return state.Unknown
	}
	seen.comparedTo, seen.origin = job.UID, state.Foreign
	if render.SameJob(job, rendered) {
		seen.origin = state.Rendered
		p.created[build.Name] = job.UID
	}
	return seen.origin
}

func (p *process) observeRefusal(observed *state.Observed, seen *observation) {
	uid := observed.Job.UID
	if seen.lookedAt != uid {
		p.request()
		refused := p.refusals[uid]
		for _, pod := range p.pods.all {
			if ownerOf(pod) == uid {
				refused = ""
			}
		}
		seen.lookedAt, seen.refused, seen.forbidden = uid, refused, ""
		if state.IsFinal(refused) {
			p.request()
			if p.forbids[uid] || p.mutant == trustsEvents {
				seen.forbidden = forbidden
			} else {
				p.cover.point("a forged event says that a pod is forbidden")
			}
		}
	}
	observed.Refused, observed.Forbidden = seen.refused, seen.forbidden
}

func (p *process) job(build *v1alpha1.ImageBuild, attempt *v1alpha1.BuildAttempt, seen *observation) *batchv1.Job {
	if seen.live {
		p.request()
		job, _ := p.jobs.get(attempt.JobName)
		if job != nil && p.mutant == adoptsStrangers {
			job = adopt(build, job)
		}
		return job
	}
	if seen.job != nil && seen.job.Name == attempt.JobName {
		return seen.job
	}
	// The cache keeps Jobs with our label only.
	if job, ok := p.jobCache.get(attempt.JobName); ok && job.Labels[v1alpha1.LabelManagedBy] != "" {
		return job
	}
	return nil
}

func (p *process) attemptPods(attempt *v1alpha1.BuildAttempt, seen *observation) (pods []*corev1.Pod) {
	known := p.podCache.all
	if seen.live {
		p.request()
		known = p.pods.all
	}
	for _, pod := range known {
		if pod.Labels[batchv1.JobNameLabel] == attempt.JobName { // here that stands for all of state.PodLabels
			pods = append(pods, pod)
		}
	}
	return pods
}
