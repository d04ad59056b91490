// SPDX-License-Identifier: Apache-2.0

package builds

import (
	"encoding/json"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/workspace"
)

func describeTriggers(w *fixture) {
	Describe("A change of an image", func() {
		It("starts a build that says what has changed", func(ctx SpecContext) {
			w.CreateImage(ctx, workspace.NewImage("edge", "edition=a", "gone=soon"))
			w.waitForImage(ctx, "edge", built(1))

			w.ChangeImage(ctx, "edge", func(image *v1alpha1.Image) {
				workspace.SetParameters(&image.Spec.BuildInputs, "edition=b", "gone", "added=now")
				image.Spec.Base.Reference = "debian:trixie"
			})
			w.waitForImage(ctx, "edge", built(2))
			trigger := w.Succeeded(ctx, "edge-2").Spec.Trigger
			Expect(trigger.Reason).To(Equal(v1alpha1.TriggerSpecChange))
			Expect(trigger.Changes).To(ConsistOf(
				v1alpha1.InputChange{Path: "base.reference", From: "debian:bookworm", To: "debian:trixie"},
				v1alpha1.InputChange{Path: "parameters[added]", To: "now"},
				v1alpha1.InputChange{Path: "parameters[edition]", From: "a", To: "b"},
				v1alpha1.InputChange{Path: "parameters[gone]", From: "soon"},
			))
		})
	})
}

func describeTriggerDecisions(w *fixture) {
	Describe("A change of an image", func() {
		// That a change starts no build is seen by the number of the build that the next real change starts.
		DescribeTable("that is none of its inputs starts no build", func(ctx SpecContext, change func(*v1alpha1.Image)) {
			w.CreateImage(ctx, workspace.NewImage("edge"))
			w.waitForImage(ctx, "edge", built(1))

			w.ChangeImage(ctx, "edge", change)
			w.waitForImage(ctx, "edge", built(1))
			w.ChangeImage(ctx, "edge", setting("edition=b"))
			w.waitForImage(ctx, "edge", built(2))
			Expect(w.buildNames(ctx)).To(ConsistOf("edge-1", "edge-2"))
		},
			Entry("a label", func(image *v1alpha1.Image) { image.Labels = map[string]string{"team": "platform"} }),
			Entry("an annotation", func(image *v1alpha1.Image) { image.Annotations = map[string]string{"note": "none"} }),
			Entry("nothing", func(*v1alpha1.Image) {}),
			Entry("a policy", func(image *v1alpha1.Image) { image.Spec.Retry.Limit = new(int32(0)) }),
			Entry("the order of its parameters", func(image *v1alpha1.Image) {
				parameters := image.Spec.Parameters
				parameters[0], parameters[1] = parameters[1], parameters[0]
			}),
		)

		It("and its taking back start a build each", func(ctx SpecContext) {
			w.CreateImage(ctx, workspace.NewImage("edge", "edition=a"))
			first := w.waitForImage(ctx, "edge", built(1))
			w.ChangeImage(ctx, "edge", setting("edition=b"))
			second := w.waitForImage(ctx, "edge", built(2))
			w.ChangeImage(ctx, "edge", setting("edition=a"))
			third := w.waitForImage(ctx, "edge", built(3))

			Expect(third.Status.InputsDigest).To(And(Equal(first.Status.InputsDigest), Not(Equal(second.Status.InputsDigest))))
			Expect(digests(third.Status.LatestSuccessful.Artifacts)).To(Equal(digests(first.Status.LatestSuccessful.Artifacts)))
		})
	})

	DescribeTable("An image whose triggers are off", func(ctx SpecContext, off string, on string) {
		patch := func(spec string) {
			_, err := w.Images().Patch(ctx, "edge", types.MergePatchType, []byte(spec), metav1.PatchOptions{})
			Expect(err).NotTo(HaveOccurred())
		}
		image := workspace.NewImage("edge", "edition=a")
		Expect(json.Unmarshal([]byte(off), image)).To(Succeed())

		By("is not built by itself, but when somebody asks for it")
		w.CreateImage(ctx, image)
		w.waitForImage(ctx, "edge", HaveField("Status.BuildCounter", int64(0)),
			conditions("Ready=False/NeverBuilt", "UpToDate=False/NeverBuilt", "InputsResolved=True/Resolved", "Building=False/Idle", "Stalled=False/Suspended"))
		build := w.Request(ctx, "edge", "a")
		Expect(build.Name).To(Equal("edge-1"))
		Expect(build.Spec.Trigger).To(And(HaveField("Reason", v1alpha1.TriggerManual), HaveField("RequestID", "a")))
		w.waitForImage(ctx, "edge", built(1))

		By("is not built for a change")
		w.ChangeImage(ctx, "edge", setting("edition=b"))
		w.waitForImage(ctx, "edge", HaveField("Status.BuildCounter", int64(1)), conditions("UpToDate=False/InputsChanged"))
		Expect(w.Request(ctx, "edge", "b").Name).To(Equal("edge-2"))
		w.waitForImage(ctx, "edge", built(2))

		By("is built by itself once they are on, for what has changed since")
		patch(on)
		w.waitForImage(ctx, "edge", built(2))
		patch(off)
		w.ChangeImage(ctx, "edge", setting("edition=c"))
		w.waitForImage(ctx, "edge", HaveField("Status.BuildCounter", int64(2)), conditions("UpToDate=False/InputsChanged"))
		patch(on)
		w.waitForImage(ctx, "edge", built(3))
		Expect(w.Succeeded(ctx, "edge-3").Spec.Trigger.Reason).To(Equal(v1alpha1.TriggerSpecChange))
	},
		Entry("because it is suspended", `{"spec":{"suspend":true}}`, `{"spec":{"suspend":false}}`),
		Entry("because it says so", `{"spec":{"triggers":{"onSpecChange":false}}}`, `{"spec":{"triggers":{"onSpecChange":true}}}`),
	)
}
