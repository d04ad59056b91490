// SPDX-License-Identifier: Apache-2.0

package builds

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/workspace"
)

func describeConcurrency(w *fixture) {
	Describe("An image that is changed while it is built", func() {
		It("lets that build go on with what it was given, and the next one wait", func(ctx SpecContext) {
			w.CreateImage(ctx, workspace.NewImage("web", w.lasting(2*time.Second), "edition=a"))
			running := w.running(ctx, "web-1")

			w.ChangeImage(ctx, "web", setting("duration=0s", "edition=b"))
			queued := w.WaitForBuild(ctx, "web-2", And(inPhase(v1alpha1.BuildQueued), conditions("Admitted=False/WaitingForSlot")))
			Expect(queued.Status.QueuedTime).NotTo(BeNil())
			w.waitForImage(ctx, "web", conditions("Building=True/BuildActive"), HaveField("Status.ActiveBuilds", int32(1)), HaveField("Status.QueuedBuilds", int32(1)))

			w.waitForImage(ctx, "web", built(2))
			first, second := w.Succeeded(ctx, "web-1"), w.Succeeded(ctx, "web-2")
			Expect(first.Spec.Inputs).To(Equal(running.Spec.Inputs))
			Expect(first.Spec.Inputs).NotTo(Equal(second.Spec.Inputs))
			Expect(first.Status.Artifacts[0].Digest).NotTo(Equal(second.Status.Artifacts[0].Digest))
			Expect(second.Status.StartTime.Time).NotTo(BeTemporally("<", first.Status.CompletionTime.Time))
			Expect(second).To(conditions("Admitted=True/Admitted"))
		})

		It("does not hold up builds of others", func(ctx SpecContext) {
			w.CreateImage(ctx, workspace.NewImage("web", longer))
			w.running(ctx, "web-1")
			w.CreateImage(ctx, workspace.NewImage("other"))
			w.waitForImage(ctx, "other", built(1))
			w.CreateBuild(ctx, workspace.NewBuild("once"))
			w.Succeeded(ctx, "once")
			w.WaitForBuild(ctx, "web-1", inPhase(v1alpha1.BuildRunning))
		})
	})
}
