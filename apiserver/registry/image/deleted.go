// SPDX-License-Identifier: Apache-2.0

package image

import (
	"context"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/apiserver/pkg/util/dryrun"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/subresource"
	"goldsmith.dev/goldsmith/apiserver/requesterrors"
)

// BeforeDelete records the UID of a build in the record of its request, unless the controller has. It also records its
// revocation, and warns of channels that name the build. It is called before the build
// is deleted: a record without a UID means that no build of the request was deleted. Without space for the UID, the build is
// deleted all the same, because deletions free space: then a repetition of its request may get a second build.
func (r *requests) BeforeDelete(ctx context.Context, build *v1alpha1.ImageBuild) error {
	ref, started := build.Spec.ImageRef, build.Spec.Trigger
	if ref == nil || started == nil || build.Spec.Number == nil {
		return nil
	}
	_, err := r.images.Update(subresource.For(ctx, "images", ref.Name), ref.Name, nil, func(_ context.Context, image *v1alpha1.Image) error {
		if image.UID == ref.UID {
			warnOfChannels(ctx, image, build.Name)
			recordRevocation(image, build)
		}
		known := slices.IndexFunc(image.Status.RecentRequests, func(record v1alpha1.BuildRequestRecord) bool {
			return record.RequestID == started.RequestID && record.Number == *build.Spec.Number && record.UID == ""
		})
		if image.UID == ref.UID && known >= 0 {
			image.Status.RecentRequests[known].UID = build.UID
		}
		return nil
	})
	if err != nil && !apierrors.IsNotFound(err) && !requesterrors.IsFull(err) {
		return fmt.Errorf("record in image %s that imagebuild %s is deleted: %w", ref.Name, build.Name, err)
	}
	return nil
}

// recordRevocation records the revocation of a build in an Image that names the build.
func recordRevocation(image *v1alpha1.Image, build *v1alpha1.ImageBuild) {
	if latest := image.Status.LatestSuccessful; latest != nil && latest.Name == build.Name {
		latest.Revoked = build.Status.Revoked
	}
	for i := range image.Status.Channels {
		if channel := &image.Status.Channels[i]; channel.Build == build.Name {
			channel.Revoked = build.Status.Revoked
		}
	}
}

// holds reports whether a build that is to answer the request is its only one. Otherwise the record shows that the request had
// another build, which was deleted or has another number, before this one was created: then holds deletes this one.
//
// The record has the UID of a build before the build is deleted, and a build exists when it is found or was created. So if the
// record, read after that, has no other UID and the same number, the request has had no other build.
func (i *instantiation) holds(ctx context.Context, image *v1alpha1.Image, record v1alpha1.BuildRequestRecord, build *v1alpha1.ImageBuild) (bool, error) {
	if dryrun.IsDryRun(i.options.DryRun) {
		return true, nil
	}
	live, err := i.images.Get(subresource.For(ctx, "images", i.image), i.image)
	switch {
	case apierrors.IsNotFound(err):
		return true, nil // the build is deleted with its Image
	case err != nil:
		return false, err
	}
	known := i.known(live)
	if live.UID != image.UID || known < 0 {
		return true, nil
	}
	if now := live.Status.RecentRequests[known]; now.Number == record.Number && (now.UID == "" || now.UID == build.UID) {
		return true, nil
	}
	ctx = context.WithoutCancel(ctx) // a client that ends its request must not leave the build
	_, _, err = i.builds.Delete(subresource.For(ctx, "imagebuilds", build.Name), build.Name, rest.ValidateAllObjectFunc, metav1.NewPreconditionDeleteOptions(string(build.UID)))
	if apierrors.IsNotFound(err) {
		err = nil
	}
	return false, err
}

// Recorded returns the artifacts that the status of an Image has of a build, whose name is <image>-<number>: of its latest successful
// build, and of those that its channels name. It returns nil if no Image has the build in its status.
func (r *requests) Recorded(ctx context.Context, build string) ([]v1alpha1.Artifact, error) {
	at := strings.LastIndexByte(build, '-')
	if at <= 0 {
		return nil, nil
	}
	image, err := r.images.Get(subresource.For(ctx, "images", build[:at]), build[:at])
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read image %s for the artifacts of imagebuild %s: %w", build[:at], build, err)
	}
	return image.Status.RecordedArtifacts(build), nil
}
