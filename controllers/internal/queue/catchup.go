// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"context"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/apimachinery/pkg/util/wait"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apis/notfound"
	"goldsmith.dev/goldsmith/jobs/queue"
)

const (
	// page is how many builds are read at a time.
	page = 500
	// catchUpPause is the interval between two checks of the cache, and catchUpRetry the interval between two reads of the API.
	catchUpPause = 20 * time.Millisecond
	catchUpRetry = 2 * time.Second
)

// catchUp waits until the cache has every unfinished build as it was stored when catchUp began. The previously elected
// process may have started builds that the cache of this process does not have yet.
func (q *Queue) catchUp(ctx context.Context) error {
	var behind []metav1.PartialObjectMetadata
	err := wait.PollUntilContextCancel(ctx, catchUpRetry, true, func(ctx context.Context) (bool, error) {
		var err error
		if behind, err = q.Unfinished(ctx); err != nil {
			ctrl.LoggerFrom(ctx).V(1).Info("Failed to list unfinished builds, will retry", "err", err)
		}
		return err == nil, nil
	})
	if err != nil {
		return fmt.Errorf("read the builds that have not finished: %w", err)
	}
	return wait.PollUntilContextCancel(ctx, catchUpPause, true, func(ctx context.Context) (bool, error) {
		behind = q.MissingVersions(ctx, behind)
		return len(behind) == 0, nil
	})
}

// Unfinished reads the builds that have not finished from the API.
func (q *Queue) Unfinished(ctx context.Context) (builds []metav1.PartialObjectMetadata, err error) {
	list := &metav1.PartialObjectMetadataList{}
	for {
		list.SetGroupVersionKind(v1alpha1.SchemeGroupVersion.WithKind("ImageBuildList"))
		err := q.API.List(ctx, list, client.MatchingFields{"status.finished": "false"}, client.Limit(page), client.Continue(list.Continue))
		if err != nil {
			return nil, err
		}
		builds = append(builds, list.Items...)
		if list.Continue == "" {
			return builds, nil
		}
	}
}

// MissingVersions returns those of the builds whose version, or a newer one, the queue does not have yet. It changes the slice.
func (q *Queue) MissingVersions(ctx context.Context, builds []metav1.PartialObjectMetadata) []metav1.PartialObjectMetadata {
	return slices.DeleteFunc(builds, func(build metav1.PartialObjectMetadata) bool { return q.hasVersion(ctx, &build) })
}

// hasVersion reports whether the queue has a build in this version or a newer one, or the build has finished or was deleted.
func (q *Queue) hasVersion(ctx context.Context, build *metav1.PartialObjectMetadata) bool {
	key := client.ObjectKeyFromObject(build)
	q.mutex.Lock()
	known, has := q.ledger.HasVersion(key, build.UID, build.ResourceVersion), q.ledger.Has(key, build.UID)
	q.mutex.Unlock()
	if known || has {
		return known
	}
	cached := &v1alpha1.ImageBuild{}
	if err := q.Cache.Get(ctx, key, cached); err == nil && cached.UID == build.UID {
		// A build that belongs in the queue will be observed soon.
		_, takesPart := queue.FromBuild(cached)
		order, err := resourceversion.CompareResourceVersion(cached.ResourceVersion, build.ResourceVersion)
		return !takesPart && err == nil && order >= 0
	}
	stored := &metav1.PartialObjectMetadata{}
	stored.SetGroupVersionKind(v1alpha1.SchemeGroupVersion.WithKind("ImageBuild"))
	err := q.API.Get(ctx, key, stored)
	return notfound.Object(err) || err == nil && stored.UID != build.UID
}
