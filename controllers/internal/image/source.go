// SPDX-License-Identifier: Apache-2.0

package image

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/controllers/internal/reconciliation"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

// afterStored is when an Image whose status.source was stored is reconciled again. By then, the cache should have it.
const afterStored = 50 * time.Millisecond

// checkSource brings the check of the source of an Image forward. If status.source changes, checkSource stores it, and nothing else is decided: the
// server decides by what is stored. again is when to reconcile again without an event.
func (r *reconciler) checkSource(ctx context.Context, image *v1alpha1.Image, builds []v1alpha1.ImageBuild) (again time.Duration, stored bool, err error) {
	if r.Sources == nil {
		return 0, false, nil
	}
	next, again, err := r.Sources.Next(ctx, image, builds)
	if err != nil {
		return 0, false, fmt.Errorf("check the source: %w", err)
	}
	if equality.Semantic.DeepEqual(next, image.Status.Source) {
		return again, false, nil
	}
	status := image.Status.DeepCopy()
	status.Source = next
	patch, err := reconciliation.StatusPatch(image, v1alpha1.Image{}, &image.Status, status)
	if err != nil {
		return 0, false, err
	}
	if _, err := r.Client.ImagesV1alpha1().Images(image.Namespace).Patch(ctx, image.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status"); err != nil {
		return 0, false, fmt.Errorf("write status.source: %w", err)
	}
	r.tellCheck(image, next)
	return afterStored, true, nil
}

// tellCheck counts a check that has ended, and records an event if it failed in a new way. One failure of the network or the cluster is no news.
func (r *reconciler) tellCheck(image *v1alpha1.Image, next *v1alpha1.ImageSource) {
	before := image.Status.Source
	if before == nil || next == nil || before.Question != next.Question || next.Ended == before.Ended {
		return
	}
	switch failure := next.Failure; {
	case failure == nil && inputs.Revision(next.Found) == inputs.Revision(before.Found):
		r.SourceChecks.Checked("unchanged")
	case failure == nil:
		r.SourceChecks.Checked("changed")
	default:
		r.SourceChecks.Checked("failed")
		first, transient := before.Failure == nil || before.Failure.Reason != failure.Reason, failure.Class == v1alpha1.FailureInfrastructure
		if transient && next.ConsecutiveFailures == 2 || !transient && first {
			r.Events.Event(image, corev1.EventTypeWarning, v1alpha1.EventSourceCheckFailed, v1alpha1.CutMessage(string(failure.Reason)+": "+failure.Message))
		}
	}
}
