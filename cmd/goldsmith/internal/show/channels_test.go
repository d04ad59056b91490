// SPDX-License-Identifier: Apache-2.0

package show

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
)

func TestThePageOfAnImageTellsWhatItsChannelsWaitFor(t *testing.T) {
	rule := func(name string, promote v1alpha1.ChannelPromotion, tests ...string) v1alpha1.ChannelRule {
		return v1alpha1.ChannelRule{Name: name, Promote: promote, Requires: &v1alpha1.ChannelRequirements{Tests: tests}}
	}
	after := func(d time.Duration) metav1.Time { return metav1.NewTime(time.Unix(1_000_000, 0).Add(d)) }
	image := &v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "web", UID: "web-uid"}, Spec: v1alpha1.ImageSpec{Channels: []v1alpha1.ChannelRule{
		rule("stable", v1alpha1.PromoteAutomatic, "boots", "web"), rule("beta", v1alpha1.PromoteManual, "boots"), rule("edge", v1alpha1.PromoteAutomatic), rule("new", v1alpha1.PromoteManual),
		rule("next", v1alpha1.PromoteAutomatic),
	}}, Status: v1alpha1.ImageStatus{Channels: []v1alpha1.ImageChannel{
		{Name: "any", Build: "web-1", Revoked: &v1alpha1.Revocation{Reason: "wrong key"}}, {Name: "edge", Build: "web-1"}, {Name: "beta", Build: "web-1", Missing: []string{"boots did not run", "web did not run"}}, {Name: "stable", Build: "web-1"},
		{Name: "next", Build: "web-2", Override: &v1alpha1.ChannelOverride{Reason: "a\x1bfire", By: "ann"}},
	}, Fixes: []v1alpha1.PackageFix{
		{Build: "web-2", Since: after(0), ReadyTime: after(14 * time.Minute), Channels: []v1alpha1.FixedChannel{{Name: "next", Time: after(9 * time.Hour)}, {Name: "edge", Time: after(50 * time.Hour)}}},
		{Build: "web-1", Since: after(0), ReadyTime: after(time.Minute)},
	}}}
	const fixed = "\nfix         web-2, 14m after the archive; next after 9h; edge after 2d2h"
	for name, test := range map[string]struct {
		asked   string
		phase   v1alpha1.BuildPhase
		want    string
		revoked *v1alpha1.Revocation
	}{
		"a success": {"web", v1alpha1.BuildSucceeded, `any: web-1, which is revoked
edge: web-1 (waits for a later build)
beta: web-1, which lacks what its rule requires: boots did not run; web did not run (web-2 can be promoted)
stable: web-1 (waits for a build that passes web)
next: web-2, by an override of ann: a^[fire
new: none (web-2 can be promoted)`, nil},
		"a build that runs": {"web", v1alpha1.BuildRunning, `any: web-1, which is revoked
edge: web-1 (waits for a build that succeeds)
beta: web-1, which lacks what its rule requires: boots did not run; web did not run (waits for a build that passes boots)
stable: web-1 (waits for a build that passes boots, web)
next: web-2, by an override of ann: a^[fire
new: none (waits for a build that succeeds)`, nil},
		"a revoked success": {"web", v1alpha1.BuildSucceeded, `any: web-1, which is revoked
edge: web-1 (waits for a build that succeeds)
beta: web-1, which lacks what its rule requires: boots did not run; web did not run (waits for a build that passes boots)
stable: web-1 (waits for a build that passes boots, web)
next: web-2, by an override of ann: a^[fire
new: none (waits for a build that succeeds)`, &v1alpha1.Revocation{Reason: "wrong key"}},
		"a build of a channel": {"web-2", v1alpha1.BuildSucceeded, `next: web-2, by an override of ann: a^[fire`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			shownBuild := build(2, test.phase, func(build *v1alpha1.ImageBuild) {
				build.Status.Revoked = test.revoked
				build.Status.Tests = []v1alpha1.TestStatus{{Name: "boots", Outcome: v1alpha1.TestPassed}, {Name: "web", Outcome: v1alpha1.TestFailed}}
			})
			connection := serve(t, answers{
				"images/web": image, "imagebuilds/web-2": shownBuild,
				"imagebuilds?fieldSelector=spec.imageRef.uid%3Dweb-uid&limit=500": &v1alpha1.ImageBuildList{Items: []v1alpha1.ImageBuild{*shownBuild}},
				"imagebuilds?fieldSelector=status.phase%3DSucceeded&limit=500":    &v1alpha1.ImageBuildList{},
			})
			_, got, _ := strings.Cut(shown(t, connection, &options{kind: client.Either, name: test.asked}), "\n  channels    ")
			got, _, _ = strings.Cut(got, "\n  next  ")
			got, _, _ = strings.Cut(got, "\n  revoked  ")
			if want := strings.ReplaceAll(test.want, "\n", "\n              ") + strings.ReplaceAll(fixed, "\n", "\n  "); got != want {
				t.Errorf("got %s\nwant %s", got, want)
			}
		})
	}
}
