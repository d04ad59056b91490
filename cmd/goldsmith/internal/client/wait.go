// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"errors"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
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
	return c.wait(ctx, selector, nil, wanted)
}

// WaitUntilFinished returns a build once it has finished. One that is not there any more is ErrBuildDeleted.
func (c *Connection) WaitUntilFinished(ctx context.Context, name string) (*v1alpha1.ImageBuild, error) {
	selector := fields.OneTermEqualSelector("metadata.name", name)
	exists := func(store cache.Store) (bool, error) {
		if len(store.ListKeys()) == 0 {
			return false, fmt.Errorf("%s: %w", name, ErrBuildDeleted)
		}
		return false, nil
	}
	build, err := c.wait(ctx, selector, exists, func(build *v1alpha1.ImageBuild) bool { return build.Status.Finished })
	if err != nil {
		return nil, fmt.Errorf("wait for build %s: %w", name, err)
	}
	return build, nil
}

// wait is WaitForBuild with a look at what there is at first.
func (c *Connection) wait(ctx context.Context, selector fields.Selector, first watchtools.PreconditionFunc,
	wanted func(*v1alpha1.ImageBuild) bool) (*v1alpha1.ImageBuild, error) {
	builds := c.ImagesV1alpha1().ImageBuilds(c.Namespace)
	selected := cache.ToListWatcherWithWatchListSemantics(&cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			options.FieldSelector = selector.String()
			return builds.List(ctx, options)
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			options.FieldSelector = selector.String()
			return builds.Watch(ctx, options)
		},
	}, c.Interface)
	last, err := watchtools.UntilWithSync(ctx, selected, &v1alpha1.ImageBuild{}, first, func(event watch.Event) (bool, error) {
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
