// SPDX-License-Identifier: Apache-2.0

package builds

import (
	"fmt"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/workspace"
)

// basedOn sets another Image as the base of an Image.
func basedOn(image *v1alpha1.Image, base, channel string) *v1alpha1.Image {
	image.Spec.Base = v1alpha1.Base{ImageRef: &v1alpha1.BaseImageReference{Name: base, Channel: channel}}
	return image
}

func describeBases(w *fixture) {
	Describe("An image that is based on another", func() {
		It("is built when that one was, and again when it has moved, in the order of their dependence", func(ctx SpecContext) {
			w.CreateImage(ctx, basedOn(workspace.NewImage("shop"), "web", ""))
			w.CreateImage(ctx, basedOn(workspace.NewImage("web"), "debian", ""))
			waiting := w.waitForImage(ctx, "web", HaveField("Status.BuildCounter", int64(0)), conditions("InputsResolved=False/BaseNotFound", "Stalled=False/Progressing"))
			Expect(waiting).To(haveConditionMessage("InputsResolved", And(ContainSubstring("base.imageRef.name"), ContainSubstring("debian"))))

			w.CreateImage(ctx, workspace.NewImage("debian", "edition=a"))
			w.waitForImage(ctx, "debian", built(1))
			w.waitForImage(ctx, "web", built(1))
			shop := w.waitForImage(ctx, "shop", built(1))
			Expect(w.Succeeded(ctx, "shop-1").Spec.Trigger.Reason).To(Equal(v1alpha1.TriggerCreated))

			By("moving when the lowest one is changed")
			w.ChangeImage(ctx, "debian", setting("edition=b"))
			debian := w.waitForImage(ctx, "debian", built(2))
			w.waitForImage(ctx, "web", built(2))
			moved := w.waitForImage(ctx, "shop", built(2))
			Expect(digests(moved.Status.LatestSuccessful.Artifacts)).NotTo(Equal(digests(shop.Status.LatestSuccessful.Artifacts)))
			web := w.Succeeded(ctx, "web-2")
			Expect(web.Spec.Trigger.Reason).To(Equal(v1alpha1.TriggerBaseChange))
			Expect(web.Spec.Trigger.Changes).To(ConsistOf(HaveField("To", debian.Status.LatestSuccessful.Artifacts[0].Digest)))
			Expect(web.Status.Resolved.BaseDigest).To(Equal(debian.Status.LatestSuccessful.Artifacts[0].Digest))

			By("staying when that is built again and the same comes out")
			w.Request(ctx, "debian", "again")
			w.waitForImage(ctx, "debian", built(3))
			w.ChangeImage(ctx, "web", setting("edition=b"))
			w.waitForImage(ctx, "web", built(3))
			Expect(w.Succeeded(ctx, "web-3").Spec.Trigger.Reason).To(Equal(v1alpha1.TriggerSpecChange))
		})
	})

	Describe("A circle of bases", func() {
		It("is not closed by edits at the same time", func(ctx SpecContext) {
			const size = 4
			for i := range size {
				image := workspace.NewImage(fmt.Sprintf("ring-%d", i))
				image.Spec.Suspend = new(true)
				w.CreateImage(ctx, image)
			}
			refused := make([]error, size)
			atOnce(size, func(i int) {
				_, refused[i] = w.Images().Patch(ctx, fmt.Sprintf("ring-%d", i), types.MergePatchType,
					fmt.Appendf(nil, `{"spec":{"base":{"reference":null,"imageRef":{"name":"ring-%d"}}}}`, (i+1)%size), metav1.PatchOptions{})
			})
			Expect(slices.DeleteFunc(refused, func(err error) bool { return err == nil })).To(ConsistOf(workspace.BeInvalid("spec.base.imageRef.name")))
		})
	})
}

func describeBaseDecisions(w *fixture) {
	Describe("An image that is based on another", func() {
		It("is not built for another base where it says so", func(ctx SpecContext) {
			w.CreateImage(ctx, workspace.NewImage("debian", "edition=a"))
			image := basedOn(workspace.NewImage("web"), "debian", "")
			image.Spec.Triggers = &v1alpha1.Triggers{OnBaseChange: new(false)}
			w.CreateImage(ctx, image)
			w.waitForImage(ctx, "web", built(1))
			w.ChangeImage(ctx, "debian", setting("edition=b"))
			w.waitForImage(ctx, "debian", built(2))
			w.waitForImage(ctx, "web", HaveField("Status.BuildCounter", int64(1)), conditions("UpToDate=False/InputsChanged"))
		})

		It("follows a channel only when that is moved", func(ctx SpecContext) {
			w.CreateImage(ctx, workspace.NewImage("debian", "edition=a"))
			w.waitForImage(ctx, "debian", built(1))
			w.CreateImage(ctx, basedOn(workspace.NewImage("web"), "debian", "stable"))
			w.waitForImage(ctx, "web", HaveField("Status.BuildCounter", int64(0)), conditions("InputsResolved=False/BaseNotFound"),
				haveConditionMessage("InputsResolved", ContainSubstring("stable")))
			w.promote(ctx, "stable", "debian-1")
			w.waitForImage(ctx, "web", built(1))

			w.ChangeImage(ctx, "debian", setting("edition=b"))
			w.waitForImage(ctx, "debian", built(2))
			w.ChangeImage(ctx, "web", setting("edition=b"))
			w.waitForImage(ctx, "web", built(2))
			Expect(w.Succeeded(ctx, "web-2").Status.Resolved.BaseDigest).To(Equal(w.Succeeded(ctx, "web-1").Status.Resolved.BaseDigest))
			w.promote(ctx, "stable", "debian-2")
			w.waitForImage(ctx, "web", built(3))
			Expect(w.Succeeded(ctx, "web-3").Spec.Trigger.Reason).To(Equal(v1alpha1.TriggerBaseChange))
		})
	})

	Describe("A circle of bases", func() {
		It("is refused and named, and nothing is changed", func(ctx SpecContext) {
			w.CreateImage(ctx, basedOn(workspace.NewImage("c"), "b", ""))
			w.CreateImage(ctx, basedOn(workspace.NewImage("b"), "a", ""))
			_, err := w.Images().Create(ctx, basedOn(workspace.NewImage("a"), "c", ""), metav1.CreateOptions{})
			Expect(err).To(workspace.BeInvalid("spec.base.imageRef.name"))
			Expect(err).To(MatchError(ContainSubstring("a → c → b → a")))

			w.CreateImage(ctx, workspace.NewImage("a"))
			_, err = w.Images().Patch(ctx, "a", types.MergePatchType, []byte(`{"spec":{"base":{"reference":null,"imageRef":{"name":"a"}}}}`), metav1.PatchOptions{})
			Expect(err).To(workspace.BeInvalid("spec.base.imageRef.name"))
			Expect(w.Images().Get(ctx, "a", metav1.GetOptions{})).To(HaveField("Spec.Base.Reference", "debian:bookworm"))
		})
	})
}
