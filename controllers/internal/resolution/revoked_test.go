// SPDX-License-Identifier: Apache-2.0

package resolution_test

import (
	"context"
	"errors"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
)

func TestARevokedBuildIsNoBase(t *testing.T) {
	base := built("sha256:one")
	base.Status.LatestSuccessful.Name = "debian-1"
	immediate, past := &v1alpha1.Revocation{Reason: "bad"}, &v1alpha1.Revocation{Reason: "bad", EffectiveTime: new(metav1.NewTime(now))}
	later := &v1alpha1.Revocation{Reason: "bad", EffectiveTime: new(metav1.NewTime(now.Add(time.Hour)))}
	first, err := sources(map[string]*v1alpha1.Image{"team/debian": base}, nil).Resolve(t.Context(), "team", given(), nil)
	require.NoError(t, err)
	plain := func(*v1alpha1.ImageBuild) {}
	pinned := func(build *v1alpha1.ImageBuild) {
		build.Spec.Pinned = &v1alpha1.PinnedInputs{BaseDigest: first.Resolved.BaseDigest, Base: first.Resolved.Base}
	}
	retests := func(build *v1alpha1.ImageBuild) {
		pinned(build)
		build.Spec.Retests = &v1alpha1.TestedBuild{Name: "debian-1", UID: "one"}
	}
	for title, test := range map[string]struct {
		stored, recorded *v1alpha1.Revocation
		content          *v1alpha1.Revocation // of the artifact of the base
		deleted, other   bool                 // the base was deleted, or there is a build with its name
		build            func(*v1alpha1.ImageBuild)
		reason           v1alpha1.FailureReason
		from             time.Time
	}{
		"nothing is revoked":                      {build: plain},
		"the base is revoked":                     {stored: immediate, build: plain, reason: v1alpha1.ReasonBaseRevoked},
		"the scheduled time has come":             {stored: past, build: plain, reason: v1alpha1.ReasonBaseRevoked},
		"the scheduled time has not come":         {stored: later, build: plain, from: now.Add(time.Hour)},
		"the base was revoked and deleted":        {recorded: immediate, deleted: true, build: plain, reason: v1alpha1.ReasonBaseRevoked},
		"the base was restored":                   {recorded: immediate, build: plain},
		"a rerun on a revoked base":               {stored: immediate, build: pinned, reason: v1alpha1.ReasonBaseRevoked},
		"another build has the name of the base":  {stored: immediate, other: true, build: pinned},
		"a rerun on a deleted base":               {recorded: immediate, deleted: true, build: pinned, reason: v1alpha1.ReasonBaseRevoked},
		"a rerun on a base that is not revoked":   {build: pinned},
		"a rerun on a content that is revoked":    {content: immediate, deleted: true, build: pinned, reason: v1alpha1.ReasonBaseRevoked},
		"its build has another name now":          {content: immediate, other: true, build: pinned, reason: v1alpha1.ReasonBaseRevoked},
		"a content that will be revoked":          {content: later, deleted: true, build: pinned},
		"a test of a revoked build":               {stored: immediate, build: retests, reason: v1alpha1.ReasonRevoked},
		"a test of a build that is not revoked":   {build: retests},
		"a reproduction of a build on the base":   {stored: immediate, build: func(b *v1alpha1.ImageBuild) { pinned(b); b.Spec.Reproduces = &v1alpha1.Reproduction{} }},
		"a build of this name tests nothing else": {stored: immediate, build: func(b *v1alpha1.ImageBuild) { retests(b); b.Spec.Retests.UID = "two" }},
	} {
		t.Run(title, func(t *testing.T) {
			base.Status.LatestSuccessful.Revoked = test.recorded
			all := sources(map[string]*v1alpha1.Image{"team/debian": base}, nil)
			if test.content != nil {
				all.Bases.Artifact = func(_ context.Context, namespace, name string) (*v1alpha1.RevokedArtifact, error) {
					if namespace+"/"+name != "team/sha256-one" {
						t.Errorf("reads the revoked artifact %s/%s", namespace, name)
					}
					return &v1alpha1.RevokedArtifact{Spec: v1alpha1.RevokedArtifactSpec{Revocation: *test.content}}, nil
				}
			}
			if !test.deleted {
				all.Bases.Build = func(context.Context, string, string) (*v1alpha1.ImageBuild, error) {
					build := &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Name: "debian-1", UID: "one"}}
					build.Spec.ImageRef, build.Status.Revoked = &v1alpha1.ImageReference{Name: "debian"}, test.stored
					build.Status.Artifacts = first.Resolved.Base.Artifacts
					if test.other {
						build.Status.Artifacts = nil
					}
					return build, nil
				}
			}
			build := &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Namespace: "team"}}
			build.Spec.Inputs = given()
			test.build(build)
			got, err := all.ResolveBuild(t.Context(), build)
			require.NoError(t, err)
			if got.Unresolved == nil && test.reason != "" || got.Unresolved != nil && got.Unresolved.Reason != test.reason || !got.RevokedFrom.Equal(test.from) {
				t.Fatalf("unresolved %+v, revoked from %s", got.Unresolved, got.RevokedFrom)
			}
			if test.reason == v1alpha1.ReasonBaseRevoked && build.Spec.Pinned == nil && !got.MayAppear {
				t.Error("another base may not appear")
			}
			build.Status.Resolved = first.Resolved // it waits in the queue
			again, err := all.Revoked(t.Context(), build)
			require.NoError(t, err)
			if (again == nil) != (got.Unresolved == nil) {
				t.Errorf("a build that waits: %+v", again)
			}
		})
	}
}

func TestABuildOfABaseThatCannotBeReadIsNoAnswer(t *testing.T) {
	base, failure := built("sha256:one"), errors.New("away")
	base.Status.LatestSuccessful.Name = "debian-1"
	all := sources(map[string]*v1alpha1.Image{"team/debian": base}, nil)
	all.Bases.Build = func(context.Context, string, string) (*v1alpha1.ImageBuild, error) { return nil, failure }
	if got, err := all.Resolve(t.Context(), "team", given(), nil); !errors.Is(err, failure) {
		t.Errorf("%+v, error %v", got, err)
	}
}
