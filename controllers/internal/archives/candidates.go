// SPDX-License-Identifier: Apache-2.0

package archives

import (
	"context"
	"fmt"
	"slices"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/controllers/internal/caches"
	"goldsmith.dev/goldsmith/jobs/probe"
	"goldsmith.dev/goldsmith/jobs/trigger"
)

// Candidates returns the newer versions of the packages in the latest successful build of an Image, whose builds are in the order of their
// numbers. It returns nil if nobody asks for them, or no build has succeeded. again is when to ask again without an event, if the packages are
// unknown or a resolve runs. An error is an error of the API.
func (a *Archives) Candidates(ctx context.Context, image *v1alpha1.Image, builds []v1alpha1.ImageBuild) (found *trigger.Candidates, again time.Duration, err error) {
	if image.Spec.Triggers.OnPackageChange == nil {
		return nil, 0, nil
	}
	packages, err := probe.PackagesOf(ctx, known{a}, a.Builders, image, builds)
	if err != nil {
		return nil, 0, err
	}
	found, err = packages.Candidates(ctx, known{a}, image.Status.Packages, a.Clock.Now())
	switch {
	case err != nil || found == nil:
		return nil, 0, err
	case packages.Unknown() != nil && !packages.Unknown().Final:
		again = readAgain
	case found.Unknown == "" && image.Spec.Base.ImageRef == nil:
		again, err = a.addResolve(ctx, whole{image, packages}, found)
	}
	return found, again, err
}

// BaseComing reports whether a base of an Image, or an Image that it is based on, is built because of new packages, will be, or is about to change. A build
// of the Image waits for it, so that each Image is built once.
func (a *Archives) BaseComing(ctx context.Context, image *v1alpha1.Image) (bool, error) {
	read := func(name string) (*v1alpha1.Image, error) { return known{a}.Image(ctx, image.Namespace, name) }
	return trigger.BaseComing(image, a.Clock.Now(), read, func(base *v1alpha1.Image) (bool, error) {
		builds, err := caches.BuildsOf(ctx, a.cache, base)
		if err != nil {
			return false, err
		}
		if slices.ContainsFunc(builds, func(build v1alpha1.ImageBuild) bool { return !build.Status.Finished && build.Counts() }) {
			return true, nil // which the status may not tell yet
		}
		found, _, err := a.Candidates(ctx, base, builds)
		if err != nil {
			return false, err
		}
		return found != nil && trigger.PackagesDue(trigger.Observed{Image: base, Candidates: found, Now: a.Clock.Now()}), nil
	})
}

// known reads from the cache, and the contents of builds from the locks.
type known struct{ *Archives }

var _ probe.API = known{}

// Image returns an Image of the cache.
func (k known) Image(ctx context.Context, namespace, name string) (*v1alpha1.Image, error) {
	return cached(ctx, k.cache, client.ObjectKey{Namespace: namespace, Name: name}, &v1alpha1.Image{})
}

// Build returns a build of the cache.
func (k known) Build(ctx context.Context, namespace, name string) (*v1alpha1.ImageBuild, error) {
	return cached(ctx, k.cache, client.ObjectKey{Namespace: namespace, Name: name}, &v1alpha1.ImageBuild{})
}

// BuildsOf returns the builds of an Image.
func (k known) BuildsOf(ctx context.Context, image *v1alpha1.Image) ([]v1alpha1.ImageBuild, error) {
	return caches.BuildsOf(ctx, k.cache, image)
}

// Archive returns an Archive of the cache.
func (k known) Archive(ctx context.Context, name string) (*v1alpha1.Archive, error) {
	return cached(ctx, k.cache, client.ObjectKey{Name: name}, &v1alpha1.Archive{})
}

// Content returns what a build is made of.
func (k known) Content(ctx context.Context, build *v1alpha1.ImageBuild) (*probe.Content, error) {
	return k.locks.of(ctx, build, k.Clock.Now())
}

// cached returns an object of the cache, or nil if it does not exist.
func cached[T any, P interface {
	*T
	client.Object
}](ctx context.Context, cache client.Reader, key client.ObjectKey, object P) (P, error) {
	err := cache.Get(ctx, key, object, client.UnsafeDisableDeepCopy)
	if err == nil {
		return object, nil
	}
	if err = client.IgnoreNotFound(err); err != nil {
		err = fmt.Errorf("get %T %s: %w", object, key, err)
	}
	return nil, err
}
