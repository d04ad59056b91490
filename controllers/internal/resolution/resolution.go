// SPDX-License-Identifier: Apache-2.0

// Package resolution resolves the inputs of an Image or a build as they are now. It reads the objects that the inputs refer to,
// and jobs/inputs decides.
package resolution

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apis/notfound"
	"goldsmith.dev/goldsmith/jobs/inputs"
	"goldsmith.dev/goldsmith/jobs/trigger"
)

// Resolution is what inputs resolve to, or why they do not.
type Resolution struct {
	// Resolved inputs. It is nil if the inputs do not resolve.
	Resolved *v1alpha1.ResolvedInputs
	// Unresolved is why the inputs do not resolve. It is nil if they do.
	Unresolved *v1alpha1.BuildFailure
	// MayAppear is true if the missing object may still appear without a change of the inputs.
	MayAppear bool
	// BaseComing is trigger.BaseBuildPending of the base.
	BaseComing bool
}

// Sources read the objects that inputs refer to. All but Kept are required.
type Sources struct {
	// Kube reads ConfigMaps.
	Kube kubernetes.Interface
	// Bases reads base Images.
	Bases Bases
	// Builders are what the operator allows.
	Builders inputs.Builders
	// Kept reports whether the server keeps the content with a digest. If it is nil, the server keeps no artifacts.
	Kept func(digest string) bool
}

// Resolve resolves inputs. An error is an error of the API, and not of the inputs.
func (s Sources) Resolve(ctx context.Context, namespace string, given v1alpha1.BuildInputs) (Resolution, error) {
	if refused := s.Builders.Check(&given); refused != nil {
		return Resolution{Unresolved: refused}, nil
	}
	configMap, missing, err := s.configMap(ctx, namespace, given.Source)
	if err != nil {
		return Resolution{}, err
	}
	base, err := s.base(ctx, namespace, given.Base.ImageRef)
	if err != nil {
		return Resolution{}, err
	}
	resolved, unresolved := inputs.Resolve(given, inputs.Found{ConfigMap: configMap, Base: base, Kept: s.Kept})
	// A missing ConfigMap is the first failure of inputs. A base without artifacts may always get some.
	mayAppear := missing || unresolved != nil && unresolved.Reason == v1alpha1.ReasonBaseNotFound
	return Resolution{Resolved: resolved, Unresolved: unresolved, MayAppear: mayAppear, BaseComing: trigger.BaseBuildPending(given.Base.ImageRef, base)}, nil
}

// ResolveImage resolves the inputs of an Image at a time. They do not resolve if the required tests of its next build cannot be run, because that
// build would fail. Errors are those of Resolve.
func (s Sources) ResolveImage(ctx context.Context, image *v1alpha1.Image, now time.Time) (Resolution, error) {
	found, err := s.Resolve(ctx, image.Namespace, image.Spec.BuildInputs)
	if err != nil || found.Unresolved != nil {
		return found, err
	}
	if found.Unresolved = s.Builders.CheckTests(inputs.NextBuild(image, metav1.NewTime(now))); found.Unresolved == nil {
		found.Unresolved = inputs.CheckTestFiles(image.Spec.Tests, image.Spec.BuildInputs, found.Resolved)
	}
	if found.Unresolved != nil {
		found.Resolved = nil
	}
	return found, nil
}

// ResolveBuild resolves the inputs of a build. The pinned inputs of a rerun are not resolved again, and a build that tests the artifacts of another
// build needs no builder. Unresolved also reports files of tests that cannot be used: then Resolved is set, too, because the inputs do resolve.
// Errors are those of Resolve.
func (s Sources) ResolveBuild(ctx context.Context, build *v1alpha1.ImageBuild) (Resolution, error) {
	given := build.Spec.Inputs
	var found Resolution
	switch pinned := build.Spec.Pinned; {
	case pinned == nil:
		var err error
		if found, err = s.Resolve(ctx, build.Namespace, given); err != nil {
			return found, err
		}
	case build.Spec.Retests == nil:
		if refused := s.Builders.Check(&given); refused != nil {
			return Resolution{Unresolved: refused}, nil
		}
		fallthrough
	default:
		found.Resolved = inputs.ResolvePinned(given, pinned)
	}
	if found.Unresolved == nil {
		found.Unresolved = inputs.CheckTestFiles(build.Spec.Tests, given, found.Resolved)
	}
	return found, nil
}

// configMap reads the ConfigMap that a source names, if it names one.
func (s Sources) configMap(ctx context.Context, namespace string, source *v1alpha1.Source) (configMap *corev1.ConfigMap, missing bool, err error) {
	if source == nil || source.ConfigMapRef == nil {
		return nil, false, nil
	}
	configMap, err = s.Kube.CoreV1().ConfigMaps(namespace).Get(ctx, source.ConfigMapRef.Name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil, true, nil
	case err != nil:
		return nil, false, fmt.Errorf("read ConfigMap %s/%s: %w", namespace, source.ConfigMapRef.Name, err)
	}
	return configMap, false, nil
}

// base reads the base Image of inputs. It is nil if the base is not an Image, or the Image does not exist.
func (s Sources) base(ctx context.Context, namespace string, ref *v1alpha1.BaseImageReference) (*v1alpha1.Image, error) {
	if ref == nil {
		return nil, nil
	}
	image, err := s.Bases(ctx, namespace, ref.Name)
	switch {
	case notfound.Object(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read base image %s/%s: %w", namespace, ref.Name, err)
	}
	return image, nil
}
