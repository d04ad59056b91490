// SPDX-License-Identifier: Apache-2.0

package logarchive

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/archive"
	"goldsmith.dev/goldsmith/controllers/internal/caches"
	"goldsmith.dev/goldsmith/controllers/internal/reconciliation"
)

// imageGetter returns an Image with its defaults. It returns nil if the Image was deleted.
type imageGetter func(ctx context.Context, namespace string, of *v1alpha1.ImageReference) (*v1alpha1.Image, error)

// record returns the archive's record of a build, and the size limit of each of its logs. The archive has no record of a
// build without a log.
func (r *reconciler) record(ctx context.Context, build *v1alpha1.ImageBuild, imageOf imageGetter) (archive.Build, archive.Limit, error) {
	record := archive.Build{
		Namespace: build.Namespace, Name: build.Name, UID: build.UID,
		Held: v1alpha1.UnderLegalHold(build), Succeeded: build.Status.Phase == v1alpha1.BuildSucceeded,
	}
	namespace, older, err := caches.NamespaceUID(ctx, r.cache, build)
	if err != nil {
		return record, archive.Limit{}, err
	}
	if older { // it exists if it was restored from a backup, and does not if the cache has not seen its deletion
		exists, err := r.live(ctx, record)
		if err != nil {
			return record, archive.Limit{}, err
		}
		older = exists == nil
	}
	if !older {
		record.NamespaceUID = namespace
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
	image, err := imageOf(ctx, build.Namespace, of)
	if err != nil {
		return record, limit, err
	}
	if image == nil {
		if record.ImageSettings, err = r.lastSettings(ctx, record); err != nil {
			return record, limit, err
		}
	} else {
		record.ImageSettings = settingsOf(image)
	}
	if settings := record.ImageSettings; settings != nil {
		record.Held = record.Held || settings.Held
		record.Retention = settings.RetentionFailed // also for a build that is deleted while it runs
		if record.Succeeded {
			record.Retention = settings.RetentionSucceeded
		}
		limit.MaxBytes = settings.MaxBytes
	}
	return record, limit, nil
}

// image returns the Image of a build from the cache. The API decides whether an Image is deleted, because the cache may not have
// the Image yet.
func (r *reconciler) image(ctx context.Context, namespace string, of *v1alpha1.ImageReference) (*v1alpha1.Image, error) {
	image := &v1alpha1.Image{}
	err := r.cache.Get(ctx, types.NamespacedName{Namespace: namespace, Name: of.Name}, image)
	if apierrors.IsNotFound(err) || err == nil && image.UID != of.UID {
		return r.liveImage(ctx, namespace, of)
	}
	if err != nil {
		return nil, fmt.Errorf("get image %s: %w", of.Name, err)
	}
	v1alpha1.SetObjectDefaults_Image(image)
	return image, nil
}

// liveImage returns the Image of a build from the API.
func (r *reconciler) liveImage(ctx context.Context, namespace string, of *v1alpha1.ImageReference) (*v1alpha1.Image, error) {
	image, err := reconciliation.ReadLive(ctx, r.Client.ImagesV1alpha1().Images(namespace).Get, namespace, of.Name, of.UID)
	if image != nil {
		v1alpha1.SetObjectDefaults_Image(image)
	}
	return image, err
}

// lastSettings returns the last settings of a deleted Image from the archive. They are nil if the archive has no record of
// the build, or a damaged one: then nobody knows them, and the logs are kept.
func (r *reconciler) lastSettings(ctx context.Context, record archive.Build) (*archive.ImageSettings, error) {
	last, err := r.Archive.GetBuild(ctx, record.Namespace, record.UID)
	switch {
	case errors.Is(err, archive.ErrNotFound), errors.Is(err, archive.ErrDamaged):
		return nil, nil
	case err != nil:
		return nil, archiveError{err}
	}
	return last.ImageSettings, nil
}

// settingsOf returns the settings of an Image for the logs of its builds.
func settingsOf(image *v1alpha1.Image) *archive.ImageSettings {
	maxBytes := image.Spec.History.LogMaxBytes.Amount()
	settings := &archive.ImageSettings{Held: v1alpha1.UnderLegalHold(image), MaxBytes: maxBytes.Value()}
	if retention := image.Spec.History.LogRetention; retention != nil {
		settings.RetentionSucceeded, settings.RetentionFailed = durationOf(retention.Succeeded), durationOf(retention.Failed)
	}
	return settings
}

func durationOf(limit *v1alpha1.Duration) *time.Duration {
	if limit == nil {
		return nil
	}
	return &limit.Duration
}

func timeOf(t *metav1.Time) *time.Time {
	if t == nil {
		return nil
	}
	return new(t.UTC())
}
