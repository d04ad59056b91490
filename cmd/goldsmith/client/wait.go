// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// ErrBuildDeleted says that a build was deleted while it was waited for.
var ErrBuildDeleted = errors.New("the build was deleted")

// WaitForBuild watches the builds that a field selector selects, those that exist already first, until one of them is
// what is waited for. It outlives a restart of the server.
func (c *Connection) WaitForBuild(ctx context.Context, selector fields.Selector, wanted func(*v1alpha1.ImageBuild) bool) (*v1alpha1.ImageBuild, error) {
	builds := cache.NewListWatchFromClient(c.ImagesV1alpha1().RESTClient(), "imagebuilds", c.Namespace, selector)
	last, err := watchtools.UntilWithSync(ctx, builds, &v1alpha1.ImageBuild{}, nil, func(event watch.Event) (bool, error) {
		build, ok := event.Object.(*v1alpha1.ImageBuild)
		switch {
		case !ok:
			return false, fmt.Errorf("a watch of builds brought a %T", event.Object)
		case event.Type == watch.Deleted:
			return false, fmt.Errorf("%s: %w", build.Name, ErrBuildDeleted)
		}
		return wanted(build), nil
	})
	if ctx.Err() != nil {
		return nil, ctx.Err() // clearer than the timeout that the watch makes of it
	}
	if err != nil {
		return nil, err
	}
	return last.Object.(*v1alpha1.ImageBuild), nil
}

// WaitUntilFinished returns a build once it has finished.
func (c *Connection) WaitUntilFinished(ctx context.Context, name string) (*v1alpha1.ImageBuild, error) {
	selector := fields.OneTermEqualSelector("metadata.name", name)
	build, err := c.WaitForBuild(ctx, selector, func(build *v1alpha1.ImageBuild) bool { return build.Status.Finished })
	if err != nil {
		return nil, fmt.Errorf("wait for build %s: %w", name, err)
	}
	return build, nil
}
