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
	"k8s.io/utils/clock"

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
	// Waits is why the inputs of a build cannot be resolved yet, for users. Resolved and Unresolved are nil then.
	Waits string
	// RevokedFrom is when the scheduled revocation of the base takes effect. It is zero if none is scheduled.
	RevokedFrom time.Time
}

// Sources read the objects that inputs refer to. All but Kept are required.
type Sources struct {
	// Kube reads ConfigMaps.
	Kube kubernetes.Interface
	// Bases reads base Images and their builds.
	Bases Bases
	// Clock tells whether a revocation has taken effect.
	Clock clock.PassiveClock
	// Builders are what the operator allows.
	Builders inputs.Builders
	// Kept reports whether the server keeps the content with a digest. If it is nil, the server keeps no artifacts.
	Kept func(digest string) bool
}

// Resolve resolves inputs. checks are those of their source, or nil. An error is an error of the API, and not of the inputs.
func (s Sources) Resolve(ctx context.Context, namespace string, given v1alpha1.BuildInputs, checks *v1alpha1.ImageSource) (Resolution, error) {
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
	selected, _ := inputs.SelectedBuild(given.Base.ImageRef, base)
	revoked, err := s.revocation(ctx, namespace, selected, base)
	if err != nil {
		return Resolution{}, err
	}
	found, now := inputs.Found{ConfigMap: configMap, Base: base, Source: checks, Kept: s.Kept}, s.Clock.Now()
	if revoked.InEffect(now) {
		found.Revoked = revoked
	}
	resolved, unresolved := inputs.Resolve(given, found)
	// A missing ConfigMap, or commit, is the first failure of inputs. A base without artifacts, or with revoked ones, may always get some.
	mayAppear := missing || unresolved != nil &&
		(inputs.Checked(given.Source) || unresolved.Reason == v1alpha1.ReasonBaseNotFound || unresolved.Reason == v1alpha1.ReasonBaseRevoked)
	return Resolution{
		Resolved: resolved, Unresolved: unresolved, MayAppear: mayAppear, BaseComing: trigger.BaseBuildPending(given.Base.ImageRef, base), RevokedFrom: revoked.Pending(now),
	}, nil
}

// ResolveImage resolves the inputs of an Image at a time. They do not resolve if the required tests of its next build cannot be run, because that
// build would fail. Errors are those of Resolve.
func (s Sources) ResolveImage(ctx context.Context, image *v1alpha1.Image, now time.Time) (Resolution, error) {
	found, err := s.Resolve(ctx, image.Namespace, image.Spec.BuildInputs, image.Status.Source)
	if err != nil || found.Unresolved != nil {
		if failure := found.Unresolved; failure != nil && failure.Reason == v1alpha1.ReasonSourceUnresolved {
			found.Unresolved = inputs.ImageNotChecked(image, inputs.CheckFollows)
		}
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
		checks, wait, refused, err := s.checks(ctx, build)
		if err != nil || wait != "" || refused != nil {
			return Resolution{Waits: wait, Unresolved: refused}, err
		}
		if found, err = s.Resolve(ctx, build.Namespace, given, checks); err != nil {
			return found, err
		}
	case build.Spec.Retests == nil:
		if refused := s.Builders.Check(&given); refused != nil {
			return Resolution{Unresolved: refused}, nil
		}
		fallthrough
	default:
		refused, err := s.Revoked(ctx, build)
		if err != nil || refused != nil {
			return Resolution{Unresolved: refused}, err
		}
		found.Resolved = inputs.ResolvePinned(given, pinned)
	}
	if found.Unresolved == nil {
		found.Unresolved = inputs.CheckTestFiles(build.Spec.Tests, given, found.Resolved)
	}
	return found, nil
}

// Revoked returns why a build that has not started must not start: the build that it is based on is revoked, or the build whose artifacts it tests
// again. It is nil if neither build is revoked. A build that reproduces another build makes nothing new, so that its base may be revoked.
func (s Sources) Revoked(ctx context.Context, build *v1alpha1.ImageBuild) (*v1alpha1.BuildFailure, error) {
	if retests := build.Spec.Retests; retests != nil {
		of, err := s.build(ctx, build.Namespace, retests.Name)
		if err != nil || of == nil || of.UID != retests.UID || !v1alpha1.Revoked(of, s.Clock.Now()) {
			return nil, err
		}
		return v1alpha1.ReasonRevoked.Failure("build %s, whose artifacts this build was to test, is revoked: build the image again. It was %s",
			of.Name, of.Status.Revoked.Explain()), nil
	}
	base, ref := inputs.BaseOfBuild(build), build.Spec.Inputs.Base.ImageRef
	if base == nil || build.Spec.Reproduces != nil {
		return nil, nil
	}
	image, err := s.base(ctx, build.Namespace, ref)
	if err != nil {
		return nil, err
	}
	of, err := s.build(ctx, build.Namespace, base.Name)
	if err != nil {
		return nil, err
	}
	var revoked *v1alpha1.Revocation
	if of == nil || inputs.IsBase(of, base) { // otherwise another build has its name
		revoked = inputs.RevocationOf(base.Name, image, of)
	}
	for _, digest := range inputs.Contents(base.Artifacts) {
		if revoked.InEffect(s.Clock.Now()) {
			break
		}
		if revoked, err = s.content(ctx, build.Namespace, digest); err != nil {
			return nil, err
		}
	}
	if !revoked.InEffect(s.Clock.Now()) {
		return nil, nil
	}
	if build.Spec.Pinned != nil {
		ref = nil // it does not follow the Image
	}
	return inputs.BaseRevoked(ref, base.Name, revoked), nil
}

// revocation returns the revocation of the build of a base Image, by its name. It is nil if that build is not revoked.
func (s Sources) revocation(ctx context.Context, namespace, name string, image *v1alpha1.Image) (*v1alpha1.Revocation, error) {
	if name == "" {
		return nil, nil
	}
	build, err := s.build(ctx, namespace, name)
	return inputs.RevocationOf(name, image, build), err
}

// build reads a build. It is nil if it does not exist.
func (s Sources) build(ctx context.Context, namespace, name string) (*v1alpha1.ImageBuild, error) {
	build, err := s.Bases.Build(ctx, namespace, name)
	switch {
	case notfound.Object(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read imagebuild %s/%s: %w", namespace, name, err)
	}
	return build, nil
}

// content returns the revocation of a content. It is nil if the content is not revoked.
func (s Sources) content(ctx context.Context, namespace, digest string) (*v1alpha1.Revocation, error) {
	name := v1alpha1.RevokedArtifactName(digest)
	found, err := s.Bases.Artifact(ctx, namespace, name)
	switch {
	case notfound.Object(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read revokedartifact %s/%s: %w", namespace, name, err)
	}
	return &found.Spec.Revocation, nil
}

// checks returns the checks of the source of a build, or why the build waits for the next one, or cannot have it.
func (s Sources) checks(ctx context.Context, build *v1alpha1.ImageBuild) (checks *v1alpha1.ImageSource, wait string, refused *v1alpha1.BuildFailure, err error) {
	if !inputs.Checked(build.Spec.Inputs.Source) || build.Spec.ImageRef == nil {
		return nil, "", nil, nil
	}
	image, err := s.base(ctx, build.Namespace, &v1alpha1.BaseImageReference{Name: build.Spec.ImageRef.Name})
	if err != nil {
		return nil, "", nil, err
	}
	if image != nil && image.UID != build.Spec.ImageRef.UID { // another Image of its name
		image = nil
	}
	if image != nil {
		checks = image.Status.Source
	}
	wait, refused = inputs.AwaitCheck(build, image)
	return checks, wait, refused, nil
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
	image, err := s.Bases.Image(ctx, namespace, ref.Name)
	switch {
	case notfound.Object(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read base image %s/%s: %w", namespace, ref.Name, err)
	}
	return image, nil
}
