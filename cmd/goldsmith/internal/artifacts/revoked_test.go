// SPDX-License-Identifier: Apache-2.0

package artifacts

import (
	"bytes"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
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
