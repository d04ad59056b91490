// SPDX-License-Identifier: Apache-2.0

package builds

import (
	"context"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/workspace"
)

// promote has a channel of the image debian name a build.
func (w *fixture) promote(ctx context.Context, channel, build string) *v1alpha1.ImageChannels {
	GinkgoHelper()
	var moved *v1alpha1.ImageChannels
	w.Eventually(ctx, func(ctx context.Context) error { // the status of an Image has other writers
		channels, err := w.Images().GetChannels(ctx, "debian", metav1.GetOptions{})
		if err != nil {
			return err
		}
		channels.Channels = slices.DeleteFunc(channels.Channels, func(c v1alpha1.ImageChannel) bool { return c.Name == channel })
		channels.Channels = append(channels.Channels, v1alpha1.ImageChannel{Name: channel, Build: build})
		moved, err = w.Images().UpdateChannels(ctx, "debian", channels, metav1.UpdateOptions{})
		return err
	}).Should(Succeed())
	return moved
}

func describeChannels(w *fixture) {
	Describe("A channel of an image", func() {
		It("names a build with what it made, and who said so; that build is never pruned", func(ctx SpecContext) {
			image := workspace.NewImage("debian", "edition=a")
			image.Spec.History = &v1alpha1.HistoryLimits{Succeeded: new(int32(1))}
			w.CreateImage(ctx, image)
			first := w.waitForImage(ctx, "debian", built(1))
			w.promote(ctx, "stable", "debian-1")
			stable := w.waitForImage(ctx, "debian", HaveField("Status.Channels", HaveLen(1))).Status.Channels[0]
			Expect(stable).To(And(HaveField("Name", "stable"), HaveField("Build", "debian-1"),
				HaveField("Digest", first.Status.LatestSuccessful.Artifacts[0].Digest), HaveField("By", Not(BeEmpty())), HaveField("Time.Time", Not(BeZero()))))

			for number, edition := range []string{"edition=b", "edition=c"} {
				w.ChangeImage(ctx, "debian", setting(edition))
				w.waitForImage(ctx, "debian", built(int64(number)+2))
			}
			w.Eventually(ctx, w.buildNames).Should(ConsistOf("debian-1", "debian-3"))
			Expect(w.promote(ctx, "candidate", "debian-3").Channels).To(ContainElement(stable))
			w.promote(ctx, "stable", "debian-3")
			w.Eventually(ctx, w.buildNames).Should(ConsistOf("debian-3"))
		})
	})
}

func describeRefusedPromotions(w *fixture) {
	Describe("A channel of an image", func() {
		It("takes no build that failed, is another image's, or does not exist", func(ctx SpecContext) {
			w.CreateImage(ctx, workspace.NewImage("debian", "failAt=1"))
			w.WaitForBuild(ctx, "debian-1", failedWith("User/BuilderFailed"))
			w.CreateImage(ctx, workspace.NewImage("other"))
			w.waitForImage(ctx, "other", built(1))
			for _, build := range []string{"debian-1", "other-1", "debian-7"} {
				_, err := w.Images().UpdateChannels(ctx, "debian", &v1alpha1.ImageChannels{
					ObjectMeta: metav1.ObjectMeta{Name: "debian"},
					Channels:   []v1alpha1.ImageChannel{{Name: "stable", Build: build}},
				}, metav1.UpdateOptions{})
				Expect(err).To(workspace.BeInvalid("channels[0].build"), build)
			}
			Expect(w.Images().GetChannels(ctx, "debian", metav1.GetOptions{})).To(HaveField("Channels", BeEmpty()))
		})

		It("is not moved by somebody who has seen an older one", func(ctx SpecContext) {
			w.CreateImage(ctx, workspace.NewImage("debian"))
			w.waitForImage(ctx, "debian", built(1))
			seen, err := w.Images().GetChannels(ctx, "debian", metav1.GetOptions{})
			Expect(err).NotTo(HaveOccurred())
			w.promote(ctx, "stable", "debian-1")
			seen.Channels = nil
			_, err = w.Images().UpdateChannels(ctx, "debian", seen, metav1.UpdateOptions{})
			Expect(apierrors.IsConflict(err)).To(BeTrue(), "%v", err)
			Expect(w.Images().GetChannels(ctx, "debian", metav1.GetOptions{})).To(HaveField("Channels", HaveLen(1)))
		})
	})
}
