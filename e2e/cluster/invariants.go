// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"fmt"
	"maps"
	"slices"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/invariants"
)

// Violations returns the violations of the package invariants so far, and of these rules, which hold for specs that delete no build,
// Job or pod themselves, with images that keep the record of every build. Call it when every build should have finished.
//
//   - No build is lost: no build disappears, every build that an Image counted exists, every Image was built.
//   - Nothing is built twice: no two builds of an Image from the same inputs follow each other, unless a person asked.
//   - An attempt has at most one Job, which is created after the outcome of the previous attempt. A Job has at most one pod that counts
//     or may still run. Each pod belongs to its Job.
//   - No Job is deleted while a build needs it.
func (h *History) Violations() []string {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	c := &checker{History: h}
	builds := map[types.UID]*v1alpha1.ImageBuild{}
	for uid, versions := range h.builds {
		builds[uid] = last(versions)
		var before *v1alpha1.ImageBuild
		for _, version := range versions {
			c.violations = append(c.violations, invariants.Transition(before, version)...)
			before = version
		}
		c.checkCompletion(before)
	}
	for _, versions := range h.images {
		c.checkImage(last(versions))
	}
	attempts := map[string]types.UID{}
	for _, versions := range h.jobs {
		c.checkJob(last(versions), builds, attempts)
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
		c.violations = append(c.violations, invariants.Distinct(build, slices.Collect(maps.Values(byNumber)))...)
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
		of := build.Spec.Trigger
		again := of != nil && (of.Reason == v1alpha1.TriggerManual || of.Reason == v1alpha1.TriggerPackageChange) // packages are no inputs
		if build.Status.Resolved.InputsDigest == digest && !again {
			c.violated("build %s is the second from the same inputs", build.Name)
		}
		digest = build.Status.Resolved.InputsDigest
	}
}

// checkCompletion checks that a build exists and has ended as it should. The pod of a successful attempt was seen to end.
func (c *checker) checkCompletion(build *v1alpha1.ImageBuild) {
	if c.isGone(build.UID) {
		if build.Spec.ImageRef == nil || !c.isGone(build.Spec.ImageRef.UID) {
			c.violated("build %s was lost", build.Name)
		}
		return
	}
	atEnd := invariants.End(build, func(uid types.UID) *corev1.Pod {
		versions := c.pods[uid]
		ended := slices.IndexFunc(versions, func(pod *corev1.Pod) bool {
			return slices.ContainsFunc(pod.Status.ContainerStatuses, func(s corev1.ContainerStatus) bool { return s.State.Terminated != nil })
		})
		if ended < 0 {
			c.violated("build %s: no pod %q was seen to end", build.Name, uid)
			return nil
		}
		return versions[ended]
	})
	c.violations = append(c.violations, atEnd...)
}

// checkJob checks that a Job is the only Job of its attempt, and was created after the outcome of the previous attempt.
// Attempts has the Jobs checked so far.
func (c *checker) checkJob(job *batchv1.Job, builds map[types.UID]*v1alpha1.ImageBuild, attempts map[string]types.UID) {
	build, orphaned := invariants.Owner(job, builds)
	if c.violations = append(c.violations, orphaned...); build == nil {
		return
	}
	attempt, foreign := invariants.Attempt(job, build)
	if c.violations = append(c.violations, foreign...); attempt == nil {
		return
	}
	number := attempt.Number
	key := fmt.Sprintf("%s/%d", build.UID, number)
	if other, known := attempts[key]; known {
		c.violated("build %s: two Jobs for attempt %d: %s and %s", build.Name, number, other, job.UID)
	}
	attempts[key] = job.UID
	if number > 1 { // times in objects are whole seconds
		if before := build.Status.Attempts[number-2].CompletionTime; before == nil || job.CreationTimestamp.Time.Before(before.Time) {
			c.violated("Job %s was created at %s, before the outcome of the attempt before it, at %s", job.Name, job.CreationTimestamp, before)
		}
	}
	if c.isGone(job.UID) && !c.isGone(build.UID) && (attempt.Outcome == "" || !mayDelete(*attempt)) {
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
