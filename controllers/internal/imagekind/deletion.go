// SPDX-License-Identifier: Apache-2.0

package imagekind

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apis/notfound"
	"goldsmith.dev/goldsmith/controllers/internal/reconciliation"
)

// step is the next step of a deletion.
type step string

const (
	none    step = "none"    // the ImageKind is not being deleted, or the server has not seen that it is
	wait    step = "wait"    // for the deletion of the instances
	release step = "release" // the instances
	finish  step = "finish"  // the deletion
)

// next returns the next step of the deletion of an ImageKind, of which so many Images have the label. They are its own only while the
// kind is served: the name of another ImageKind can belong to the configuration. A deletion is a new generation, so the server has
// decided whether the kind is served once it has observed that.
func next(declared *v1alpha1.ImageKind, instances int) step {
	switch {
	case declared.DeletionTimestamp == nil || !slices.Contains(declared.Finalizers, v1alpha1.ImageKindFinalizer) || declared.Status.ObservedGeneration < declared.Generation:
		return none
	case !meta.IsStatusConditionTrue(declared.Status.Conditions, v1alpha1.ImageKindEstablished) || instances == 0:
		return finish
	case declared.Spec.OnDelete == v1alpha1.ImageKindRelease:
		return release
	}
	return wait
}

// end does the next step of the deletion of an ImageKind. Each step changes the version of an object that was read, and can be repeated.
// The condition is nil if nothing is waited for.
func (r *reconciler) end(ctx context.Context, declared *v1alpha1.ImageKind, images []v1alpha1.Image) (*metav1.Condition, error) {
	terminating := func(reason, message string) *metav1.Condition {
		return &metav1.Condition{
			Type: v1alpha1.ImageKindTerminating, Status: metav1.ConditionTrue, ObservedGeneration: declared.Generation, Reason: reason,
			Message: v1alpha1.CutMessage(message), LastTransitionTime: metav1.NewTime(r.Clock.Now().Truncate(time.Second)),
		}
	}
	switch next(declared, len(images)) {
	case wait:
		return terminating(v1alpha1.ReasonInstancesRemain, fmt.Sprintf("number of objects of the kind in all namespaces: %d; delete them, or set spec.onDelete to Release",
			len(images))), nil
	case release:
		switch failed, err := r.release(ctx, images); {
		case err == nil:
		case apierrors.IsConflict(err) || reconciliation.Unavailable(err):
			return nil, err
		default:
			return terminating(v1alpha1.ReasonReleasingInstances, fmt.Sprintf("number of Images that the controller cannot change: %d; remove their label %s, or correct the cause: %v",
				failed, v1alpha1.ImageKindLabel, err)), err
		}
	case finish:
		return nil, r.finish(ctx, declared)
	}
	return nil, nil
}

// release removes the label of the kind from Images: the server removes what else marks them. The error is that of the first Image that cannot be changed.
func (r *reconciler) release(ctx context.Context, images []v1alpha1.Image) (failed int, first error) {
	for i := range images {
		image := &images[i]
		err := patch(&image.ObjectMeta, "labels", map[string]any{v1alpha1.ImageKindLabel: nil}, func(patch []byte) error {
			_, err := r.Client.ImagesV1alpha1().Images(image.Namespace).Patch(ctx, image.Name, types.MergePatchType, patch, metav1.PatchOptions{})
			return err
		})
		if err == nil || notfound.Object(err) {
			continue
		}
		if failed++; first == nil {
			first = fmt.Errorf("release Image %s/%s: %w", image.Namespace, image.Name, err)
		}
	}
	return failed, first
}

// finish removes the finalizer, unless the API has an instance that the cache does not have yet. The event of that instance leads to the
// next reconciliation.
func (r *reconciler) finish(ctx context.Context, declared *v1alpha1.ImageKind) error {
	if meta.IsStatusConditionTrue(declared.Status.Conditions, v1alpha1.ImageKindEstablished) {
		live, err := r.Client.ImagesV1alpha1().Images("").List(ctx, metav1.ListOptions{LabelSelector: v1alpha1.ImageKindLabel + "=" + declared.Name, Limit: 1})
		if err != nil {
			return fmt.Errorf("list the Images of the kind: %w", err)
		}
		if len(live.Items) > 0 {
			return nil
		}
	}
	finalizers := slices.DeleteFunc(slices.Clone(declared.Finalizers), func(name string) bool { return name == v1alpha1.ImageKindFinalizer })
	err := patch(&declared.ObjectMeta, "finalizers", finalizers, func(patch []byte) error {
		_, err := r.Client.ImagesV1alpha1().ImageKinds().Patch(ctx, declared.Name, types.MergePatchType, patch, metav1.PatchOptions{})
		return err
	})
	if err != nil {
		return fmt.Errorf("remove finalizer %s: %w", v1alpha1.ImageKindFinalizer, err)
	}
	return nil
}

// patch sends a patch of one field of the metadata of an object, in the version that was read.
func patch(object *metav1.ObjectMeta, field string, value any, send func(patch []byte) error) error {
	text, err := json.Marshal(map[string]any{"metadata": map[string]any{"uid": object.UID, "resourceVersion": object.ResourceVersion, field: value}})
	if err != nil {
		return fmt.Errorf("encode the %s: %w", field, err)
	}
	return send(text)
}
