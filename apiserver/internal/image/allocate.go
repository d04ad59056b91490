// SPDX-License-Identifier: Apache-2.0

package image

import (
	"context"
	"errors"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/registry/rest"

	"goldsmith.dev/goldsmith/apiserver/internal/images"
	"goldsmith.dev/goldsmith/apiserver/internal/stored"
	"goldsmith.dev/goldsmith/jobs/trigger"
)

// maxRecentRequests is the maximum of an Image's recent requests.
const maxRecentRequests = 32

// allocate gives the request its number: the recorded number, or the next free number, which it records. taken is a number
// that was recorded for this request and belongs to another build, or 0. The returned Image has the record, so its spec and
// the number belong together.
func (i *instantiation) allocate(ctx context.Context, taken int64) (*images.Image, images.BuildRequestRecord, error) {
	var record images.BuildRequestRecord
	write := rest.DefaultUpdatedObjectInfo(nil, func(ctx context.Context, _, old runtime.Object) (runtime.Object, error) {
		existing, err := stored.Image(old)
		if err != nil {
			return nil, err
		}
		image := existing.DeepCopy()
		if err := i.refuse(image); err != nil {
			return nil, err
		}
		record, err = i.record(ctx, image, taken)
		return image, err
	})
	object, _, err := i.images.Update(on(ctx, "images", i.image), i.image, write, nil, nil, false, &metav1.UpdateOptions{DryRun: i.options.DryRun})
	if err != nil {
		return nil, record, err
	}
	image, err := stored.Image(object)
	return image, record, err
}

// refuse returns why the existing Image gets no build by this request.
func (i *instantiation) refuse(image *images.Image) error {
	conflict := func(why string) error {
		return apierrors.NewConflict(images.Resource("images"), image.Name, errors.New(why))
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
func (i *instantiation) known(image *images.Image) int {
	return slices.IndexFunc(image.Status.RecentRequests, func(record images.BuildRequestRecord) bool {
		return record.RequestID == i.requestID
	})
}

// record finds the request among the Image's recent requests, or adds it.
func (i *instantiation) record(ctx context.Context, image *images.Image, taken int64) (images.BuildRequestRecord, error) {
	status := &image.Status
	known := i.known(image)
	if known >= 0 && status.RecentRequests[known].Number != taken {
		return status.RecentRequests[known], nil
	}
	if err := i.check(image); err != nil {
		return images.BuildRequestRecord{}, err
	}
	number, err := i.nextFree(ctx, image)
	if err != nil {
		return images.BuildRequestRecord{}, err
	}
	status.BuildCounter = number
	record := images.BuildRequestRecord{RequestID: i.requestID, Number: number}
	if known >= 0 {
		status.RecentRequests[known] = record
		return record, nil
	}
	status.RecentRequests = append(status.RecentRequests, record)
	if more := len(status.RecentRequests) - maxRecentRequests; more > 0 {
		status.RecentRequests = slices.Delete(status.RecentRequests, 0, more)
	}
	return record, nil
}

// nextFree is the lowest number above the counter whose build name is free.
func (i *instantiation) nextFree(ctx context.Context, image *images.Image) (int64, error) {
	for number := image.Status.BuildCounter + 1; ; number++ {
		name := trigger.BuildName(image.Name, number)
		switch _, err := i.builds.GetBuild(on(ctx, "imagebuilds", name), name); {
		case apierrors.IsNotFound(err):
			return number, nil
		case err != nil:
			return 0, err
		}
	}
}
