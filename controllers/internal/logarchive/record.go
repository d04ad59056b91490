// SPDX-License-Identifier: Apache-2.0

package logarchive

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/archive"
)

// record is what the archive is to know of a build, and how much of each of its logs is kept. The archive has no record of
// a build without a log.
func (r *reconciler) record(ctx context.Context, build *v1alpha1.ImageBuild) (archive.Build, archive.Limit, error) {
	record := archive.Build{
		Namespace: build.Namespace, Name: build.Name, UID: build.UID,
		Held: v1alpha1.UnderLegalHold(build), Succeeded: build.Status.Phase == v1alpha1.BuildSucceeded,
	}
	if build.Status.Finished {
		record.Finished = timeOf(build.Status.CompletionTime)
	}
	limit := archive.Limit{MaxBytes: v1alpha1.DefaultLogMaxBytes}
	of := build.Spec.ImageRef
	if of == nil {
		return record, limit, nil
	}
	record.Image, record.ImageUID = of.Name, of.UID
	image := &v1alpha1.Image{}
	err := r.cache.Get(ctx, types.NamespacedName{Namespace: build.Namespace, Name: of.Name}, image)
	switch {
	case apierrors.IsNotFound(err) || err == nil && image.UID != of.UID:
		return record, limit, nil // its builds go, too
	case err != nil:
		return record, limit, fmt.Errorf("getting image %s: %w", of.Name, err)
	}
	image = image.DeepCopy()
	v1alpha1.SetObjectDefaults_Image(image)
	record.Held = record.Held || v1alpha1.UnderLegalHold(image)
	record.Retention = retention(image.Spec.History, record)
	limit.MaxBytes = image.Spec.History.LogMaxBytes.Value()
	return record, limit, nil
}

// retention is how long the logs of a build are kept once it has finished; nil is for ever. One that is deleted while it
// runs has not succeeded.
func retention(history *v1alpha1.HistoryLimits, record archive.Build) *time.Duration {
	if history.LogRetention == nil {
		return nil
	}
	limit := history.LogRetention.Failed
	if record.Succeeded {
		limit = history.LogRetention.Succeeded
	}
	if limit == nil {
		return nil
	}
	return new(limit.Duration)
}

func timeOf(t *metav1.Time) *time.Time {
	if t == nil {
		return nil
	}
	return new(t.UTC())
}
