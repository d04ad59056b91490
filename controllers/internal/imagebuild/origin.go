// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"context"
	"fmt"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/render"
	"goldsmith.dev/goldsmith/jobs/state"
)

// origin finds out whose a Job is that has the name of the attempt's Job. A Job that this process did not create is compared with what
// the API server would store now, because only the server knows its defaults and what its webhooks change.
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
	builder, notAllowed := r.Builders.Lookup(build.Spec.Inputs.Builder)
	if notAllowed != nil {
		return state.Unknown, nil
	}
	rendered, err := render.Job(build, attempt.Number, builder)
	if err != nil {
		seen.reject(err)
		return state.Unknown, nil
	}
	jobs := r.Kube.BatchV1().Jobs(build.Namespace)
	if len(job.Spec.Template.Spec.Containers) == 0 { // it is from the cache, which has no templates
		stored, err := jobs.Get(ctx, job.Name, metav1.GetOptions{})
		if err != nil || stored.UID != job.UID {
			return state.Unknown, client.IgnoreNotFound(err)
		}
		job = stored
	}
	rendered.Name, rendered.GenerateName = "", rendered.Name+"-"
	expected, err := jobs.Create(ctx, rendered, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	switch {
	case refused(err):
		seen.reject(err)
		return state.Unknown, nil
	case err != nil:
		return state.Unknown, fmt.Errorf("compare Job %s with a dry run of its creation: %w", job.Name, err)
	}
	seen.comparedTo, seen.origin = job.UID, state.Foreign
	if render.SameJob(job, expected) {
		seen.origin = state.Rendered
		r.created.Store(key, job.UID)
	}
	return seen.origin, nil
}
