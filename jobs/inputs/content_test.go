// SPDX-License-Identifier: Apache-2.0

package inputs

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

func TestBuildsShareAnArtifact(t *testing.T) {
	const manifest = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	published := func(digest, location string) []v1alpha1.Artifact {
		return []v1alpha1.Artifact{{Digest: digest, Location: location}}
	}
	for location, want := range map[string]bool{"registry.example/web@" + manifest: true, "registry.example/web:1@" + manifest: true, "http://me@registry.example/web": false, "": false} {
		if got := Overlap(published("a", location), published("b", location)); got != want {
			t.Errorf("two files at %q: got %t", location, got)
		}
		if got := Overlap(published("a", location), []v1alpha1.Artifact{{Digest: manifest}}); got != want {
			t.Errorf("the manifest at %q: got %t", location, got)
		}
	}
	artifacts := func(digests ...string) (made []v1alpha1.Artifact) {
		for _, digest := range digests {
			made = append(made, v1alpha1.Artifact{Digest: digest})
		}
		return made
	}
	for want, given := range map[bool][][]v1alpha1.Artifact{
		true:  {artifacts("a"), artifacts("b", "a"), artifacts("a", "c")},
		false: {nil, artifacts("c")},
	} {
		for _, made := range given {
			if Overlap(made, artifacts("a", "b")) != want {
				t.Errorf("%v: got %t", made, !want)
			}
		}
	}
}

func TestRevokedBuildsIncludeDeletedOnesThatTheImageNames(t *testing.T) {
	now := time.Date(2026, time.May, 1, 12, 0, 0, 0, time.UTC)
	wrong, later := &v1alpha1.Revocation{Reason: "wrong"}, &v1alpha1.Revocation{EffectiveTime: new(metav1.NewTime(now.Add(1)))}
	build := func(name string, revoked *v1alpha1.Revocation) v1alpha1.ImageBuild {
		return v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Name: name}, Status: v1alpha1.ImageBuildStatus{Revoked: revoked}}
	}
	image := &v1alpha1.Image{Status: v1alpha1.ImageStatus{
		LatestSuccessful: &v1alpha1.SuccessfulBuild{Name: "deleted-7", Revoked: wrong},
		Channels: []v1alpha1.ImageChannel{
			{Build: "deleted-7", Revoked: wrong}, {Build: "deleted-5", Revoked: wrong}, {Build: "deleted-4", Revoked: later}, {Build: "deleted-3"},
			{Build: "restored-2", Revoked: wrong}, // the Image does not know that yet
		},
	}}
	builds := []v1alpha1.ImageBuild{build("revoked-1", wrong), build("restored-2", nil), build("later-6", later)}
	artifacts := []v1alpha1.RevokedArtifact{{Spec: v1alpha1.RevokedArtifactSpec{Digest: "a", Build: "revoked-1", Revocation: *later}}} // of an earlier Image of the name
	for want, image := range map[string]*v1alpha1.Image{"revoked-1 later-6 deleted-7 deleted-5 deleted-4 revoked-1 ": image, "revoked-1 later-6 revoked-1 ": nil} {
		got := ""
		revoked := RevokedBuilds(image, builds, artifacts)
		if last := revoked[len(revoked)-1].Status; !Overlap(last.Artifacts, []v1alpha1.Artifact{{Digest: "a"}}) || last.Revoked.EffectiveTime != later.EffectiveTime {
			t.Errorf("the build of the revoked artifact is %+v", last)
		}
		for _, each := range revoked {
			got += each.Name + " "
		}
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
