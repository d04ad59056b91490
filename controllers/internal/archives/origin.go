// SPDX-License-Identifier: Apache-2.0

package archives

import (
	"context"
	"fmt"
	"maps"
	"sync"

	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/contents"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/controllers/internal/reconciliation"
)

// origins remembers who created Jobs, as long as they exist. Names, labels and owners of Jobs prove nothing: users can set them.
type origins struct {
	mu     sync.Mutex
	inputs map[types.UID]string // the digests of the inputs that the controller rendered; "" for a Job of somebody else
}

func newOrigins() *origins { return &origins{inputs: map[types.UID]string{}} }

// know remembers a Job that the controller has rendered, or one of somebody else.
func (o *origins) know(job *batchv1.Job, rendered bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.inputs[job.UID] = ""
	if rendered {
		o.inputs[job.UID] = inputOf(job)
	}
}

// of returns the digest of the input that the controller rendered for a Job.
func (o *origins) of(job *batchv1.Job) (input string, known bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	input, known = o.inputs[job.UID]
	return input, known
}

// foreign reports whether somebody else is known to have created a Job.
func (o *origins) foreign(job *batchv1.Job) bool {
	input, known := o.of(job)
	return known && input == ""
}

// keep forgets all other Jobs.
func (o *origins) keep(jobs []batchv1.Job) {
	exist := map[types.UID]bool{}
	for i := range jobs {
		exist[jobs[i].UID] = true
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	maps.DeleteFunc(o.inputs, func(uid types.UID, _ string) bool { return !exist[uid] })
}

func inputOf(job *batchv1.Job) string {
	return contents.Digest([]byte(job.Spec.Template.Annotations[v1alpha1.AnnotationInput]))
}

// conflict returns why the answer of a Job does not count, or "". It compares a Job that this process does not know with the rendered one, which is nil
// if there should be none. Users can change the input of a suspended Job.
func (o *origins) conflict(ctx context.Context, options reconciliation.Options, job *batchv1.Job, render func() (*batchv1.Job, error)) (string, error) {
	if _, known := o.of(job); !known {
		rendered, err := render()
		same := false
		if err == nil && rendered != nil {
			same, err = reconciliation.IsAsRendered(ctx, options.Kube, job, rendered)
			if err != nil && !reconciliation.IsRefused(err) {
				return "", err
			}
		}
		if err != nil { // nothing is known about the Job
			return fmt.Sprintf("%s: Job %s/%s cannot be compared with what the controller renders: %v", v1alpha1.ReasonJobConflict, job.Namespace, job.Name, err), nil
		}
		o.know(job, same)
	}
	if input, _ := o.of(job); input != inputOf(job) {
		return fmt.Sprintf("%s: Job %s/%s is not what the controller renders now: it is ignored, and can stay; find out who created or changed it",
			v1alpha1.ReasonJobConflict, job.Namespace, job.Name), nil
	}
	return "", nil
}

// conflictOf returns the conflict with the Job that has the name of a rendered one, which the API therefore did not create.
func (o *origins) conflictOf(ctx context.Context, options reconciliation.Options, rendered *batchv1.Job) (string, error) {
	job, err := options.Kube.BatchV1().Jobs(rendered.Namespace).Get(ctx, rendered.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return "", nil // deleted meanwhile: the next reconciliation begins again
	}
	if err != nil {
		return "", fmt.Errorf("get Job %s: %w", rendered.Name, err)
	}
	return o.conflict(ctx, options, job, func() (*batchv1.Job, error) { return rendered, nil })
}
