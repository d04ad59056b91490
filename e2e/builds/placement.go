// SPDX-License-Identifier: Apache-2.0

package builds

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

func describePlacement(w *fixture) {
	nowhere := func() *v1alpha1.ImageBuild {
		build := newBuild("once")
		build.Spec.Inputs.Template = &v1alpha1.BuildTemplate{NodeSelector: map[string]string{"example.com/node": "nowhere"}}
		return build
	}
	unschedulable := And(inPhase(v1alpha1.BuildStarting), conditions("PodReady=False/Unschedulable"))

	Describe("A build that no node takes", func() {
		It("says so, and is cancelled at once", func(ctx SpecContext) {
			w.createBuild(ctx, nowhere())
			w.build(ctx, "once", unschedulable)

			w.cancel(ctx, "once", "")
			Expect(outcomes(w.build(ctx, "once", inPhase(v1alpha1.BuildCancelled)))).To(Equal([]string{"Cancelled"}))
			w.eventually(ctx, w.buildsWithPods).Should(BeEmpty())
			w.hasNoLog(ctx, "once", "no log")
		})

		It("fails when it should have started", func(ctx SpecContext) {
			build := nowhere()
			build.Spec.Timeouts = &v1alpha1.BuildTimeouts{Start: duration(w.environment.BuilderStart + time.Second)}
			w.createBuild(ctx, build)
			w.build(ctx, "once", unschedulable)
			failed := w.build(ctx, "once", failedWith("Timeout/StartTimeout"))
			Expect(outcomes(failed)).To(Equal([]string{"Failed Timeout/StartTimeout"}))
			Expect(failed.Status.Failure.Message).To(ContainSubstring(build.Spec.Timeouts.Start.Duration.String()))
			w.eventually(ctx, w.buildsWithPods).Should(BeEmpty())
		})
	})
}
