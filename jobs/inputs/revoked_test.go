// SPDX-License-Identifier: Apache-2.0

package inputs

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

func TestTheRevocationOfABase(t *testing.T) {
	recorded := &v1alpha1.Revocation{Reason: "recorded"}
	image := builtImage()
	image.UID = "image"
	image.Status.LatestSuccessful.Name, image.Status.LatestSuccessful.Revoked = "debian-9", recorded
	image.Status.Channels[1].Revoked = recorded
	build := func(name, image string, revoked *v1alpha1.Revocation) *v1alpha1.ImageBuild {
		build := &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Name: name}}
		build.Spec.ImageRef = &v1alpha1.ImageReference{UID: "image"}
		if image == "" {
			build.Spec.ImageRef = nil
		}
		build.Status.Revoked = revoked
		return build
	}
	own := &v1alpha1.Revocation{Reason: "own"}
	for title, test := range map[string]struct {
		channel string
		image   *v1alpha1.Image
		build   *v1alpha1.ImageBuild
		want    string // the selected build, and the reason of its revocation
	}{
		"the latest success was deleted":         {image: image, want: "debian-9 recorded"},
		"a channel's build was deleted":          {channel: "stable", image: image, want: "debian-7 recorded"},
		"the build knows it first":               {channel: "testing", image: image, build: build("debian-8", "image", own), want: "debian-8 own"},
		"the build was restored":                 {channel: "stable", image: image, build: build("debian-7", "image", nil), want: "debian-7 "},
		"a build of no Image has taken the name": {image: image, build: build("debian-9", "", nil), want: "debian-9 recorded"},
		"no such channel":                        {channel: "edge", image: image, want: " "},
		"no such Image":                          {want: " "},
	} {
		name, _ := SelectedBuild(&v1alpha1.BaseImageReference{Name: "debian", Channel: test.channel}, test.image)
		got := name + " "
		if revoked := RevocationOf(name, test.image, test.build); revoked != nil {
			got += revoked.Reason
		}
		if got != test.want {
			t.Errorf("%s: got %q, want %q", title, got, test.want)
		}
	}
}

func TestARevokedBaseDoesNotResolve(t *testing.T) {
	image := builtImage()
	image.Status.LatestSuccessful.Name = "debian-9"
	revoked := &v1alpha1.Revocation{By: "anna", Reason: strings.Repeat("wrong key ", 40)}
	for channel, remedy := range map[string]string{
		"":       "build debian-9 is revoked: build image debian again, or take that back: goldsmith unrevoke debian-9. It was revoked by anna: wrong key",
		"stable": "build debian-7 is revoked: promote another build of image debian to channel stable, or take that back: goldsmith unrevoke debian-7",
	} {
		given := v1alpha1.BuildInputs{Base: basedOn("debian", channel), Targets: []v1alpha1.Target{{Platform: "linux/amd64", Format: v1alpha1.ArtifactFormatRaw}}}
		resolved, failure := Resolve(given, Found{Base: image, Revoked: revoked})
		if resolved != nil || failure == nil || failure.Reason != v1alpha1.ReasonBaseRevoked || !strings.Contains(failure.Message, remedy) {
			t.Errorf("channel %q: resolved %v, failure %+v", channel, resolved, failure)
		}
	}
}

func TestARevocationIsInEffectFromItsTimeOn(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	build := &v1alpha1.ImageBuild{}
	if v1alpha1.Revoked(build, at) || !build.Status.Revoked.Pending(at).IsZero() {
		t.Error("a build without a revocation is revoked")
	}
	build.Status.Revoked = &v1alpha1.Revocation{Time: metav1.NewTime(at.Add(time.Second))}
	if !v1alpha1.Revoked(build, at) {
		t.Error("a build that a server revoked whose clock is ahead is not revoked")
	}
	build.Status.Revoked.EffectiveTime = new(metav1.NewTime(at))
	if v1alpha1.Revoked(build, at.Add(-1)) || !v1alpha1.Revoked(build, at) || !build.Status.Revoked.Pending(at.Add(-1)).Equal(at) {
		t.Error("the revocation is not in effect from its time on")
	}
}
