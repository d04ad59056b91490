// SPDX-License-Identifier: Apache-2.0

package builds

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubetypes "k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/workspace"
)

func describeCancelling(w *fixture) {
	cancelled := func() types.GomegaMatcher {
		return And(inPhase(v1alpha1.BuildCancelled),
			HaveField("Status.Failure.Class", v1alpha1.FailureCancelled),
			HaveField("Status.Failure.Reason", v1alpha1.ReasonCancelRequested))
	}

	Describe("A build that is cancelled", func() {
		It("while its builder runs tells it to end, and keeps its log", Label("gate"), func(ctx SpecContext) {
			w.CreateImage(ctx, workspace.NewImage("web", longer))
			w.running(ctx, "web-1")

			requested := w.Cancel(ctx, "web-1", "wrong base").Spec.CancelRequested
			Expect(requested).To(And(HaveField("Reason", "wrong base"), HaveField("By", Not(BeEmpty())), HaveField("Time.IsZero()", false)))
			build := w.WaitForBuild(ctx, "web-1", cancelled())
			Expect(build.Spec.CancelRequested).To(Equal(requested))
			Expect(build.Status.Failure.Message).To(And(ContainSubstring(requested.By), ContainSubstring("wrong base")))
			Expect(outcomes(build)).To(Equal([]string{"Cancelled"}))
			Expect(w.Log(ctx, "web-1", nil)).To(And(ContainSubstring("step 1/1"), ContainSubstring("told to end")))
			w.waitForEvents(ctx, "ImageBuild", "web-1", ConsistOf(HavePrefix("Normal CancelRequested")))
			image := w.waitForImage(ctx, "web", conditions("Ready=False/NeverBuilt", "Stalled=True/BuildCancelled", "Building=False/Idle"))
			Expect(image.Status.LatestBuild).To(BeNil())

			w.ChangeImage(ctx, "web", setting("duration=0s"))
			w.waitForImage(ctx, "web", built(2))

			By("A cancelled build of an image that is up to date counts for nothing, and neither does a one-off build")
			oneOff, err := w.Images().Instantiate(ctx, "web", &v1alpha1.BuildRequest{Parameters: []v1alpha1.Parameter{{Name: "duration", Value: "1h"}}}, metav1.CreateOptions{})
			Expect(err).NotTo(HaveOccurred())
			w.Request(ctx, "web", "again") // waits for the one-off build
			w.Cancel(ctx, "web-4", "")
			w.WaitForBuild(ctx, "web-4", cancelled())
			w.waitForImage(ctx, "web", HaveField("Status.CountedBuild", int64(4)), HaveField("Status.LatestBuild.Number", int64(2)),
				conditions("Ready=True/BuildSucceeded", "UpToDate=True/InputsUnchanged", "Stalled=False/Progressing"))
			w.Cancel(ctx, oneOff.Name, "")
			w.waitForImage(ctx, "web", HaveField("Status.BuildCounter", int64(4)),
				conditions("Ready=True/BuildSucceeded", "UpToDate=True/InputsUnchanged", "Building=False/Idle", "Stalled=False/Progressing"))
		})

		It("as soon as it is made ends, however far it has come", func(ctx SpecContext) {
			w.CreateBuild(ctx, workspace.NewBuild("once", longer))
			w.Cancel(ctx, "once", "")
			build := w.WaitForBuild(ctx, "once", cancelled())
			Expect(outcomes(build)).To(Or(BeEmpty(), Equal([]string{"Cancelled"})))
		})

		It("while it waits for its turn ends at once", func(ctx SpecContext) {
			w.CreateImage(ctx, workspace.NewImage("web", longer))
			w.running(ctx, "web-1")
			w.Request(ctx, "web", "second")
			w.WaitForBuild(ctx, "web-2", inPhase(v1alpha1.BuildQueued))

			w.Cancel(ctx, "web-2", "")
			build := w.WaitForBuild(ctx, "web-2", cancelled())
			Expect(build.Status.Attempts).To(BeEmpty())
			Expect(build.Status.StartTime).To(BeNil())
			w.WaitForBuild(ctx, "web-1", inPhase(v1alpha1.BuildRunning))
		})

		It("while it waits for the next attempt ends at once", func(ctx SpecContext) {
			build := workspace.NewBuild("once", "failAttempts=1", "retryable=true")
			build.Spec.Retry.Backoff.Initial = duration(time.Hour)
			w.CreateBuild(ctx, build)
			w.WaitForBuild(ctx, "once", inPhase(v1alpha1.BuildRetrying))

			w.Cancel(ctx, "once", "")
			Expect(outcomes(w.WaitForBuild(ctx, "once", cancelled()))).To(Equal([]string{tempFail}))
		})

		It("after it has finished stays as it is", func(ctx SpecContext) {
			w.CreateBuild(ctx, workspace.NewBuild("done"))
			w.Succeeded(ctx, "done")
			before := w.Settled(ctx, "done")

			Expect(w.Cancel(ctx, "done", "too late")).To(BeComparableTo(before))
			_, err := w.Builds().Patch(ctx, "done", kubetypes.MergePatchType, []byte(`{"spec":{"cancelRequested":{}}}`), metav1.PatchOptions{})
			Expect(err).To(workspace.BeInvalid("spec.cancelRequested"))
			Expect(w.Finished(ctx, "done").ResourceVersion).To(Equal(before.ResourceVersion))
		})

		It("twice keeps the first request", func(ctx SpecContext) {
			w.CreateBuild(ctx, workspace.NewBuild("once", longer))
			w.running(ctx, "once")

			first := w.Cancel(ctx, "once", "first").Spec.CancelRequested
			Expect(w.Cancel(ctx, "once", "second").Spec.CancelRequested).To(Equal(first))
			_, err := w.Builds().Patch(ctx, "once", kubetypes.MergePatchType, []byte(`{"spec":{"cancelRequested":{"reason":"third"}}}`), metav1.PatchOptions{})
			Expect(err).To(workspace.BeInvalid("spec.cancelRequested"))
			Expect(w.WaitForBuild(ctx, "once", cancelled()).Spec.CancelRequested).To(Equal(first))
		})

		It("by a patch is cancelled as by a request", func(ctx SpecContext) {
			w.CreateBuild(ctx, workspace.NewBuild("once", longer))
			patch := func(text string) (*v1alpha1.ImageBuild, error) {
				return w.Builds().Patch(ctx, "once", kubetypes.MergePatchType, []byte(text), metav1.PatchOptions{})
			}
			_, err := patch(`{"spec":{"cancelRequested":{"supersededBy":"once-2"}}}`)
			Expect(err).To(workspace.BeInvalid("spec.cancelRequested.supersededBy"))
			patched, err := patch(`{"spec":{"cancelRequested":{"reason":"not needed","by":"somebody else","time":"2001-01-01T00:00:00Z"}}}`)
			Expect(err).NotTo(HaveOccurred())
			Expect(patched.Spec.CancelRequested).To(HaveValue(And(
				HaveField("Reason", "not needed"), HaveField("By", Not(BeElementOf("", "somebody else"))), HaveField("Time.Year()", Not(Equal(2001))))))
			Expect(patched.Generation).To(BeEquivalentTo(2))
			Expect(w.WaitForBuild(ctx, "once", cancelled()).Spec).To(Equal(patched.Spec))
		})

		It("while its builder ignores that ends when the builder does", func(ctx SpecContext) {
			w.CreateBuild(ctx, workspace.NewBuild("once", longer, "steps=2", "failAt=2", "onTerm=hurry"))
			w.running(ctx, "once")

			w.Cancel(ctx, "once", "")
			w.WaitForBuild(ctx, "once", cancelled())
			Expect(w.Log(ctx, "once", nil)).To(And(ContainSubstring("told to end: hurrying"), ContainSubstring("step 2/2")))
		})
	})
}
