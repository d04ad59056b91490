// SPDX-License-Identifier: Apache-2.0

package image

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/util/dryrun"
	"k8s.io/apiserver/pkg/warning"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/subresource"
	"goldsmith.dev/goldsmith/jobs/trigger"
)

const (
	// remembered is how long an Image's request is remembered.
	remembered = 24 * time.Hour
	// minRequests is how many requests are remembered for longer. A controller may repeat its last request after any outage.
	minRequests = 32
	// maxRequests is how many requests are remembered at most, because an Image must not grow without limit. Forgetting the
	// oldest request may cost a second build. Refusing a request would stop the Image's triggers.
	maxRequests = 500
)

// allocate gives the request its number: the recorded number, or the next free number, which it records. taken is a number
// that was recorded for this request and belongs to another build, or 0. The returned Image has the record, so its spec and
// the number belong together.
func (i *instantiation) allocate(ctx context.Context, taken int64) (*v1alpha1.Image, v1alpha1.BuildRequestRecord, error) {
	var record v1alpha1.BuildRequestRecord
	image, err := i.images.Update(subresource.For(ctx, "images", i.image), i.image, i.options.DryRun, func(ctx context.Context, image *v1alpha1.Image) (err error) {
		i.forgotten = nil // a repeated write decides anew
		if err := i.refuse(image); err != nil {
			return err
		}
		record, err = i.record(ctx, image, taken)
		return err
	})
	if err != nil {
		return nil, record, err
	}
	if oldest := i.forgotten; oldest != nil && !dryrun.IsDryRun(i.options.DryRun) {
		warning.AddWarning(ctx, "", fmt.Sprintf("image %q had more than %d requests for a build within %s: requestID %q of %s is no longer remembered",
			i.image, maxRequests, remembered, oldest.RequestID, oldest.RequestTime.UTC().Format(time.RFC3339)))
	}
	return image, record, nil
}

// refuse returns why the existing Image gets no build by this request.
func (i *instantiation) refuse(image *v1alpha1.Image) error {
	conflict := func(why string) error {
		return apierrors.NewConflict(v1alpha1.Resource("images"), image.Name, errors.New(why))
	}
	switch {
	case image.DeletionTimestamp != nil:
		return conflict("it is being deleted, so it gets no more builds")
	case i.uid != "" && i.uid != image.UID:
		return conflict("the build belongs to a deleted Image of the same name: request a build of the existing Image")
	}
	return nil
}

// known is the index of the request among the Image's recent requests, or -1.
func (i *instantiation) known(image *v1alpha1.Image) int {
	return slices.IndexFunc(image.Status.RecentRequests, func(record v1alpha1.BuildRequestRecord) bool {
		return record.RequestID == i.requestID
	})
}

// record finds the request among the Image's recent requests, or adds it.
func (i *instantiation) record(ctx context.Context, image *v1alpha1.Image, taken int64) (v1alpha1.BuildRequestRecord, error) {
	status := &image.Status
	known := i.known(image)
	if known >= 0 && status.RecentRequests[known].Number != taken {
		return status.RecentRequests[known], nil
	}
	if err := i.check(image); err != nil {
		return v1alpha1.BuildRequestRecord{}, err
	}
	if err := i.checkReserved(ctx, image); err != nil {
		return v1alpha1.BuildRequestRecord{}, err
	}
	number, err := i.nextFree(ctx, image)
	if err != nil {
		return v1alpha1.BuildRequestRecord{}, err
	}
	status.BuildCounter = number
	record := v1alpha1.BuildRequestRecord{RequestID: i.requestID, Number: number}
	if known >= 0 {
		record.RequestTime = status.RecentRequests[known].RequestTime
		status.RecentRequests[known] = record
		return record, nil
	}
	status.RecentRequests, i.forgotten = remember(status.RecentRequests, record, i.Clock.Now())
	return record, nil
}

// remember adds a request to the recent requests and drops those that are too old or too many, the oldest first. early is the
// last dropped request that is not too old, or nil.
func remember(requests []v1alpha1.BuildRequestRecord, added v1alpha1.BuildRequestRecord, now time.Time) (recent []v1alpha1.BuildRequestRecord, early *v1alpha1.BuildRequestRecord) {
	now = now.Truncate(time.Second) // as stored
	added.RequestTime = &metav1.Time{Time: now}
	recent = append(slices.Clone(requests), added)
	for len(recent) > minRequests {
		oldest := recent[0]
		expired := now.Sub(oldest.RequestTime.Time) > remembered
		if !expired && len(recent) <= maxRequests {
			break
		}
		if !expired {
			early = &oldest
		}
		recent = recent[1:]
	}
	return recent, early
}

// nextFree is the lowest number above the counter whose build name is free.
func (r *requests) nextFree(ctx context.Context, image *v1alpha1.Image) (int64, error) {
	for number := image.Status.BuildCounter + 1; ; number++ {
		name := trigger.BuildName(image.Name, number)
		switch _, err := r.builds.GetBuild(subresource.For(ctx, "imagebuilds", name), name); {
		case apierrors.IsNotFound(err):
			return number, nil
		case err != nil:
			return 0, err
		}
	}
}
