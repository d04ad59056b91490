// SPDX-License-Identifier: Apache-2.0

package artifacts

import (
	"bytes"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned/fake"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
)

func TestARevokedBuildIsRefusedUnlessTheUserAllowsIt(t *testing.T) {
	at := time.Date(2026, time.May, 1, 12, 0, 0, 0, time.UTC)
	image := &v1alpha1.Image{}
	image.Status.Channels = []v1alpha1.ImageChannel{{Name: "stable", Build: "debian-7", Artifacts: debian7().Status.Artifacts, Revoked: &v1alpha1.Revocation{By: "anna", Reason: "wrong key"}}}
	build := Recorded(image, "debian-7") // it was deleted
	var out bytes.Buffer
	const refusal = "build debian-7 is revoked by anna: wrong key; to use it all the same, set --allow-revoked"
	if err := RefuseRevoked(build, false, at, &out); err == nil || err.Error() != refusal {
		t.Errorf("got error %v, want %s", err, refusal)
	}
	if err := RefuseRevoked(build, true, at, &out); err != nil || out.String() != "warning: build debian-7 is revoked by anna: wrong key\n" {
		t.Errorf("got %q, error %v", &out, err)
	}
	build.Status.Revoked.EffectiveTime = new(metav1.NewTime(at.Add(1)))
	if err := RefuseRevoked(build, false, at, &out); err != nil {
		t.Errorf("before its time: %v", err)
	}
}

func TestWarnsOfARevokedBase(t *testing.T) {
	at := time.Date(2026, time.May, 1, 12, 0, 0, 0, time.UTC)
	based := func(name, base string) *v1alpha1.ImageBuild {
		build := &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: name}}
		build.Status.Resolved = &v1alpha1.ResolvedInputs{Base: &v1alpha1.BaseBuild{Name: base}}
		return build
	}
	golden := based("golden-1", "scratch-1") // scratch-1 was deleted
	golden.Status.Revoked = &v1alpha1.Revocation{By: "anna", Reason: "wrong key"}
	connection := &client.Connection{Interface: fake.NewClientset(golden, based("shop-1", "golden-1")), Namespace: "team"}
	for base, want := range map[string]string{
		"shop-1":   "warning: build web-1 is based on golden-1, revoked by anna: wrong key\n",
		"golden-1": "warning: build web-1 is based on golden-1, revoked by anna: wrong key\n",
		"debian-1": "",
	} {
		var out bytes.Buffer
		if err := WarnOfRevokedBase(t.Context(), connection, based("web-1", base), at, &out); err != nil || out.String() != want {
			t.Errorf("on %s: got %q, error %v", base, &out, err)
		}
	}
}
