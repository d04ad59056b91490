// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apis/notfound"
	"goldsmith.dev/goldsmith/jobs/attestation"
)

// verdictRetry is the delay before a result is stored again, if the other build changed meanwhile.
const verdictRetry = time.Second

// storeVerdict stores the result of a finished build that reproduces another build in the condition Reproduced of the other build. Each
// reconciliation of the build tries it again: only that condition tells whether the result is stored.
func (r *reconciler) storeVerdict(ctx context.Context, by *v1alpha1.ImageBuild) error {
	of, verdict, err := verdictOf(ctx, r.cache, by, r.Clock.Now())
	if verdict == nil || err != nil {
		return err
	}
	status := of.Status.DeepCopy()
	meta.SetStatusCondition(&status.Conditions, *verdict)
	stored, err := r.PatchBuild(ctx, of, status)
	switch {
	case notfound.Object(err):
		return nil
	case err != nil:
		return fmt.Errorf("write condition %s of build %s: %w", v1alpha1.BuildReproduced, of.Name, err)
	}
	switch verdict.Status {
	case metav1.ConditionTrue:
		r.Events.Event(stored, corev1.EventTypeNormal, verdict.Reason, verdict.Message)
	case metav1.ConditionFalse:
		r.Events.Event(stored, corev1.EventTypeWarning, verdict.Reason, verdict.Message)
	case metav1.ConditionUnknown: // of interest only to the user who asked for the build
	}
	return nil
}

// verdictOf returns the condition that a build gives the build that it reproduces, and that build. The condition is nil if there is nothing to store.
func verdictOf(ctx context.Context, cache client.Reader, by *v1alpha1.ImageBuild, now time.Time) (*v1alpha1.ImageBuild, *metav1.Condition, error) {
	if by.Spec.Reproduces == nil || !by.Status.Finished {
		return nil, nil, nil
	}
	of := &v1alpha1.ImageBuild{}
	if err := cache.Get(ctx, client.ObjectKey{Namespace: by.Namespace, Name: by.Spec.Reproduces.Name}, of); err != nil {
		return nil, nil, client.IgnoreNotFound(err)
	}
	return of, attestation.Verdict(by, of, now), nil
}
