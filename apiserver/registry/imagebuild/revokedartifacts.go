// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	apirequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/apiserver/pkg/util/dryrun"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/store"
	"goldsmith.dev/goldsmith/apiserver/registry/subresource"
	"goldsmith.dev/goldsmith/apiserver/resources"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

// revokedArtifacts are the revoked contents of namespaces. They outlive the builds that were revoked with them.
type revokedArtifacts struct {
	store.Store[*v1alpha1.RevokedArtifact]
}

// get returns the RevokedArtifact of a digest, or nil.
func (a revokedArtifacts) get(ctx context.Context, digest string) (*v1alpha1.RevokedArtifact, error) {
	name := v1alpha1.RevokedArtifactName(digest)
	found, err := a.Get(subresource.For(ctx, "revokedartifacts", name), name)
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("get revokedartifact %s: %w", name, err)
	}
	return found, nil
}

// of returns the revocation of artifacts that takes effect first, with the build that it came with as its origin. It is nil if none of them is revoked.
func (a revokedArtifacts) of(ctx context.Context, artifacts []v1alpha1.Artifact) (earliest *v1alpha1.Revocation, err error) {
	for _, digest := range inputs.Contents(artifacts) {
		found, err := a.get(ctx, digest)
		if err != nil {
			return nil, err
		}
		if found != nil && (earliest == nil || found.Spec.Revocation.Since().Before(earliest.Since())) {
			earliest = found.Spec.Revocation.DeepCopy()
			earliest.Origin = found.Spec.Build
		}
	}
	return earliest, nil
}

// record records the revocation of a build for each content of its artifacts. replaces tells whether the revocation replaces that of an artifact which is revoked
// already.
func (a revokedArtifacts) record(ctx context.Context, build *v1alpha1.ImageBuild, revocation *v1alpha1.Revocation, replaces func(stored *v1alpha1.Revocation) bool) error {
	for _, digest := range inputs.Contents(inputs.ArtifactsOf(build)) {
		wanted := v1alpha1.RevokedArtifact{
			ObjectMeta: metav1.ObjectMeta{Namespace: build.Namespace, Name: v1alpha1.RevokedArtifactName(digest)},
			Spec:       v1alpha1.RevokedArtifactSpec{Digest: digest, Build: build.Name, Revocation: *revocation},
		}
		if ref := build.Spec.ImageRef; ref != nil {
			wanted.Spec.Image = ref.Name
		}
		if err := a.write(subresource.For(ctx, "revokedartifacts", wanted.Name), &wanted, replaces); err != nil {
			return fmt.Errorf("record in revokedartifact %s that imagebuild %s is revoked: %w", wanted.Name, build.Name, err)
		}
	}
	return nil
}

func (a revokedArtifacts) write(ctx context.Context, wanted *v1alpha1.RevokedArtifact, replaces func(stored *v1alpha1.Revocation) bool) error {
	for {
		stored, err := a.get(ctx, wanted.Spec.Digest)
		if err != nil {
			return err
		}
		if stored == nil {
			if _, err = a.Create(ctx, wanted.DeepCopy(), rest.ValidateAllObjectFunc, &metav1.CreateOptions{}); apierrors.IsAlreadyExists(err) {
				continue
			}
			return err
		}
		if !replaces(&stored.Spec.Revocation) {
			return nil
		}
		_, err = a.Update(ctx, wanted.Name, nil, func(_ context.Context, object *v1alpha1.RevokedArtifact) error {
			if replaces(&object.Spec.Revocation) {
				object.Spec = wanted.Spec
			}
			return nil
		})
		if !apierrors.IsNotFound(err) { // else it was deleted meanwhile
			return err
		}
	}
}

// forget deletes the RevokedArtifact of a digest.
func (a revokedArtifacts) forget(ctx context.Context, digest string) error {
	name := v1alpha1.RevokedArtifactName(digest)
	_, _, err := a.Delete(subresource.For(ctx, "revokedartifacts", name), name, rest.ValidateAllObjectFunc, &metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("delete revokedartifact %s: %w", name, err)
	}
	return nil
}

// keepRevocation records the revocation of a build that is about to be deleted, if an earlier version of the server has not. A namespace that terminates
// keeps none.
func (s *REST) keepRevocation(ctx context.Context, build *v1alpha1.ImageBuild) error {
	if build.Status.Revoked == nil {
		return nil
	}
	namespace, err := s.client.CoreV1().Namespaces().Get(ctx, apirequest.NamespaceValue(ctx), metav1.GetOptions{})
	if err == nil && namespace.Status.Phase == corev1.NamespaceTerminating {
		return nil
	}
	return s.revoked().record(ctx, build, build.Status.Revoked, func(*v1alpha1.Revocation) bool { return false })
}

// statusREST is the subresource status. With it, no build succeeds with a revoked content, however old the caches of its controller are.
type statusREST struct {
	*resources.StatusREST
	*revoker
}

// Update changes the status. It refuses the success of a build with a revoked artifact, unless the build is to make the artifacts of another build: then, or
// if the revocation is scheduled, the build gets the revocation.
func (s statusREST) Update(ctx context.Context, name string, object rest.UpdatedObjectInfo, createValidation rest.ValidateObjectFunc,
	updateValidation rest.ValidateObjectUpdateFunc, forceAllowCreate bool, options *metav1.UpdateOptions) (runtime.Object, bool, error) {
	succeeds := false
	object = rest.WrapUpdatedObjectInfo(object, func(ctx context.Context, object, old runtime.Object) (runtime.Object, error) {
		build, err := store.As[*v1alpha1.ImageBuild](object)
		if err != nil {
			return nil, err
		}
		stored, err := store.As[*v1alpha1.ImageBuild](old)
		if err != nil {
			return nil, err
		}
		if succeeds = build.Status.Phase == v1alpha1.BuildSucceeded && !stored.Status.Finished; !succeeds {
			return object, nil
		}
		revoked, err := s.artifacts.of(ctx, build.Status.Artifacts)
		if err != nil || revoked == nil {
			return object, err
		}
		if build.Spec.Reproduces == nil && revoked.InEffect(s.clock.Now()) {
			return nil, subresource.Invalid(v1alpha1.Kind("ImageBuild").GroupKind(), name, field.ErrorList{field.Forbidden(status.Child("phase"),
				fmt.Sprintf("an artifact is one of build %s, which is revoked: set phase to Cancelled. It was %s", revoked.Origin, revoked.Explain()))})
		}
		build = build.DeepCopy()
		build.Status.Revoked = revoked // unless it has its own already: the strategy decides
		return build, nil
	})
	updated, created, err := s.StatusREST.Update(ctx, name, object, createValidation, updateValidation, forceAllowCreate, options)
	if err != nil || !succeeds || dryrun.IsDryRun(options.DryRun) {
		return updated, created, err
	}
	// A revocation of the content may have begun after the check, and have found the build unfinished. One of the two sees the other.
	build, err := store.As[*v1alpha1.ImageBuild](updated)
	if err != nil {
		return nil, false, err
	}
	revoked, err := s.artifacts.of(ctx, build.Status.Artifacts)
	if err != nil || revoked == nil || build.Status.Revoked != nil {
		return updated, created, err
	}
	updated, err = s.builds.Update(ctx, name, nil, func(_ context.Context, build *v1alpha1.ImageBuild) error {
		if build.Status.Revoked == nil {
			build.Status.Revoked = revoked
		}
		return nil
	})
	return updated, created, err
}
