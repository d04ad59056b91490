// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// ErrBuildDeleted reports that a build was deleted while a verb waited for it.
var ErrBuildDeleted = errors.New("the build was deleted")

// ErrImageDeleted reports that an Image was deleted while a verb waited for it.
var ErrImageDeleted = errors.New("the image was deleted")

// WaitForBuild watches the builds that a field selector selects, including existing builds, until wanted returns true for a
// build. It outlives a restart of the server.
func (c *Connection) WaitForBuild(ctx context.Context, selector fields.Selector, wanted func(*v1alpha1.ImageBuild) bool) (*v1alpha1.ImageBuild, error) {
	return c.wait(ctx, selector, nil, wanted)
}

// ObserveUntilFinished returns a build once it has finished, after a call for each state of the build that the watch returns, the last
// one included. The error is ErrBuildDeleted if the build does not exist any more.
func (c *Connection) ObserveUntilFinished(ctx context.Context, name string, observe func(*v1alpha1.ImageBuild)) (*v1alpha1.ImageBuild, error) {
	selector := fields.OneTermEqualSelector("metadata.name", name)
	exists := func(store cache.Store) (bool, error) {
		if len(store.ListKeys()) == 0 {
			return false, fmt.Errorf("%s: %w", name, ErrBuildDeleted)
		}
		return false, nil
	}
	build, err := c.wait(ctx, selector, exists, func(build *v1alpha1.ImageBuild) bool {
		observe(build)
		return build.Status.Finished
	})
	if err != nil {
		return nil, fmt.Errorf("wait for build %s: %w", name, err)
	}
	return build, nil
}

// wait is WaitForBuild with a precondition on the builds that exist at first.
func (c *Connection) wait(ctx context.Context, selector fields.Selector, first watchtools.PreconditionFunc,
	wanted func(*v1alpha1.ImageBuild) bool) (*v1alpha1.ImageBuild, error) {
	builds := c.ImagesV1alpha1().ImageBuilds(c.Namespace)
	source := &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			options.FieldSelector = selector.String()
			return builds.List(ctx, options)
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			options.FieldSelector = selector.String()
			return builds.Watch(ctx, options)
		},
	}
	return until(ctx, c, source, &v1alpha1.ImageBuild{}, first, ErrBuildDeleted, wanted)
}

// WaitForImage watches an Image until wanted returns true. It returns ErrImageDeleted if the Image does not exist any more.
func (c *Connection) WaitForImage(ctx context.Context, name string, wanted func(*v1alpha1.Image) bool) (*v1alpha1.Image, error) {
	images, selector := c.ImagesV1alpha1().Images(c.Namespace), fields.OneTermEqualSelector("metadata.name", name).String()
	exists := func(store cache.Store) (bool, error) {
		if len(store.ListKeys()) == 0 {
			return false, fmt.Errorf("%s: %w", name, ErrImageDeleted)
		}
		return false, nil
	}
	source := &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			options.FieldSelector = selector
			return images.List(ctx, options)
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			options.FieldSelector = selector
			return images.Watch(ctx, options)
		},
	}
	return until(ctx, c, source, &v1alpha1.Image{}, exists, ErrImageDeleted, wanted)
}

// WaitForSigningKey watches a SigningKey, which exists, until wanted returns true.
func (c *Connection) WaitForSigningKey(ctx context.Context, name string, wanted func(*v1alpha1.SigningKey) bool) (*v1alpha1.SigningKey, error) {
	keys, selector := c.ImagesV1alpha1().SigningKeys(), fields.OneTermEqualSelector("metadata.name", name).String()
	source := &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			options.FieldSelector = selector
			return keys.List(ctx, options)
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			options.FieldSelector = selector
			return keys.Watch(ctx, options)
		},
	}
	return until(ctx, c, source, &v1alpha1.SigningKey{}, nil, errors.New("the SigningKey was deleted"), wanted)
}

// until watches objects until wanted returns true for an object. If an object is deleted before, the error is deleted. The watch
// does not log, because a command itself tells its user what an interrupted watch means.
func until[T interface {
	runtime.Object
	metav1.Object
}](ctx context.Context, c *Connection, source *cache.ListWatch, example T, first watchtools.PreconditionFunc, deleted error, wanted func(T) bool) (T, error) {
	var none T
	reached := &cache.ListWatch{
		ListWithContextFunc:  withRetries(source.ListWithContextFunc),
		WatchFuncWithContext: withRetries(source.WatchFuncWithContext),
	}
	selected := cache.ToListWatcherWithWatchListSemantics(reached, c.Interface)
	last, err := watchtools.UntilWithSync(logr.NewContext(ctx, logr.Discard()), selected, example, first, func(event watch.Event) (bool, error) {
		object, ok := event.Object.(T)
		switch {
		case !ok:
			return false, fmt.Errorf("the watch of %T returned a %T", example, event.Object)
		case event.Type == watch.Deleted:
			return false, fmt.Errorf("%s: %w", object.GetName(), deleted)
		}
		return wanted(object), nil
	})
	if ctx.Err() != nil {
		return none, ctx.Err() // clearer than the timeout that the watch makes of it
	}
	if err != nil {
		return none, err
	}
	return last.Object.(T), nil
}

// RetryInterval is how long after a failure a server that restarts is asked again.
const RetryInterval = time.Second

// withRetries repeats a request at a fixed interval while the server is unavailable. The backoff of client-go grows to a minute, and
// cannot be configured (https://github.com/kubernetes/kubernetes/issues/136943).
func withRetries[T any](request func(context.Context, metav1.ListOptions) (T, error)) func(context.Context, metav1.ListOptions) (T, error) {
	return func(ctx context.Context, options metav1.ListOptions) (T, error) {
		for {
			answer, err := request(ctx, options)
			if err == nil || !Temporary(err) {
				return answer, err
			}
			select {
			case <-ctx.Done():
				return answer, ctx.Err()
			case <-time.After(RetryInterval):
			}
		}
	}
}

// Temporary reports whether it may help to repeat a request: a server that restarts refuses connections, breaks them, or reports that
// it is unavailable.
func Temporary(err error) bool {
	var answer apierrors.APIStatus
	if !errors.As(err, &answer) {
		return true
	}
	return apierrors.IsServiceUnavailable(err) || apierrors.IsTooManyRequests(err) || apierrors.IsServerTimeout(err) || apierrors.IsTimeout(err)
}
