// SPDX-License-Identifier: Apache-2.0

package model_test

import (
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
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
	observed.Job = p.job(build, attempt, seen)
	if (observed.Job == nil || seen.live) && !seen.fresh {
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
	observed.Pod = p.pod(build, attempt, observed.Job, seen)
	if observed.NeedsRefusal() {
		p.observeRefusal(&observed, seen)
	}
	return observed, nil, nil
}

func (p *process) observeRefusal(observed *state.Observed, seen *observation) {
	uid := observed.Job.UID
	if seen.lookedAt != uid {
		p.request()
		refused := p.refusals[uid]
		for _, pod := range p.pods.all {
			if pod.OwnerReferences[0].UID == uid {
				refused = ""
			}
		}
		seen.lookedAt, seen.refused = uid, refused
	}
	observed.Refused = seen.refused
}

func (p *process) job(build *v1alpha1.ImageBuild, attempt *v1alpha1.BuildAttempt, seen *observation) *batchv1.Job {
	if seen.live {
		p.request()
		job, _ := p.jobs.get(attempt.JobName)
		return job
	}
	if seen.job != nil && seen.job.Name == attempt.JobName {
		return seen.job
	}
	// The cache keeps Jobs with our label only.
	if job, ok := p.jobCache.get(attempt.JobName); ok && job.Labels[v1alpha1.LabelManagedBy] != "" {
		return job
	}
	if build.Status.Phase.Finished() || seen.fresh && attempt.JobUID == "" && build.Status.Phase == v1alpha1.BuildStarting {
		return nil
	}
	p.request()
	job, ok := p.jobs.get(attempt.JobName)
	if !ok {
		return nil
	}
	return job
}

func (p *process) pod(build *v1alpha1.ImageBuild, attempt *v1alpha1.BuildAttempt, job *batchv1.Job, seen *observation) *corev1.Pod {
	if p.mutant == trustsAnyPod {
		return p.anyPod(build, attempt, job)
	}
	owner := attempt.JobUID
	if owner == "" && job != nil {
		owner = job.UID
	}
	if owner == "" {
		return nil
	}
	known := p.podCache.all
	if seen.live {
		p.request()
		known = p.pods.all
	}
	var pods []*corev1.Pod
	for _, pod := range known {
		if pod.OwnerReferences[0].UID == owner {
			pods = append(pods, pod)
		}
	}
	pod := state.FindPod(attempt, owner, pods)
	if pod != nil || seen.live || attempt.PodUID == "" || build.Status.Phase.Finished() {
		return pod
	}
	p.request()
	live, ok := p.pods.get(attempt.PodName)
	if !ok {
		return nil
	}
	return state.FindPod(attempt, owner, []*corev1.Pod{live})
}
