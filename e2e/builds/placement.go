// SPDX-License-Identifier: Apache-2.0

package builds

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/workspace"
)

func describePlacement(w *fixture) {
	nowhere := func() *v1alpha1.ImageBuild {
		build := workspace.NewBuild("once")
		build.Spec.Inputs.Template = &v1alpha1.BuildTemplate{NodeSelector: map[string]string{"example.com/node": "nowhere"}}
		return build
	}
	unschedulable := And(inPhase(v1alpha1.BuildStarting), conditions("PodReady=False/Unschedulable"))

	Describe("A build that no node takes", func() {
		It("says so, and is cancelled at once", func(ctx SpecContext) {
			w.CreateBuild(ctx, nowhere())
			w.WaitForBuild(ctx, "once", unschedulable)

			w.Cancel(ctx, "once", "")
			Expect(outcomes(w.WaitForBuild(ctx, "once", inPhase(v1alpha1.BuildCancelled)))).To(Equal([]string{"Cancelled"}))
			w.Eventually(ctx, w.buildsWithPods).Should(BeEmpty())
			w.hasNoLog(ctx, "once", "no log")
		})

		It("fails when it should have started", func(ctx SpecContext) {
			build := nowhere()
			build.Spec.Timeouts = &v1alpha1.BuildTimeouts{Start: duration(w.environment.BuilderStart + time.Second)}
			w.CreateBuild(ctx, build)
			w.WaitForBuild(ctx, "once", unschedulable)
			failed := w.WaitForBuild(ctx, "once", failedWith("Timeout/StartTimeout"))
			Expect(outcomes(failed)).To(Equal([]string{"Failed Timeout/StartTimeout"}))
			Expect(failed.Status.Failure.Message).To(ContainSubstring(build.Spec.Timeouts.Start.String()))
			w.Eventually(ctx, w.buildsWithPods).Should(BeEmpty())
		})
	})
}
