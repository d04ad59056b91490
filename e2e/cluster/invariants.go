// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/google/go-cmp/cmp"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// Violations returns the violations of these invariants so far, which hold despite any faults. Call it when every build should
// have finished. The invariants hold for specs that delete no build, Job or pod themselves, with images that keep the record of
// every build.
//
//   - No build is lost: no build disappears, every build that an Image counted exists and finished, every Image was built.
//   - Nothing is built twice: no two builds of an Image from the same inputs follow each other, unless a person asked.
//   - Attempts are numbered from 1. Each attempt is stored, and its Job created, after the outcome of the previous attempt.
//   - An attempt has at most one Job, and a Job has at most one pod that counts or may still run. Each Job and pod belongs to
//     its build.
//   - No Job is deleted while a build needs it.
//   - The end of a build or of an attempt is written once. The outcomes of its log and of its record are written afterwards.
//   - The artifacts of a build are those that the builder of its last attempt has reported.
func (h *History) Violations() []string {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	c := &checker{History: h}
	for _, versions := range h.images {
		c.checkImage(last(versions))
	}
	for _, versions := range h.builds {
		c.checkTransitions(versions)
		c.checkCompletion(last(versions))
	}
	attempts := map[string]types.UID{}
	for _, versions := range h.jobs {
		c.checkJob(last(versions), attempts)
	}
	c.checkPods()
	slices.Sort(c.violations)
	return c.violations
}

// checker collects what is wrong with a history.
type checker struct {
	*History
	violations []string
}

func (c *checker) violated(format string, arguments ...any) {
	c.violations = append(c.violations, fmt.Sprintf(format, arguments...))
}

func (c *checker) isGone(uid types.UID) bool {
	_, gone := c.gone[uid]
	return gone
}

// checkImage: as many builds as were counted, and no two in a row from the same inputs.
func (c *checker) checkImage(image *v1alpha1.Image) {
	if c.isGone(image.UID) {
		return
	}
	byNumber := map[int64]*v1alpha1.ImageBuild{}
	for _, versions := range c.builds {
		build := last(versions)
		if build.Spec.ImageRef == nil || build.Spec.ImageRef.UID != image.UID || build.Spec.Number == nil {
			continue
		}
		if other := byNumber[*build.Spec.Number]; other != nil {
			c.violated("image %s has two builds of number %d: %s and %s", image.Name, *build.Spec.Number, other.UID, build.UID)
		}
		byNumber[*build.Spec.Number] = build
	}
	if len(byNumber) == 0 {
		c.violated("image %s was never built", image.Name)
	}
	if int64(len(byNumber)) != image.Status.BuildCounter {
		c.violated("image %s counts %d builds, and there are %d", image.Name, image.Status.BuildCounter, len(byNumber))
	}
	digest := ""
	for _, number := range slices.Sorted(maps.Keys(byNumber)) {
		build := byNumber[number]
		if build.Status.Resolved == nil {
			continue
		}
		asked := build.Spec.Trigger != nil && build.Spec.Trigger.Reason == v1alpha1.TriggerManual
		if build.Status.Resolved.InputsDigest == digest && !asked {
			c.violated("build %s is the second from the same inputs", build.Name)
		}
		digest = build.Status.Resolved.InputsDigest
	}
}

// checkTransitions checks that each version of a build may follow the previous version.
func (c *checker) checkTransitions(versions []*v1alpha1.ImageBuild) {
	for i, version := range versions {
		for n, attempt := range version.Status.Attempts {
			if int(attempt.Number) != n+1 {
				c.violated("build %s: attempt %d is in place %d", version.Name, attempt.Number, n+1)
			}
			if n+1 < len(version.Status.Attempts) && attempt.Outcome == "" {
				c.violated("build %s: attempt %d was started before the outcome of attempt %d was stored", version.Name, n+2, n+1)
			}
		}
		if i == 0 {
			continue
		}
		before := versions[i-1]
		if at, now := withoutLogAndRecord(before.Status), withoutLogAndRecord(version.Status); at.Finished && !cmp.Equal(at, now) {
			c.violated("build %s changed after its end: %s", version.Name, cmp.Diff(at, now))
		}
		for n, attempt := range before.Status.Attempts {
			if n >= len(version.Status.Attempts) {
				c.violated("build %s: attempt %d was forgotten", version.Name, n+1)
			} else if after := version.Status.Attempts[n]; attempt.Outcome != "" && !cmp.Equal(attempt, after) {
				c.violated("build %s: attempt %d changed after its end: %s", version.Name, n+1, cmp.Diff(attempt, after))
			}
		}
	}
}

// withoutLogAndRecord is a status without the conditions of the log and of the record, which change after the build has finished.
func withoutLogAndRecord(status v1alpha1.ImageBuildStatus) v1alpha1.ImageBuildStatus {
	status.Conditions = slices.DeleteFunc(slices.Clone(status.Conditions), func(condition metav1.Condition) bool {
		return condition.Type == v1alpha1.BuildLogArchived || condition.Type == v1alpha1.BuildRecorded
	})
	return status
}

// checkCompletion checks that a build exists, has finished, and has the artifacts in the result of its builder.
func (c *checker) checkCompletion(build *v1alpha1.ImageBuild) {
	if c.isGone(build.UID) {
		if build.Spec.ImageRef == nil || !c.isGone(build.Spec.ImageRef.UID) {
			c.violated("build %s was lost", build.Name)
		}
		return
	}
	if !build.Status.Finished {
		c.violated("build %s has not finished: %s", build.Name, build.Status.Phase)
	}
	if build.Status.Phase != v1alpha1.BuildSucceeded {
		return
	}
	attempts := build.Status.Attempts
	if len(attempts) == 0 || last(attempts).Outcome != v1alpha1.AttemptSucceeded {
		c.violated("build %s has succeeded without an attempt that has", build.Name)
		return
	}
	made := map[string]string{}
	for _, artifact := range build.Status.Artifacts {
		made[artifact.Target] = artifact.Digest
	}
	digests, err := c.resultDigests(last(attempts).PodUID)
	if err != nil {
		c.violated("build %s: %v", build.Name, err)
	} else if !maps.Equal(made, digests) {
		c.violated("build %s made %v, and its builder has reported %v", build.Name, made, digests)
	}
}

// checkJob checks that a Job is the only Job of its attempt, and was created after the outcome of the previous attempt.
// Attempts has the Jobs checked so far.
func (c *checker) checkJob(job *batchv1.Job, attempts map[string]types.UID) {
	owner := metav1.GetControllerOf(job)
	if owner == nil || c.builds[owner.UID] == nil {
		c.violated("Job %s without its build", job.Name)
		return
	}
	versions := c.builds[owner.UID]
	build := last(versions)
	number, err := strconv.Atoi(job.Labels[v1alpha1.LabelAttempt])
	if err != nil || number < 1 || number > len(build.Status.Attempts) || build.Status.Attempts[number-1].JobName != job.Name {
		c.violated("Job %s is of no attempt of build %s: %q", job.Name, build.Name, job.Labels[v1alpha1.LabelAttempt])
		return
	}
	attempt := build.Status.Attempts[number-1]
	key := fmt.Sprintf("%s/%d", owner.UID, number)
	if other, known := attempts[key]; known {
		c.violated("build %s: two Jobs for attempt %d: %s and %s", build.Name, number, other, job.UID)
	}
	attempts[key] = job.UID
	if attempt.JobUID != "" && attempt.JobUID != job.UID {
		c.violated("Job %s has the UID %s, and attempt %d says %s", job.Name, job.UID, number, attempt.JobUID)
	}
	if number > 1 { // times in objects are whole seconds
		if before := build.Status.Attempts[number-2].CompletionTime; before == nil || job.CreationTimestamp.Time.Before(before.Time) {
			c.violated("Job %s was created at %s, before the outcome of the attempt before it, at %s", job.Name, job.CreationTimestamp, before)
		}
	}
	if c.isGone(job.UID) && !c.isGone(build.UID) && (attempt.Outcome == "" || !mayDelete(attempt)) {
		c.violated("Job %s was deleted under build %s: attempt %d is %s", job.Name, build.Name, number, attempt.Outcome)
	}
}

// mayDelete reports whether the controller may have deleted the Job of an attempt. An attempt that never ran has no log to lose.
// An attempt on a lost node could continue beside the next attempt.
func mayDelete(attempt v1alpha1.BuildAttempt) bool {
	if attempt.Failure == nil {
		return attempt.Outcome == v1alpha1.AttemptCancelled
	}
	switch attempt.Failure.Class {
	case v1alpha1.FailureRegistry, v1alpha1.FailureTimeout, v1alpha1.FailureConfig:
		return true
	}
	return attempt.Outcome == v1alpha1.AttemptCancelled || attempt.Failure.Reason == v1alpha1.ReasonNodeLost
}

// checkPods checks that each pod has its Job, and that at most one pod of each Job counts or may still run.
func (c *checker) checkPods() {
	recorded := map[types.UID]bool{}
	for _, versions := range c.builds {
		for _, attempt := range last(versions).Status.Attempts {
			recorded[attempt.PodUID] = true
		}
	}
	of := map[types.UID]*corev1.Pod{}
	for uid, versions := range c.pods {
		pod := last(versions)
		owner := metav1.GetControllerOf(pod)
		if owner == nil || c.jobs[owner.UID] == nil {
			c.violated("pod %s without its Job", pod.Name)
			continue
		}
		if !recorded[uid] && (c.isGone(uid) || ends(pod)) {
			continue
		}
		if other := of[owner.UID]; other != nil {
			c.violated("Job %s has two pods: %s (%s) and %s (%s)", owner.Name, other.Name, other.Status.Phase, pod.Name, pod.Status.Phase)
		}
		of[owner.UID] = pod
	}
}

// ends reports whether a pod has ended or is being deleted. Kubernetes may create a surplus pod of a Job if kube-apiserver is
// killed: kube-controller-manager gets no response to the request that creates the first pod, and creates another pod before
// it watches pods again, which may be a minute later. It deletes the surplus pod only if that pod still runs when it sees
// both.
func ends(pod *corev1.Pod) bool {
	return pod.DeletionTimestamp != nil || pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}
