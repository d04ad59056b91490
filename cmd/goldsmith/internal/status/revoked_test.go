// SPDX-License-Identifier: Apache-2.0

package status

import (
	"bytes"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"
	testingclock "k8s.io/utils/clock/testing"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned/fake"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
)

func TestImagesThatAreBasedOnARevokedBuildAreListed(t *testing.T) {
	made := func(name, base string) *v1alpha1.ImageBuild {
		build := build(name, v1alpha1.ImageBuildStatus{Phase: v1alpha1.BuildSucceeded, Finished: true, Resolved: &v1alpha1.ResolvedInputs{}})
		if base != "" {
			build.Status.Resolved.Base = &v1alpha1.BaseBuild{Name: base}
		}
		return build
	}
	bad := made("debian-7", "")
	bad.Status.Revoked = &v1alpha1.Revocation{Time: *ago(time.Hour), By: "anna", Reason: "wrong key"}
	latest := func(image *v1alpha1.Image, build string) *v1alpha1.Image {
		image.Status.LatestSuccessful = &v1alpha1.SuccessfulBuild{Name: build}
		return image
	}
	clients := fake.NewClientset(latest(good("web"), "web-1"), latest(suspendedImage(good("shop")), "shop-1"), latest(good("new"), "new-1"))
	older := false
	clients.PrependReactor("list", "imagebuilds", func(action clienttesting.Action) (bool, runtime.Object, error) {
		list := &v1alpha1.ImageBuildList{}
		switch selector := action.(clienttesting.ListAction).GetListRestrictions().Fields.String(); {
		case selector == "status.revoked=true" && older:
			return true, nil, apierrors.NewBadRequest("field label not supported")
		case selector == "status.revoked=true":
			list.Items = []v1alpha1.ImageBuild{*bad}
		case selector == "status.phase=Succeeded":
			list.Items = []v1alpha1.ImageBuild{*bad, *made("web-1", "debian-7"), *made("shop-1", "web-1"), *made("new-1", "debian-8")}
		}
		return true, list, nil
	})
	for older = range map[bool]bool{false: true, true: true} {
		var out bytes.Buffer
		if err := run(t.Context(), &client.Connection{Interface: clients, Namespace: "team"}, &options{namespace: "team"}, testingclock.NewFakePassiveClock(noon), &out, &out); err != nil {
			t.Fatal(err)
		}
		for _, line := range []string{
			"image web   BaseRevoked, 60m\n  build web-1 is based on build debian-7: build image web again once its base i…\n",
			"image shop  BaseRevoked, 60m\n  build shop-1 is based on build debian-7: build image shop again once its base…\n",
		} {
			if strings.Contains(out.String(), line) == older {
				t.Errorf("an older server %t: got\n%s", older, &out)
			}
		}
		if strings.Contains(out.String(), "new-1") {
			t.Errorf("got\n%s", &out)
		}
	}
}
