// SPDX-License-Identifier: Apache-2.0

package transfer

import (
	"context"
	"fmt"
	"slices"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apis/notfound"
	"goldsmith.dev/goldsmith/jobs/local/artifacts"
	"goldsmith.dev/goldsmith/jobs/local/jobcontroller"
	"goldsmith.dev/goldsmith/jobs/render"
)

// build returns the build whose artifacts a pod makes or tests. It fails if the API does not confirm that the pod is the current attempt of a build.
func (p *pod) build(ctx context.Context) (*v1alpha1.ImageBuild, error) {
	current := p.Newest()
	job, build, err := p.owners(ctx, current)
	if err != nil {
		return nil, err
	}
	if problem := notTheAttempt(build, job, current, p.Input); problem != "" {
		return nil, fmt.Errorf("the artifacts of pod %s are not stored: %s", p.Ref, problem)
	}
	return build, nil
}

// stored returns how the store identifies a build.
func stored(build *v1alpha1.ImageBuild) artifacts.Build {
	identified := artifacts.Build{UID: build.UID, Namespace: build.Namespace, Name: build.Name}
	if build.Spec.ImageRef != nil {
		identified.Image = build.Spec.ImageRef.Name
	}
	return identified
}

// noJob is why a pod is not that of a Job.
const noJob = "no Job has made the pod"

// jobOf returns the Job that made a pod, or nil.
func (t *Transfer) jobOf(pod *corev1.Pod) *batchv1.Job {
	owner, ok := jobcontroller.JobOf(pod)
	if !ok {
		return nil
	}
	job, err := t.options.Jobs.Jobs(owner.Namespace).Get(owner.Name)
	if err != nil || job.UID != owner.UID || pod.Name != jobcontroller.PodName(job) {
		return nil // the cache is not behind a pod whose Job it knew; nobody wants a deleted Job
	}
	return job
}

// owners returns the Job that made a pod, and the build that controls the Job. Each is nil if there is none.
func (t *Transfer) owners(ctx context.Context, pod *corev1.Pod) (*batchv1.Job, *v1alpha1.ImageBuild, error) {
	job := t.jobOf(pod)
	if job == nil {
		return nil, nil, nil
	}
	controller := metav1.GetControllerOf(job)
	if controller == nil {
		return job, nil, nil
	}
	build, err := t.options.Images.ImageBuilds(job.Namespace).Get(ctx, controller.Name, metav1.GetOptions{})
	if notfound.Object(err) {
		return job, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("read the build of Job %s/%s: %w", job.Namespace, job.Name, err)
	}
	return job, build, nil
}

// notTheAttempt returns why a pod is not that of the current attempt of a build, or "". The owner references, the names, the labels and the
// input of a Job or a pod prove nothing: users who can create Jobs choose them. Only the controllers write the status of a build. The
// controller may not have observed the Job or the pod yet, but the name of the Job is in the status before the Job exists.
func notTheAttempt(build *v1alpha1.ImageBuild, job *batchv1.Job, pod *corev1.Pod, input *render.Input) string {
	if job == nil {
		return noJob
	}
	uid, number, ok := render.Attempt(job)
	if !ok || build == nil || build.UID != uid {
		return fmt.Sprintf("Job %s belongs to no ImageBuild", job.Name)
	}
	if input.Build != render.BuildOf(build) || input.Attempt != number {
		return fmt.Sprintf("its input is not that of attempt %d of build %s", number, build.Name)
	}
	attempts := build.Status.Attempts
	if len(attempts) == 0 || build.Status.Finished {
		return fmt.Sprintf("build %s waits for no attempt", build.Name)
	}
	current := &attempts[len(attempts)-1]
	if current.Number != number || current.JobName != job.Name ||
		current.JobUID != "" && current.JobUID != job.UID || current.PodUID != "" && current.PodUID != pod.UID {
		return fmt.Sprintf("the current attempt of build %s is attempt %d with Job %s and pod %s", build.Name, current.Number, current.JobName, current.PodName)
	}
	return notTheTests(build, current, input)
}

// notTheTests returns why the input of a pod does not run the tests of an attempt on the artifacts of its build, or "". Both have no tests in an attempt
// that makes artifacts.
func notTheTests(build *v1alpha1.ImageBuild, attempt *v1alpha1.BuildAttempt, input *render.Input) string {
	if names := input.TestNames(); !slices.Equal(slices.Sorted(slices.Values(names)), slices.Sorted(slices.Values(attempt.Tests))) {
		return fmt.Sprintf("attempt %d of build %s has the tests %q, and its input %q", attempt.Number, build.Name, attempt.Tests, names)
	}
	if !attempt.IsTest() {
		return ""
	}
	for _, tested := range input.Base.Artifacts {
		if !slices.ContainsFunc(build.Status.Artifacts, func(of v1alpha1.Artifact) bool {
			kept := strings.HasPrefix(of.Location, "/apis/") && strings.HasPrefix(tested.Location, "/apis/") // both are only in the store
			return of.Target == tested.Target && of.Digest == tested.Digest && (of.Location == tested.Location || kept)
		}) {
			return fmt.Sprintf("its input tests %s, which is not that of build %s", tested.Target, build.Name)
		}
	}
	return ""
}
