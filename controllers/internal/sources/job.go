// SPDX-License-Identifier: Apache-2.0

package sources

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/controllers/internal/caches"
	"goldsmith.dev/goldsmith/controllers/internal/reconciliation"
	"goldsmith.dev/goldsmith/jobs/inputs"
	"goldsmith.dev/goldsmith/jobs/render"
	"goldsmith.dev/goldsmith/jobs/result"
	"goldsmith.dev/goldsmith/jobs/state"
)

// tidy deletes the Jobs of all checks of an Image but the current one. The cache of Images may be older than that of Jobs, so the stored Image tells
// which check is current.
func (s *Sources) tidy(ctx context.Context, image *v1alpha1.Image) error {
	jobs := &batchv1.JobList{}
	err := s.cache.List(ctx, jobs, client.InNamespace(image.Namespace), client.MatchingFields{caches.JobsBySource: image.Name}, client.UnsafeDisableDeepCopy)
	if err != nil {
		return fmt.Errorf("list the Jobs of checks of image %s: %w", image.Name, err)
	}
	jobs.Items = slices.DeleteFunc(jobs.Items, func(job batchv1.Job) bool {
		return !ours(&job, image) || job.DeletionTimestamp != nil || render.RunsSourceCheck(image, job.Name)
	})
	if len(jobs.Items) == 0 {
		return nil
	}
	live, err := s.live(ctx, image)
	if err != nil || live == nil {
		return err // the Jobs are deleted with their Image
	}
	for i := range jobs.Items {
		if job := &jobs.Items[i]; !render.RunsSourceCheck(live, job.Name) {
			if err := reconciliation.DeleteJob(ctx, s.Kube, job); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Sources) live(ctx context.Context, image *v1alpha1.Image) (*v1alpha1.Image, error) {
	return reconciliation.ReadLive(ctx, s.Client.ImagesV1alpha1().Images(image.Namespace).Get, image.Namespace, image.Name, image.UID)
}

// follow creates the Job of the current check, which is stored, or takes its result. A check whose Job was lost begins again.
func (s *Sources) follow(ctx context.Context, image *v1alpha1.Image, next *v1alpha1.ImageSource, now time.Time) (again time.Duration, err error) {
	live, err := s.live(ctx, image)
	switch {
	case err != nil:
		return 0, err
	case live == nil || !render.RunsSourceCheck(live, render.SourceJobName(image)):
		return time.Second, nil // the cache is older
	}
	rendered, err := render.SourceJob(live, s.checker(live))
	if err != nil {
		s.end(next, nil, result.LostSource(err.Error()))
		return 0, nil
	}
	job, err := s.Kube.BatchV1().Jobs(rendered.Namespace).Get(ctx, rendered.Name, metav1.GetOptions{})
	left := jobLimit - now.Sub(next.StartTime.Time)
	switch {
	case apierrors.IsNotFound(err) && left > 0:
		return s.create(ctx, image, next, rendered)
	case apierrors.IsNotFound(err): // no controller ran in time, which is no failure of the source
		begin(next, now)
		return 0, nil
	case err != nil:
		return 0, fmt.Errorf("get Job %s: %w", rendered.Name, err)
	}
	switch same, err := s.isAsRendered(ctx, image, job, rendered); {
	case reconciliation.IsRefused(err): // nothing is known about the Job
		begin(next, now)
		return 0, nil
	case err != nil:
		return 0, err
	case !same:
		s.end(next, nil, result.LostSource(fmt.Sprintf("Job %s was created by a user, for another template, or by another version of the controller: the next check has another Job", job.Name)))
		return 0, nil
	case !state.Finished(job) && left > 0:
		return min(left, look), nil
	}
	found, failure, err := s.read(ctx, job, rendered.Spec.Template.Annotations[v1alpha1.AnnotationInput])
	if err != nil {
		return 0, err
	}
	s.end(next, found, failure)
	return 0, nil
}

// checker returns what runs a check: it is placed as the operator places the builder of the Image, but needs none of its resources.
func (s *Sources) checker(image *v1alpha1.Image) inputs.Builder {
	checker := s.Builders.Checker()
	if builder, unknown := s.Builders.Lookup(image.Spec.Builder); unknown == nil {
		checker.Placement = inputs.Placement{NodeSelector: builder.Placement.NodeSelector, Tolerations: builder.Placement.Tolerations}
	}
	return checker
}

// isAsRendered compares a Job that this process does not know with what it renders.
func (s *Sources) isAsRendered(ctx context.Context, image *v1alpha1.Image, job, rendered *batchv1.Job) (bool, error) {
	if s.places.knows(image.UID, job.UID) {
		return true, nil
	}
	same, err := reconciliation.IsAsRendered(ctx, s.Kube, job, rendered)
	if same {
		s.places.know(image.UID, job.UID)
	}
	return same, err
}

// create creates the Job of the current check.
func (s *Sources) create(ctx context.Context, image *v1alpha1.Image, next *v1alpha1.ImageSource, rendered *batchv1.Job) (time.Duration, error) {
	job, err := s.Kube.BatchV1().Jobs(rendered.Namespace).Create(ctx, rendered, metav1.CreateOptions{})
	switch {
	case err == nil:
		s.places.know(image.UID, job.UID)
		return look, nil
	case apierrors.IsAlreadyExists(err):
		return time.Second, nil
	case reconciliation.IsRefused(err):
		s.end(next, nil, result.LostSource(fmt.Sprintf("its Job cannot be created: %v", err)))
		return 0, nil
	}
	return 0, fmt.Errorf("create Job %s: %w", rendered.Name, err)
}

// end records the end of the current check. What an earlier check found stays if it failed.
func (s *Sources) end(next *v1alpha1.ImageSource, found *v1alpha1.SourceRevision, failure *v1alpha1.BuildFailure) {
	next.Ended, next.Failure = next.Checks, failure
	next.LastCheckTime = new(metav1.NewTime(s.Clock.Now().Truncate(time.Second)))
	if failure != nil {
		next.ConsecutiveFailures++
		if failure.Reason == v1alpha1.ReasonSourceUnavailable {
			failure.Message = v1alpha1.CutMessage(fmt.Sprintf("%s; the next try is within about %s", failure.Message, v1alpha1.Duration{Duration: s.Interval}))
		}
		return
	}
	next.Found, next.FoundBy, next.ConsecutiveFailures = found, next.Checks, 0
}

// read returns what the pod of a Job found, which has ended or is late. input is the input that was rendered: users can change that of a suspended Job.
func (s *Sources) read(ctx context.Context, job *batchv1.Job, input string) (*v1alpha1.SourceRevision, *v1alpha1.BuildFailure, error) {
	if job.Spec.Template.Annotations[v1alpha1.AnnotationInput] != input {
		return nil, result.LostSource(fmt.Sprintf("the input in Job %s was changed", job.Name)), nil
	}
	pods, why, err := reconciliation.PodsOf(ctx, s.Kube, job)
	if err != nil {
		return nil, nil, err
	}
	for i := range pods {
		pod := &pods[i]
		if end := render.BuilderStatus(pod); end != nil && end.State.Terminated != nil {
			found, failure := result.ParseSource(end.State.Terminated.Message, end.State.Terminated.ExitCode)
			return found, failure, nil
		}
		why = cmp.Or(waiting(pod), why)
	}
	if why == "" {
		if why, err = s.refusal(ctx, job); err != nil {
			return nil, nil, err
		}
	}
	return nil, result.LostSource(why), nil
}

// waiting tells why the container of a check has not run, or "".
func waiting(pod *corev1.Pod) string {
	if status := render.BuilderStatus(pod); status != nil && status.State.Waiting != nil && status.State.Waiting.Reason != "" {
		return fmt.Sprintf("its container waits: %s: %s", status.State.Waiting.Reason, status.State.Waiting.Message)
	}
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodScheduled && condition.Status == corev1.ConditionFalse {
			return fmt.Sprintf("its pod is not scheduled: %s", condition.Message)
		}
	}
	return ""
}

// refusal tells why a Job has no pod that has run, from its events, or where to look.
func (s *Sources) refusal(ctx context.Context, job *batchv1.Job) (string, error) {
	events, err := s.Kube.CoreV1().Events(job.Namespace).List(ctx, metav1.ListOptions{FieldSelector: "involvedObject.uid=" + string(job.UID)})
	if err != nil {
		return "", fmt.Errorf("list the events of Job %s: %w", job.Name, err)
	}
	if refused := state.Refusal(events.Items); refused != "" {
		return "its pod was refused: " + refused, nil
	}
	return fmt.Sprintf("no pod of Job %s has run within %s: see the events of namespace %s", job.Name, jobLimit, job.Namespace), nil
}

// ours reports whether a Job names an Image as its owner, which anybody can do.
func ours(job *batchv1.Job, image *v1alpha1.Image) bool {
	uid, ok := render.SourceCheckOf(job)
	return ok && uid == image.UID
}
