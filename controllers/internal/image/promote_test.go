// SPDX-License-Identifier: Apache-2.0

package image

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/trigger"
)

// automatic lets a channel follow the builds of an Image, and keeps one successful build.
func automatic(image *v1alpha1.Image) {
	image.Spec.Channels = []v1alpha1.ChannelRule{{Name: "stable", Promote: v1alpha1.PromoteAutomatic}}
	image.Spec.History = &v1alpha1.HistoryLimits{Succeeded: new(int32(1))}
}

// stable is the build of the channel stable; "" if there is no such channel.
func (w *fixture) stable() string {
	for _, channel := range w.image("debian").Status.Channels {
		if channel.Name == "stable" {
			return channel.Build
		}
	}
	return ""
}

func TestAChannelFollowsTheBuildsOfItsImage(t *testing.T) {
	w := newFixture(t).start()
	w.create("debian", automatic)
	w.settle(v1alpha1.BuildSucceeded)
	w.Expect(w.stable()).To(Equal("debian-1"))
	w.Expect(w.told("Normal Promoted")).To(ConsistOf("Normal Promoted channel stable: build debian-1 meets its rule"))

	w.clock.SetTime(w.clock.Now().Add(time.Minute))
	w.edit("debian", withParameter("two"))
	w.settle(v1alpha1.BuildFailed)
	w.Expect(w.stable()).To(Equal("debian-1"))
	w.edit("debian", withParameter("three"))
	w.edit("debian", func(image *v1alpha1.Image) {
		image.Status.Channels = append(image.Status.Channels, v1alpha1.ImageChannel{Name: "beta", Build: "debian-1"})
	})
	w.settle(v1alpha1.BuildSucceeded)
	w.Expect(w.image("debian").Status.Channels).To(HaveExactElements(
		And(HaveField("Name", "stable"), HaveField("Build", "debian-3")), And(HaveField("Name", "beta"), HaveField("Build", "debian-1"))))
}

func TestARefusedPromotionIsToldAndKeepsItsBuild(t *testing.T) {
	w := newFixture(t).start()
	w.create("debian")
	w.settle(v1alpha1.BuildSucceeded)
	first := w.list()[0]
	first.Status.Tests = []v1alpha1.TestStatus{{Name: "web", Outcome: v1alpha1.TestPassed}}
	require.Value(w.client.ImagesV1alpha1().ImageBuilds(namespace).UpdateStatus(t.Context(), &first, metav1.UpdateOptions{}))(w.t)
	w.edit("debian", withParameter("two"))
	w.settle(v1alpha1.BuildSucceeded)
	w.edit("debian", func(image *v1alpha1.Image) {
		automatic(image) // and the build that the channel gets is one too many
		image.Spec.Channels[0].Requires = &v1alpha1.ChannelRequirements{Tests: []string{"web"}}
		v1alpha1.SetObjectDefaults_Image(image)
	})
	w.unpromotable.Store(true)
	_, err := w.reconcile()
	w.Expect(err).To(MatchError(ContainSubstring("promote: ")))
	w.Expect(w.warnings()).To(ConsistOf(HavePrefix("Warning PromotionRefused ")))
	w.Expect(w.builds("debian")).To(HaveLen(2))
	w.unpromotable.Store(false)
	require.Value(w.reconcile())(w.t)
	w.Expect(w.stable()).To(Equal("debian-1"))
	require.Value(w.reconcile())(w.t)
	w.Expect(w.builds("debian")).To(HaveLen(2))
}

func TestAPromotionNeedsTheImageItWasDecidedFor(t *testing.T) {
	for name, change := range map[string]func(w *fixture, decided *v1alpha1.Image){
		"its spec has changed": func(w *fixture, _ *v1alpha1.Image) { w.edit("debian", automatic) },
		"somebody has moved the channel": func(w *fixture, decided *v1alpha1.Image) {
			moved := decided.DeepCopy()
			moved.Status.Channels = []v1alpha1.ImageChannel{{Name: "stable", Build: "debian-0"}}
			require.Value(w.client.ImagesV1alpha1().Images(namespace).UpdateStatus(t.Context(), moved, metav1.UpdateOptions{}))(w.t)
		},
		"it is another image of its name": func(w *fixture, _ *v1alpha1.Image) {
			w.Expect(w.client.ImagesV1alpha1().Images(namespace).Delete(t.Context(), "debian", metav1.DeleteOptions{})).To(Succeed())
			w.create("debian")
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newFixture(t).start()
			w.create("debian")
			w.settle(v1alpha1.BuildSucceeded)
			decided := w.image("debian")
			change(w, decided)
			w.Expect(w.r.promote(t.Context(), decided, []trigger.Promotion{{Channel: "stable", Build: "debian-1"}})).To(Succeed())
			w.Expect(w.stable()).NotTo(Equal("debian-1"))
		})
	}
}
