// SPDX-License-Identifier: Apache-2.0

package history

import (
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	apirequest "k8s.io/apiserver/pkg/endpoints/request"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/records"
)

// RecordedBuild is a build as it is recorded: its name, namespace and UID, its spec and its status.
type RecordedBuild struct {
	*v1alpha1.ImageBuild
	// Summarized is set if each file has a contents.Summary instead of its content.
	Summarized bool
}

// ReadBuild reads the record of a build that the user can read. The name must match, too, because permissions are by name. The resource is the
// resource of the request, such as imagebuilds/diff.
func ReadBuild(ctx context.Context, database *Database, resource, name string, uid types.UID) (*RecordedBuild, error) {
	store, err := database.Store()
	switch {
	case err != nil:
		return nil, Error(err, resource, name)
	case store == nil:
		return nil, noSuchBuild(name, uid)
	}
	namespace := apirequest.NamespaceValue(ctx)
	record, err := store.Build(ctx, namespace, uid)
	switch {
	case errors.Is(err, records.ErrNotFound), err == nil && record.Name != name:
		return nil, noSuchBuild(name, uid)
	case err != nil:
		return nil, Error(err, resource, name)
	}
	limit, err := database.Limit(ctx)
	switch {
	case err != nil:
		return nil, err
	case limit != "" && limit != record.NamespaceUID:
		return nil, noSuchBuild(name, uid)
	}
	return &RecordedBuild{
		ImageBuild: &v1alpha1.ImageBuild{ObjectMeta: metaOf(namespace, name, uid), Spec: record.Spec, Status: record.Status},
		Summarized: record.Summarized,
	}, nil
}

func noSuchBuild(name string, uid types.UID) error {
	err := apierrors.NewNotFound(v1alpha1.Resource("imagebuilds"), name)
	err.ErrStatus.Message = fmt.Sprintf("imagebuild %q with UID %s does not exist and has no record", name, uid)
	return err
}
