// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"context"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/util/dryrun"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/store"
	"goldsmith.dev/goldsmith/apiserver/registry/subresource"
	"goldsmith.dev/goldsmith/apiserver/resources"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

// revoker serves the subresources revoke and restore. Both change the build of the request, the other builds of its namespace that
// share an artifact with it and, on request, the builds that are based on any of these. Each build is one write, after those of its artifacts. A request that
// fails in between can be repeated.
type revoker struct {
	builds    store.Store[*v1alpha1.ImageBuild]
	artifacts revokedArtifacts
	scope     *resources.Scope
	clock     clock.PassiveClock
}

func newRevoker(builds *Store, scope *resources.Scope, clock clock.PassiveClock) *revoker {
	strategy := revocationStrategy{resources.NewDefaultStatusStrategy(scope.Scheme, v1alpha1.SchemeGroupVersion)}
	return &revoker{builds: store.Of[*v1alpha1.ImageBuild](builds.WithUpdateStrategy(strategy)), artifacts: builds.revoked(), scope: scope, clock: clock}
}

// revokeSubresource is the subresource revoke.
func (r *revoker) revokeSubresource() *subresource.Action[v1alpha1.RevokeRequest, *v1alpha1.RevokeRequest] {
	kind := v1alpha1.Kind("RevokeRequest").GroupKind()
	check := func(_ context.Context, name string, request *v1alpha1.RevokeRequest) error {
		return subresource.Invalid(kind, name, ValidateRevokeRequest(request, name, r.clock.Now()))
	}
	return subresource.NewAction("imagebuilds/revoke", v1alpha1.ImageBuild{}, check, r.revoke)
}

// restoreSubresource is the subresource restore.
func (r *revoker) restoreSubresource() *subresource.Action[v1alpha1.RestoreRequest, *v1alpha1.RestoreRequest] {
	return subresource.NewAction("imagebuilds/restore", v1alpha1.ImageBuild{},
		subresource.Valid(v1alpha1.Kind("RestoreRequest").GroupKind(), ValidateRestoreRequest), r.restore)
}

// revoke revokes a build, and returns it. A build that is revoked already keeps its revocation.
func (r *revoker) revoke(ctx context.Context, name string, request *v1alpha1.RevokeRequest, options *metav1.CreateOptions) (runtime.Object, error) {
	now := r.clock.Now()
	revocation := v1alpha1.Revocation{Time: metav1.NewTime(now).Rfc3339Copy(), By: resources.UserName(ctx), Reason: request.Reason}
	if at := request.EffectiveTime; at != nil {
		revocation.EffectiveTime = new(at.Rfc3339Copy())
	}
	return r.each(ctx, "revoke", name, request.Descendants, options.DryRun, func(ctx context.Context, build *v1alpha1.ImageBuild, found *relatives) error {
		own, same := revocation, slices.Contains(found.same, build.Name)
		if build.Name != name {
			own.Origin = name
		}
		if replaces(&own, build.Status.Revoked, same, now) {
			build.Status.Revoked = &own
		}
		if dryrun.IsDryRun(options.DryRun) {
			return nil
		}
		return r.artifacts.record(ctx, build, build.Status.Revoked, func(stored *v1alpha1.Revocation) bool {
			return build.Status.Revoked == &own && (build.Name == name || !equality.Semantic.DeepEqual(*stored, revocation)) && replaces(&own, stored, same, now)
		})
	})
}

// replaces reports whether a revocation replaces that of a build, which may be nil. That of the build itself, or of one with which it shares an
// artifact (same), counts more than one that came with a base: to restore the base must not restore this build. No revocation postpones one that is
// in effect.
func replaces(asked, stored *v1alpha1.Revocation, same bool, now time.Time) bool {
	switch {
	case stored == nil:
		return true
	case same:
		return !stored.InEffect(now) || stored.Origin != "" && asked.EffectiveTime == nil
	}
	return !stored.InEffect(now) && (stored.Origin == asked.Origin || asked.Since().Before(stored.Since()))
}

// restore removes the revocation of a build, and returns the build.
func (r *revoker) restore(ctx context.Context, name string, request *v1alpha1.RestoreRequest, options *metav1.CreateOptions) (runtime.Object, error) {
	now := metav1.NewTime(r.clock.Now()).Rfc3339Copy()
	message := "restored by " + resources.UserName(ctx)
	if request.Reason != "" {
		message += ": " + request.Reason
	}
	return r.each(ctx, "restore", name, request.Descendants, options.DryRun, func(ctx context.Context, build *v1alpha1.ImageBuild, found *relatives) error {
		if !slices.Contains(found.same, build.Name) && !found.restores(build) {
			return nil
		}
		for _, digest := range inputs.Contents(inputs.ArtifactsOf(build)) {
			if found.revoked(digest) || dryrun.IsDryRun(options.DryRun) {
				continue
			}
			if err := r.artifacts.forget(ctx, digest); err != nil {
				return err
			}
		}
		if build.Status.Revoked == nil { // the request to revoke it was interrupted
			return nil
		}
		build.Status.Revoked = nil
		meta.SetStatusCondition(&build.Status.Conditions, metav1.Condition{ // False once the controller has seen it
			Type: v1alpha1.BuildRevoked, Status: metav1.ConditionUnknown, Reason: v1alpha1.ReasonRestored, Message: v1alpha1.CutMessage(message),
			ObservedGeneration: build.Generation, LastTransitionTime: now,
		})
		return nil
	})
}

// relatives are the builds of a namespace, as they relate to the build of a request.
type relatives struct {
	// names are the names of the builds to change, and same those of the build and of the builds that share an artifact with it.
	names, same []string
	builds      []v1alpha1.ImageBuild
}

// restores reports whether a restoration of the build restores another build, too.
func (f *relatives) restores(build *v1alpha1.ImageBuild) bool {
	revoked := build.Status.Revoked
	return revoked != nil && (slices.Contains(f.same, build.Name) || slices.Contains(f.same, revoked.Origin))
}

// revoked reports whether a build with a content stays revoked after the restoration.
func (f *relatives) revoked(digest string) bool {
	return slices.ContainsFunc(f.builds, func(build v1alpha1.ImageBuild) bool {
		return build.Status.Revoked != nil && !f.restores(&build) && inputs.Overlap(inputs.ArtifactsOf(&build), []v1alpha1.Artifact{{Digest: digest}})
	})
}

// each changes a build, and the builds that go with it, and returns the build. change changes the artifacts of a build before the build is written. each lists
// the builds again until it has changed all of them: a build that begins to test the artifacts again, or makes them, either is in the list, or finds the
// content revoked.
func (r *revoker) each(ctx context.Context, verb, name string, descendants bool, dryRun []string,
	change func(context.Context, *v1alpha1.ImageBuild, *relatives) error) (runtime.Object, error) {
	var target *v1alpha1.ImageBuild
	for changed := map[string]bool{}; ; {
		found, err := r.related(ctx, verb, name, descendants)
		if err != nil {
			return nil, err
		}
		related := slices.DeleteFunc(found.names, func(name string) bool { return changed[name] })
		if len(related) == 0 {
			return target, nil
		}
		for _, each := range related {
			build, err := r.builds.Update(subresource.For(ctx, "imagebuilds", each), each, dryRun, func(ctx context.Context, build *v1alpha1.ImageBuild) error {
				return change(ctx, build, found)
			})
			switch {
			case each == name && err != nil:
				return nil, err
			case apierrors.IsNotFound(err): // it was deleted meanwhile
			case err != nil:
				return nil, fmt.Errorf("%s imagebuild %s with %s: %w", verb, each, name, err)
			case each == name:
				target = build
			}
			changed[each] = true
		}
		if dryrun.IsDryRun(dryRun) {
			return target, nil
		}
	}
}

// related returns the builds that go with a build. The user must be permitted to change those that share no artifact with it.
func (r *revoker) related(ctx context.Context, verb, name string, descendants bool) (*relatives, error) {
	target, err := r.builds.Get(ctx, name)
	if err != nil {
		return nil, err
	}
	list, err := store.List[*v1alpha1.ImageBuildList](subresource.For(ctx, "imagebuilds", ""), r.builds, &internalversion.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("list the builds that are based on imagebuild %s: %w", name, err)
	}
	found := &relatives{same: []string{name}, builds: list.Items}
	for _, build := range inputs.Descendants(target, list.Items, false) {
		found.same = append(found.same, build.Name)
	}
	found.names = slices.Clone(found.same)
	if !descendants {
		return found, nil
	}
	for _, build := range inputs.Descendants(target, list.Items, true) {
		if slices.Contains(found.same, build.Name) {
			continue
		}
		if err := subresource.CheckMayCreate(ctx, r.scope, "imagebuilds", verb, build.Name); err != nil {
			return nil, err
		}
		found.names = append(found.names, build.Name)
	}
	return found, nil
}

// revocationStrategy is the strategy of the subresources revoke and restore, which change only the revocation and its condition.
type revocationStrategy struct {
	resources.DefaultStatusStrategy
}

// ValidateUpdate accepts what these subresources make of a stored build.
func (revocationStrategy) ValidateUpdate(context.Context, runtime.Object, runtime.Object) field.ErrorList {
	return nil
}

// ValidateRevokeRequest validates a request to revoke the named build.
func ValidateRevokeRequest(request *v1alpha1.RevokeRequest, build string, now time.Time) field.ErrorList {
	errs := validateRevokeRequest(request, build)
	if at := request.EffectiveTime; at != nil && !at.After(now) {
		errs = append(errs, field.Invalid(field.NewPath("effectiveTime"), at.UTC().Format(time.RFC3339), "must be in the future: set a later time, or omit it to revoke the build now"))
	}
	return errs
}
