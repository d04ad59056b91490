// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apiserver/pkg/registry/rest"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/history"
	"goldsmith.dev/goldsmith/apiserver/registry/store"
)

// reader reads builds, including deleted builds.
type reader struct {
	builds  rest.Getter
	records *history.Database
	kept    Artifacts // nil if the server keeps none
	limiter *limiter
}

// read reads a build: the existing build or, by its UID, the record of a deleted build. The resource is that of the request, such as
// imagebuilds/diff.
func (r reader) read(ctx context.Context, resource, name string, uid types.UID) (*history.RecordedBuild, error) {
	existing, err := store.Get[*v1alpha1.ImageBuild](ctx, r.builds, name)
	switch {
	case err != nil && (uid == "" || !apierrors.IsNotFound(err)):
		return nil, err
	case err != nil || uid != "" && existing.UID != uid:
		return history.ReadBuild(ctx, r.records, resource, name, uid)
	}
	return &history.RecordedBuild{ImageBuild: existing}, nil
}
