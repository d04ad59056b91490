// SPDX-License-Identifier: Apache-2.0

package image

import (
	"cmp"
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/client-go/kubernetes"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/store"
	"goldsmith.dev/goldsmith/apiserver/registry/subresource"
	"goldsmith.dev/goldsmith/apiserver/resources"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

// Sources reads the objects that inputs refer to, with the permissions of the server.
type Sources struct {
	configMaps     typedcorev1.ConfigMapsGetter
	images, builds rest.Getter
	clock          clock.PassiveClock
}

func newSources(scope *resources.Scope, images, builds rest.Getter, clock clock.PassiveClock) (*Sources, error) {
	client, err := kubernetes.NewForConfig(cmp.Or(scope.Core, scope.Loopback))
	if err != nil {
		return nil, fmt.Errorf("read ConfigMaps: %w", err)
	}
	return &Sources{configMaps: client.CoreV1(), images: images, builds: builds, clock: clock}, nil
}

// ConfigMap reads a ConfigMap. It is nil if it does not exist.
func (s *Sources) ConfigMap(ctx context.Context, namespace, name string) (*corev1.ConfigMap, error) {
	configMap, err := s.configMaps.ConfigMaps(namespace).Get(ctx, name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, apierrors.NewInternalError(fmt.Errorf("read ConfigMap %s/%s: %w", namespace, name, err))
	}
	return configMap, nil
}

// Base reads a base Image. It is nil if it does not exist.
func (s *Sources) Base(ctx context.Context, name string) (*v1alpha1.Image, error) {
	found, err := store.Get[*v1alpha1.Image](ctx, s.images, name)
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return found, nil
}

// Revoked returns the revocation of the build that a reference to a base Image selects, or nil if that build is not revoked.
func (s *Sources) Revoked(ctx context.Context, ref *v1alpha1.BaseImageReference, base *v1alpha1.Image) (*v1alpha1.Revocation, error) {
	name, _ := inputs.SelectedBuild(ref, base)
	if name == "" {
		return nil, nil
	}
	build, err := store.Get[*v1alpha1.ImageBuild](subresource.For(ctx, "imagebuilds", name), s.builds, name)
	if err != nil && !apierrors.IsNotFound(err) {
		return nil, err
	}
	if revoked := inputs.RevocationOf(name, base, build); revoked.InEffect(s.clock.Now()) {
		return revoked, nil
	}
	return nil, nil
}

// resolve returns what the inputs of an Image resolve to now, or why they do not resolve.
func (s *Sources) resolve(ctx context.Context, image *v1alpha1.Image) (*v1alpha1.ResolvedInputs, *v1alpha1.BuildFailure, error) {
	given, found := image.Spec.BuildInputs, inputs.Found{Source: image.Status.Source}
	var err error
	if source := given.Source; source != nil && source.ConfigMapRef != nil {
		if found.ConfigMap, err = s.ConfigMap(ctx, image.Namespace, source.ConfigMapRef.Name); err != nil {
			return nil, nil, err
		}
	}
	if ref := given.Base.ImageRef; ref != nil {
		if found.Base, err = s.Base(subresource.For(ctx, "images", ref.Name), ref.Name); err != nil {
			return nil, nil, err
		}
		if found.Revoked, err = s.Revoked(ctx, ref, found.Base); err != nil {
			return nil, nil, err
		}
	}
	resolved, unresolved := inputs.Resolve(given, found)
	if unresolved == nil {
		unresolved = inputs.CheckTestFiles(image.Spec.Tests, given, resolved)
	}
	if unresolved != nil {
		return nil, unresolved, nil
	}
	return resolved, nil, nil
}
