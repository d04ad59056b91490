// SPDX-License-Identifier: Apache-2.0

package transfer

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apis/notfound"
	"goldsmith.dev/goldsmith/jobs/probe"
	"goldsmith.dev/goldsmith/jobs/render"
)

// Task is what a controller wants a pod for.
type Task int

const (
	// None is the task of a pod that no controller of Goldsmith wants.
	None Task = iota
	// Build is an attempt that makes artifacts.
	Build
	// Test is an attempt that tests them.
	Test
	// CheckSource finds out what the source of an Image names.
	CheckSource
	// AskArchive asks an archive for newer packages.
	AskArchive
	// Resolve finds out what a build would install.
	Resolve
)

// TaskOf returns what a controller wants a pod for, or why no controller does. Users who can create Jobs choose everything in them, and in pods. But
// only controllers write the status of Images, builds and Archives, and they store there what they want before they create the Job for it. So at most
// one Job of a user at a time passes for one that a controller wants.
func (t *Transfer) TaskOf(ctx context.Context, pod *corev1.Pod, input *render.Input) (task Task, why string, err error) {
	job := t.jobOf(pod)
	if job == nil {
		return None, noJob, nil
	}
	owner := metav1.GetControllerOf(job)
	if owner == nil {
		return None, fmt.Sprintf("no object controls Job %s", job.Name), nil
	}
	images, of := t.options.Images.Images(job.Namespace), metav1.GetOptions{}
	wanted := false
	switch {
	case input.Probe != nil:
		archive, failed := t.options.Images.Archives().Get(ctx, owner.Name, of)
		uid, ok := render.ProbeOf(job)
		for part := 0; failed == nil && ok && part < probe.MaxParts; part++ {
			wanted = wanted || archive.UID == uid && job.Namespace == v1alpha1.ArchiveNamespace && job.Name == render.ProbeJobName(archive, part)
		}
		task, err = AskArchive, failed
	case input.Resolve:
		image, failed := images.Get(ctx, owner.Name, of)
		if uid, ok := render.ResolveOf(job); failed == nil && ok && image.UID == uid && image.Status.Packages != nil {
			var build *v1alpha1.ImageBuild
			build, failed = t.options.Images.ImageBuilds(job.Namespace).Get(ctx, image.Status.Packages.Build, of)
			wanted = failed == nil && job.Name == render.ResolveJobName(image, build, render.LastResolve(image, build))
		}
		task, err = Resolve, failed
	case job.Labels[v1alpha1.LabelSource] != "":
		image, failed := images.Get(ctx, owner.Name, of)
		uid, ok := render.SourceCheckOf(job)
		wanted = failed == nil && ok && image.UID == uid && render.RunsSourceCheck(image, job.Name)
		task, err = CheckSource, failed
	default:
		return t.attemptOf(ctx, pod, input)
	}
	switch {
	case err != nil && !notfound.Object(err):
		return None, "", fmt.Errorf("read the owner of Job %s/%s: %w", job.Namespace, job.Name, err)
	case !wanted:
		return None, fmt.Sprintf("the status of %s %s asks for no Job %s", owner.Kind, owner.Name, job.Name), nil
	}
	if deviation := render.Deviation(job, pod); deviation != "" {
		return None, deviation, nil
	}
	return task, "", nil
}

// attemptOf returns whether an attempt of a build makes or tests artifacts in a pod.
func (t *Transfer) attemptOf(ctx context.Context, pod *corev1.Pod, input *render.Input) (Task, string, error) {
	job, build, err := t.owners(ctx, pod)
	if err != nil {
		return None, "", err
	}
	if problem := notTheAttempt(build, job, pod, input); problem != "" {
		return None, problem, nil
	}
	if len(input.Tests) > 0 {
		return Test, "", nil
	}
	return Build, "", nil
}

// mayFetch returns why nothing is fetched for a pod: its input names a base or a source, and no controller wants that.
func (p *pod) mayFetch(ctx context.Context) error {
	switch task, why, err := p.TaskOf(ctx, p.Newest(), p.Input); {
	case err != nil:
		return err
	case task == Build, task == Test, task == Resolve:
		return nil
	case task != None:
		return fmt.Errorf("pod %s gets no base and no source: it only answers a question", p.Ref)
	default:
		return fmt.Errorf("pod %s gets no base and no source, because it is not a pod of Goldsmith's controllers: %s", p.Ref, why)
	}
}
