// SPDX-License-Identifier: Apache-2.0

// Package invariants holds the rules for builds, Jobs and pods that no fault may break. The model of schedules, the program chaos and
// the specs of faults check the objects that they see with it.
package invariants

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/google/go-cmp/cmp"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// Transition returns the violations of these rules by a version of a build and an earlier version, which need not follow each other
// directly. Before is nil for the first version.
//
//   - Attempts are numbered from 1. An attempt begins after the outcome of the previous attempt.
//   - An attempt keeps its Job. It keeps its pod, unless the build is queued again.
//   - The end of a build or of an attempt is written once. The outcomes of its log and of its record are written afterwards.
//   - A build keeps its inputs, and the outcomes of its tests.
func Transition(before, after *v1alpha1.ImageBuild) []string {
	var c violations
	name, attempts := after.Name, after.Status.Attempts
	for i, attempt := range attempts {
		if int(attempt.Number) != i+1 {
			c.add("build %s: attempt %d is in place %d", name, attempt.Number, i+1)
		}
		if i+1 < len(attempts) && attempt.Outcome == "" {
			c.add("build %s: attempt %d began before the outcome of attempt %d", name, i+2, i+1)
		}
	}
	if int(after.Status.CurrentAttempt) != len(attempts) {
		c.add("build %s: attempt %d is the current one of %d", name, after.Status.CurrentAttempt, len(attempts))
	}
	if before == nil {
		return c
	}
	if before.Status.Finished {
		if was, is := withoutAfterwards(before.Status), withoutAfterwards(after.Status); !equality.Semantic.DeepEqual(was, is) {
			c.add("build %s changed after its end: %s", name, cmp.Diff(was, is))
		}
	}
	if was, is := before.Status.Resolved, after.Status.Resolved; was != nil && (is == nil || is.InputsDigest != was.InputsDigest) {
		c.add("build %s: the inputs changed", name)
	}
	for i, was := range before.Status.Tests {
		if was.Outcome != "" && (i >= len(after.Status.Tests) || !equality.Semantic.DeepEqual(was, after.Status.Tests[i])) {
			c.add("build %s: the outcome of test %s changed", name, was.Name)
		}
	}
	for i, was := range before.Status.Attempts {
		if i >= len(attempts) {
			c.add("build %s: attempt %d was forgotten", name, i+1)
			continue
		}
		is := attempts[i]
		waits := after.Status.Phase == v1alpha1.BuildQueued ||
			after.Status.Phase == v1alpha1.BuildTesting && meta.IsStatusConditionFalse(after.Status.Conditions, v1alpha1.BuildAdmitted)
		queuedAgain := waits && is.PodUID == ""
		switch {
		case was.Outcome != "" && !equality.Semantic.DeepEqual(was, is):
			c.add("build %s: attempt %d changed after its end: %s", name, i+1, cmp.Diff(was, is))
		case is.JobName != was.JobName, was.JobUID != "" && is.JobUID != was.JobUID:
			c.add("build %s: attempt %d got another Job", name, i+1)
		case was.PodUID != "" && is.PodUID != was.PodUID && !queuedAgain:
			c.add("build %s: attempt %d got another pod", name, i+1)
		}
	}
	return c
}

// afterwards are the conditions that, like the revocation, change after the build has finished.
var afterwards = []string{v1alpha1.BuildLogArchived, v1alpha1.BuildRecorded, v1alpha1.BuildReproduced, v1alpha1.BuildRevoked}

// withoutAfterwards is a status without the revocation and the conditions that change after the build has finished.
func withoutAfterwards(status v1alpha1.ImageBuildStatus) v1alpha1.ImageBuildStatus {
	status.Revoked = nil
	status.Conditions = slices.DeleteFunc(slices.Clone(status.Conditions), func(condition metav1.Condition) bool {
		return slices.Contains(afterwards, condition.Type)
	})
	return status
}

// End returns the violations by a build when nothing is left to do: the build has finished, and so has its last attempt. A successful
// build has the artifacts in the result of the pod of the last attempt that made artifacts, and has passed the tests that gate. Pod returns that pod, or nil if nobody knows it.
func End(build *v1alpha1.ImageBuild, pod func(types.UID) *corev1.Pod) []string {
	var c violations
	status := &build.Status
	if !status.Finished {
		c.add("build %s has not finished: %s", build.Name, status.Phase)
		return c
	}
	var last v1alpha1.BuildAttempt
	if n := len(status.Attempts); n > 0 {
		last = status.Attempts[n-1]
		if last.Outcome == "" {
			c.add("build %s has finished, and attempt %d has not", build.Name, n)
		}
	}
	if status.Phase != v1alpha1.BuildSucceeded {
		return c
	}
	for _, test := range status.Tests {
		if test.Gates && !test.Outcome.Passed() {
			c.add("build %s has succeeded, and the outcome of test %s is %q", build.Name, test.Name, test.Outcome)
		}
	}
	if build.Spec.Retests != nil {
		return c
	}
	last = v1alpha1.BuildAttempt{}
	for _, attempt := range status.Attempts {
		if !attempt.IsTest() {
			last = attempt
		}
	}
	if last.Outcome != v1alpha1.AttemptSucceeded {
		c.add("build %s has succeeded without an attempt that has", build.Name)
		return c
	}
	if ended := pod(last.PodUID); ended != nil {
		reported, err := reportedDigests(ended)
		if made := byTarget(status.Artifacts); err != nil {
			c.add("build %s: %v", build.Name, err)
		} else if !maps.EqualFunc(made, reported, func(made, reported string) bool { return reported == "" || reported == made }) {
			c.add("build %s made %v, and its builder has reported %v", build.Name, made, reported)
		}
	}
	return c
}

// reportedDigests are the digests of artifacts, by target, in the result that a builder left as the termination message of its container.
// A digest that it left to the publisher of its pod is empty. The publisher must have ended, too.
func reportedDigests(pod *corev1.Pod) (map[string]string, error) {
	ended := func(c corev1.ContainerStatus) bool { return c.State.Terminated != nil }
	builders := pod.Status.ContainerStatuses
	isBuilder := func(c corev1.ContainerStatus) bool { return c.Name == "builder" } // a pod may also fetch its base before
	if i := slices.IndexFunc(pod.Status.InitContainerStatuses, isBuilder); i >= 0 {
		builders = pod.Status.InitContainerStatuses[i : i+1]
		if !slices.ContainsFunc(pod.Status.ContainerStatuses, ended) {
			return nil, fmt.Errorf("the publisher of pod %s has not ended", pod.Name)
		}
	}
	i := slices.IndexFunc(builders, ended)
	if i < 0 {
		return nil, fmt.Errorf("pod %s has not ended", pod.Name)
	}
	var result struct{ Artifacts []v1alpha1.Artifact }
	if err := json.Unmarshal([]byte(builders[i].State.Terminated.Message), &result); err != nil {
		return nil, fmt.Errorf("the result of pod %s: %w", pod.Name, err)
	}
	return byTarget(result.Artifacts), nil
}

// Latest returns the violations by the status of an Image when nothing is left to do: the latest successful build has succeeded, with
// the digests that the Image reports. Builds are those that exist, by name.
func Latest(image *v1alpha1.Image, builds map[string]*v1alpha1.ImageBuild) []string {
	var c violations
	latest := image.Status.LatestSuccessful
	if latest == nil || builds[latest.Name] == nil { // a user deleted it
		return c
	}
	build := builds[latest.Name]
	switch reported, made := byTarget(latest.Artifacts), byTarget(build.Status.Artifacts); {
	case build.Status.Phase != v1alpha1.BuildSucceeded:
		c.add("the latest successful build of image %s, %s, is %s", image.Name, build.Name, build.Status.Phase)
	case !maps.Equal(reported, made):
		c.add("image %s reports %v, and build %s made %v", image.Name, reported, build.Name, made)
	}
	return c
}

// Distinct returns the violations by a build and other builds of the same Image: each has its own number and its own request.
func Distinct(build *v1alpha1.ImageBuild, others []*v1alpha1.ImageBuild) []string {
	var c violations
	for _, other := range others {
		if image := other.Spec.ImageRef; image == nil || build.Spec.ImageRef == nil || image.UID != build.Spec.ImageRef.UID || other.UID == build.UID {
			continue
		}
		if number := ptr.Deref(build.Spec.Number, 0); ptr.Deref(other.Spec.Number, 0) == number {
			c.add("image %s has two builds of number %d: %s and %s", build.Spec.ImageRef.Name, number, other.UID, build.UID)
		}
		if a, b := other.Spec.Trigger, build.Spec.Trigger; a != nil && b != nil && a.RequestID != "" && a.RequestID == b.RequestID {
			c.add("request %s of image %s has two builds: %s and %s", a.RequestID, build.Spec.ImageRef.Name, other.Name, build.Name)
		}
	}
	return c
}

// Owner returns the build that controls a Job, or a violation: every Job belongs to a build.
func Owner(job *batchv1.Job, builds map[types.UID]*v1alpha1.ImageBuild) (*v1alpha1.ImageBuild, []string) {
	if owner := metav1.GetControllerOf(job); owner != nil && builds[owner.UID] != nil {
		return builds[owner.UID], nil
	}
	return nil, []string{fmt.Sprintf("Job %s belongs to no build", job.Name)}
}

// Attempt returns the attempt of a build that a Job was created for, or a violation: every Job of a build has the name that an attempt
// has recorded, and the UID, once that is recorded.
func Attempt(job *batchv1.Job, build *v1alpha1.ImageBuild) (*v1alpha1.BuildAttempt, []string) {
	number, err := strconv.Atoi(job.Labels[v1alpha1.LabelAttempt])
	if err != nil || number < 1 || number > len(build.Status.Attempts) || build.Status.Attempts[number-1].JobName != job.Name {
		return nil, []string{fmt.Sprintf("Job %s is of no attempt of build %s: %q", job.Name, build.Name, job.Labels[v1alpha1.LabelAttempt])}
	}
	var c violations
	attempt := &build.Status.Attempts[number-1]
	if attempt.JobUID != "" && attempt.JobUID != job.UID {
		c.add("Job %s has the UID %q, and attempt %d of build %s has recorded %s", job.Name, job.UID, number, build.Name, attempt.JobUID)
	}
	return attempt, c
}

// confirmationTime is for how long a node may take to confirm the end of a deleted pod after its grace period.
const confirmationTime = 2 * time.Minute

// OneContainerRuns returns the violations by the pods that exist at one moment: at most one container of a build runs. Containers whose end
// nobody can confirm do not count. Owners are the UIDs of builds by those of their Jobs.
func OneContainerRuns(pods []*corev1.Pod, owners map[types.UID]types.UID, now time.Time) []string {
	var c violations
	running := map[types.UID]string{}
	for _, pod := range pods {
		build := owners[types.UID(pod.Labels[batchv1.ControllerUidLabel])]
		if build == "" || !Runs(pod) || isLost(pod, now) {
			continue
		}
		if other, found := running[build]; found {
			c.add("two pods of a build run: %s and %s", other, pod.Name)
		}
		running[build] = pod.Name
	}
	return c
}

// Runs reports whether a container of a pod runs: its builder or its publisher.
func Runs(pod *corev1.Pod) bool {
	runs := func(c corev1.ContainerStatus) bool { return c.State.Running != nil }
	return slices.ContainsFunc(pod.Status.InitContainerStatuses, runs) || slices.ContainsFunc(pod.Status.ContainerStatuses, runs)
}

// isLost reports whether nobody can confirm the end of a pod: Kubernetes has given it up, or its node has not answered in time.
func isLost(pod *corev1.Pod, now time.Time) bool {
	lostNode := func(c corev1.PodCondition) bool {
		return c.Type == corev1.DisruptionTarget && (c.Reason == "DeletionByTaintManager" || c.Reason == "DeletionByPodGC")
	}
	return pod.Status.Phase == corev1.PodFailed ||
		pod.DeletionTimestamp != nil && (!now.Before(pod.DeletionTimestamp.Add(confirmationTime)) || slices.ContainsFunc(pod.Status.Conditions, lostNode))
}

func byTarget(artifacts []v1alpha1.Artifact) map[string]string {
	digests := map[string]string{}
	for _, artifact := range artifacts {
		digests[artifact.Target] = artifact.Digest
	}
	return digests
}

type violations []string

func (v *violations) add(format string, arguments ...any) {
	*v = append(*v, fmt.Sprintf(format, arguments...))
}
