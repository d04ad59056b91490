// SPDX-License-Identifier: Apache-2.0

package status

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

// revokedBases are the revoked builds that successful builds are based on, directly or through other builds, by the names of the latter.
type revokedBases map[types.NamespacedName]*v1alpha1.ImageBuild

// basedOnRevoked finds the builds that are based on a revoked build. It reads all successful builds only if a build is revoked.
func basedOnRevoked(ctx context.Context, connection *client.Connection, namespace string, now time.Time) (revokedBases, error) {
	revoked, err := connection.ListBuilds(ctx, namespace, fields.OneTermEqualSelector("status.revoked", "true"))
	if apierrors.IsBadRequest(err) { // the server is older, and revokes no builds
		return nil, nil
	}
	if err != nil || len(revoked) == 0 {
		return nil, err
	}
	builds, err := connection.ListBuilds(ctx, namespace, fields.OneTermEqualSelector("status.phase", string(v1alpha1.BuildSucceeded)))
	if err != nil {
		return nil, err
	}
	byName := map[types.NamespacedName]*v1alpha1.ImageBuild{}
	for i := range builds {
		byName[types.NamespacedName{Namespace: builds[i].Namespace, Name: builds[i].Name}] = &builds[i]
	}
	based := revokedBases{}
	for key, build := range byName {
		find := func(name string) *v1alpha1.ImageBuild {
			return byName[types.NamespacedName{Namespace: key.Namespace, Name: name}]
		}
		if base := inputs.RevokedBase(build, find, now); base != nil {
			based[key] = base
		}
	}
	return based, nil
}

// of returns why an Image needs attention whose latest successful build is based on a revoked build, or nil.
func (r revokedBases) of(image *v1alpha1.Image) *finding {
	latest := image.Status.LatestSuccessful
	if latest == nil {
		return nil
	}
	base := r[types.NamespacedName{Namespace: image.Namespace, Name: latest.Name}]
	if base == nil {
		return nil
	}
	return &finding{
		severity: outdated, reason: string(v1alpha1.ReasonBaseRevoked), since: base.Status.Revoked.Since(),
		message: fmt.Sprintf("build %s is based on build %s: build image %s again once its base is another build. That was %s", latest.Name, base.Name, image.Name, base.Status.Revoked.Explain()),
	}
}
