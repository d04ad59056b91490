// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"context"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/controllers/internal/reconciliation"
	"goldsmith.dev/goldsmith/jobs/render"
	"goldsmith.dev/goldsmith/jobs/state"
)

// origin finds out who created the Job with the name of the attempt's Job. It compares a Job of another process with what it renders.
func (r *reconciler) origin(ctx context.Context, build *v1alpha1.ImageBuild, attempt *v1alpha1.BuildAttempt, job *batchv1.Job, seen *observation) (state.Origin, error) {
	key := client.ObjectKeyFromObject(build)
	if created, ok := r.created.Load(key); ok && created == job.UID {
		return state.Rendered, nil
	}
	if uid, number, ok := render.Attempt(job); !ok || uid != build.UID || number != attempt.Number {
		return state.Foreign, nil
	}
	if seen.comparedTo == job.UID {
		return seen.origin, nil
	}
	seen.comparedTo, seen.origin, seen.uncompared = "", state.Unknown, ""
	builder, notAllowed := r.Builders.Lookup(render.BuilderOf(build, attempt.Number))
	if notAllowed != nil {
		return state.Unknown, nil
	}
	rendered, err := render.Job(build, attempt.Number, builder)
	if err != nil {
		seen.giveUp(job, err)
		return state.Unknown, nil
	}
	if job, err = r.withTemplate(ctx, job); job == nil || err != nil {
		return state.Unknown, err
	}
	same, err := reconciliation.IsAsRendered(ctx, r.Kube, job, rendered)
	switch {
	case reconciliation.IsRefused(err):
		seen.giveUp(job, err)
		return state.Unknown, nil
	case err != nil:
		return state.Unknown, err
	}
	seen.comparedTo, seen.origin = job.UID, state.Foreign
	if same {
		seen.origin = state.Rendered
		r.created.Store(key, job.UID)
	}
	return seen.origin, nil
}

// withTemplate returns a Job with its template, which the cache does not have. The Job is nil if it no longer exists.
func (r *reconciler) withTemplate(ctx context.Context, job *batchv1.Job) (*batchv1.Job, error) {
	if len(job.Spec.Template.Spec.Containers) > 0 {
		return job, nil
	}
	stored, err := r.Kube.BatchV1().Jobs(job.Namespace).Get(ctx, job.Name, metav1.GetOptions{})
	if err != nil || stored.UID != job.UID {
		return nil, client.IgnoreNotFound(err)
	}
	return stored, nil
}

// forbidden returns why the API refuses the pod of a Job, from a dry run of its creation. It is empty if the API does not refuse the pod, or
// does not answer.
func (r *reconciler) forbidden(ctx context.Context, job *batchv1.Job) (string, error) {
	job, err := r.withTemplate(ctx, job)
	if job == nil || err != nil {
		return "", err
	}
	pod := &corev1.Pod{ObjectMeta: job.Spec.Template.ObjectMeta, Spec: job.Spec.Template.Spec}
	pod.GenerateName = job.Name + "-"
	pod.OwnerReferences = []metav1.OwnerReference{{
		APIVersion: batchv1.SchemeGroupVersion.String(), Kind: "Job", Name: job.Name, UID: job.UID, Controller: new(true),
	}}
	if _, err := r.Kube.CoreV1().Pods(job.Namespace).Create(ctx, pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}); reconciliation.IsRefused(err) {
		return err.Error(), nil
	}
	return "", nil
}
