// SPDX-License-Identifier: Apache-2.0

package image

import (
	"context"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	testingclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// builds is a cache of builds by name.
type builds map[string]*v1alpha1.ImageBuild

func (b builds) Get(_ context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	build, ok := b[key.Name]
	if !ok {
		return apierrors.NewNotFound(v1alpha1.Resource("imagebuilds"), key.Name)
	}
	build.DeepCopyInto(into.(*v1alpha1.ImageBuild))
	return nil
}

func (builds) List(context.Context, client.ObjectList, ...client.ListOption) error { panic("not read") }

func TestAnImageIsToldThatItsBaseIsRestored(t *testing.T) {
	made := func(name, base string, revoked *v1alpha1.Revocation) *v1alpha1.ImageBuild {
		build := &v1alpha1.ImageBuild{Status: v1alpha1.ImageBuildStatus{Phase: v1alpha1.BuildSucceeded, Revoked: revoked, Resolved: &v1alpha1.ResolvedInputs{}}}
		build.Name = name
		if base != "" {
			build.Status.Resolved.Base = &v1alpha1.BaseBuild{Name: base}
		}
		return build
	}
	wrong := &v1alpha1.Revocation{Time: metav1.NewTime(time.Unix(100, 0)), Reason: "wrong key"}
	again := made("golden-1", "root-1", nil)
	again.CreationTimestamp = metav1.NewTime(time.Unix(101, 0))
	shop := made("shop-1", "golden-1", nil)
	r := &reconciler{}
	r.Clock = testingclock.NewFakePassiveClock(time.Now())
	for title, test := range map[string]struct {
		golden         *v1alpha1.ImageBuild // whose base was deleted
		recorded, want string
		known          bool
	}{
		"it is revoked":                       {made("golden-1", "root-1", wrong), "", "golden-1", true},
		"it is restored":                      {made("golden-1", "root-1", nil), "golden-1", "", true},
		"it is not revoked, and its base was": {made("golden-1", "root-1", nil), "root-1", "", false},
		"another build has its name":          {again, "golden-1", "", false},
		"it is deleted":                       {nil, "golden-1", "", false},
		"it has no base":                      {made("golden-1", "", nil), "golden-1", "", true},
	} {
		image := &v1alpha1.Image{Status: v1alpha1.ImageStatus{LatestSuccessful: &v1alpha1.SuccessfulBuild{Name: "shop-1"}}}
		if test.recorded != "" {
			image.Status.LatestSuccessful.RevokedBase = &v1alpha1.RevokedBase{Name: test.recorded, Revocation: *wrong}
		}
		cached := builds{"shop-1": shop}
		if test.golden != nil {
			cached["golden-1"] = test.golden
		}
		r.cache = cached
		got, known := r.revokedBases(t.Context(), image, []v1alpha1.ImageBuild{*shop})["shop-1"]
		if known != test.known || (got == nil) != (test.want == "") || got != nil && (got.Name != test.want || got.Revocation.Reason != "wrong key") {
			t.Errorf("%s: got %v, known: %t", title, got, known)
		}
	}
}
