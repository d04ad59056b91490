// SPDX-License-Identifier: Apache-2.0

package model_test

import (
	"errors"
	"strconv"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/queue"
	"goldsmith.dev/goldsmith/jobs/state"
)

// observation holds everything besides the build that a reconciliation has observed.
type observation struct {
	fresh    bool
	job      *batchv1.Job
	rejected string
	// refused is why the Job of UID lookedAt has no pod by its events, and forbidden by a dry run.
	lookedAt           types.UID
	refused, forbidden string
	// origin is whose the Job of UID comparedTo is, and uncompared why that is unknown.
	comparedTo types.UID
	origin     state.Origin
	uncompared string
	begun      bool
	// live has everything read from the API. It is set before an attempt begins or ends, and before anything is created or deleted.
	live bool
}

func (o *observation) reject(err error) { o.rejected = err.Error() }

// lookAtBuild is controllers/internal/imagebuild in short.
func (p *process) lookAtBuild(name string) {
	build, ok := p.latest(name)
	if !ok {
		return
	}
	err := p.proceed(build, observation{})
	for again := 0; errors.Is(err, errConflict) && again < 5; again++ {
		delete(p.written, name)
		p.request()
		live, ok := p.builds.get(name)
		if !ok {
			err = errNotFound
			break
		}
		err = p.proceed(live, observation{fresh: true})
	}
	if err != nil {
		p.ledger.Release(keyFor(build))
		p.admit("")
		if p.mutant != dropsErrors {
			p.buildWork.add(name, p.now)
		}
	}
}

func keyFor(build *v1alpha1.ImageBuild) queue.Key {
	return queue.Key{Namespace: build.Namespace, Name: build.Name}
}

func (p *process) latest(name string) (*v1alpha1.ImageBuild, bool) {
	build, ok := p.buildCache.get(name)
	if written := p.written[name]; written != nil {
		if ok && written.UID == build.UID && olderVersion(build.ResourceVersion, written.ResourceVersion) {
			return written, true
		}
		delete(p.written, name)
	}
	return build, ok
}

// olderVersion compares resource versions, which are numbers without leading zeros.
func olderVersion(a, b string) bool {
	if len(a) != len(b) {
		return len(a) < len(b)
	}
	return a < b
}

func (p *process) proceed(build *v1alpha1.ImageBuild, seen observation) error {
	for range maxRounds {
		if p.mutant == leavesDeleted && build.DeletionTimestamp != nil {
			return nil
		}
		observed, stale, err := p.observe(build, &seen)
		if err != nil {
			return err
		}
		if stale != nil {
			build = stale
			continue
		}
		decision := state.Next(observed)
		mayDecide := seen.live || seen.begun && decision.Action == state.CreateJob || !decision.NeedsConfirmation(build)
		if !mayDecide && p.mutant != decidesUnseen {
			seen.live = true
			continue
		}
		if !sameBuildStatus(p.cover, &decision.Status, &build.Status) {
			begun := len(decision.Status.Attempts) > len(build.Status.Attempts)
			if build, err = p.store(build, p.mutate(build, decision.Status)); err != nil {
				return err
			}
			seen = observation{
				fresh: true, begun: begun, lookedAt: seen.lookedAt, refused: seen.refused, forbidden: seen.forbidden,
				comparedTo: seen.comparedTo, origin: seen.origin, uncompared: seen.uncompared,
			}
			continue
		}
		again, err := p.perform(build, observed, decision.Action, &seen)
		if err != nil {
			return err
		}
		if !again {
			p.comeBack(build, decision.After)
			return nil
		}
	}
	p.broken("the reconciliation of %s, which is %s, does not end", build.Name, build.Status.Phase)
	return nil
}

// longestLook is the longest time between two reconciles of an active build: a cache that was disconnected does not
// report the deletion of a Job that it never had.
const longestLook = 10 * time.Minute

// comeBack requeues a build after some time, if that is not 0.
func (p *process) comeBack(build *v1alpha1.ImageBuild, after time.Duration) {
	if active(build) && (after == 0 || after > longestLook) {
		after = longestLook
	}
	if after > 0 {
		p.buildWork.add(build.Name, p.now.Add(after))
	}
}

func (p *process) store(build *v1alpha1.ImageBuild, status v1alpha1.ImageBuildStatus) (*v1alpha1.ImageBuild, error) {
	if p.mutant == actsFirst && len(status.Attempts) > len(build.Status.Attempts) {
		intended := *build
		intended.Status = status
		if _, err := p.makeJob(&intended, &observation{}); err != nil {
			return nil, err
		}
	}
	point := "status"
	if status.Phase != build.Status.Phase {
		point = string(status.Phase)
	}
	var stored *v1alpha1.ImageBuild
	err := p.write(point, func() (err error) {
		stored, err = p.updateBuildStatus(build, status)
		return err
	})
	if err != nil {
		if errors.Is(err, errTimeout) && p.mutant != forgetsUnsure {
			p.ledger.MarkUncertain(keyFor(build))
		}
		return nil, err
	}
	if p.mutant == reservesNothing {
		p.ledger.Release(keyFor(build))
	} else {
		p.ledger.Learn(stored)
	}
	p.admit("")
	if stored.Status.Finished {
		delete(p.written, stored.Name)
		delete(p.created, stored.Name)
	} else {
		p.written[stored.Name] = stored
	}
	return stored, nil
}

// admission reports whether a build may start.
func (p *process) admission(build *v1alpha1.ImageBuild) state.Admission {
	key := keyFor(build)
	if !p.ledger.Has(key, build.UID) {
		if cached, ok := p.buildCache.get(build.Name); ok {
			p.ledger.Observe(cached)
		}
	}
	if !p.ledger.Has(key, build.UID) {
		return state.Admission{Message: "it is about to be seen"} // what the queue has is another build of that name
	}
	p.ledger.Learn(build)
	p.ledger.Wake(key)
	p.admit(build.Name)
	admitted, why := p.ledger.Admission(key)
	return state.Admission{Admitted: admitted, Message: why}
}

// admit admits as many builds as possible and requeues them, except for the build that is being reconciled.
func (p *process) admit(except string) {
	if !p.open {
		return
	}
	for _, key := range p.ledger.Admit(p.now) {
		p.checkOrder(key.Name)
		if key.Name != except {
			p.buildWork.add(key.Name, p.now)
		}
	}
}

func (p *process) perform(build *v1alpha1.ImageBuild, observed state.Observed, action state.Action, seen *observation) (bool, error) {
	switch action {
	case state.CreateJob:
		return p.makeJob(build, seen)
	case state.DeleteJob:
		job := observed.Job
		p.checkDeletion(build, job)
		return false, ignoreNotFound(p.write("Job deleted", func() error { return p.deleteJob(job.Name, job.UID) }))
	case state.DeletePod:
		pod := observed.Living
		return false, ignoreNotFound(p.write("pod deleted", func() error { return p.deleteAbandonedPod(pod.Name, pod.UID) }))
	case state.StopPod:
		pod := observed.Pod
		if *pod.Spec.ActiveDeadlineSeconds <= 1 {
			return false, nil
		}
		return false, ignoreNotFound(p.write("pod stopped", func() error { return p.stopPod(pod.Name, pod.UID) }))
	case state.NoAction:
	}
	return false, nil
}

func ignoreNotFound(err error) error {
	if errors.Is(err, errNotFound) {
		return nil
	}
	return err
}

// adopt changes any Job to match the build's current attempt.
func adopt(build *v1alpha1.ImageBuild, job *batchv1.Job) *batchv1.Job {
	adopted := *job
	adopted.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(build, v1alpha1.Kind("ImageBuild"))}
	adopted.Labels = map[string]string{v1alpha1.LabelAttempt: strconv.Itoa(int(build.Status.CurrentAttempt))}
	return &adopted
}

func (p *process) makeJob(build *v1alpha1.ImageBuild, seen *observation) (bool, error) {
	if p.memo.lookup(build.Spec.Inputs.Builder, p.builderGone) != nil {
		return false, errConflict
	}
	job, err := p.memo.job(build, build.Status.CurrentAttempt)
	if err != nil {
		seen.reject(err)
		return true, nil
	}
	err = p.write("Job created", func() error { return p.createJob(job) })
	switch {
	case err == nil:
		if created, ok := p.jobs.get(job.Name); ok {
			p.created[build.Name] = created.UID
		}
		return false, nil
	case errors.Is(err, errExists):
		p.request()
		there, ok := p.jobs.get(job.Name)
		if !ok {
			return false, errNotFound
		}
		if p.mutant == adoptsStrangers {
			there = adopt(build, there)
		}
		seen.job = there
		return true, nil
	case errors.Is(err, errRejected):
		seen.reject(err)
		return true, nil
	}
	return false, err
}
