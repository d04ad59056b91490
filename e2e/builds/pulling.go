// SPDX-License-Identifier: Apache-2.0

package builds

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/workspace"
)

// The names of ClusterBuilders.
const (
	unpullable = "unpullable"
	misnamed   = "misnamed"
)

// ClusterBuilders are the builders that ClusterSpecs need, as references of container images by name.
func ClusterBuilders() map[string]string {
	return map[string]string{
		unpullable: "registry.invalid/goldsmith/builder:1", // a name that no DNS ever knows
		misnamed:   "registry.invalid/Goldsmith/builder:1", // an upper-case letter
	}
}

func describePulling(w *fixture) {
	buildWith := func(name string) *v1alpha1.ImageBuild {
		build := workspace.NewBuild("once")
		build.Spec.Inputs.Builder.Name = name
		build.Spec.Retry.Limit = new(int32(0))
		return build
	}

	Describe("A build whose builder's image", func() {
		It("cannot be pulled waits for it until it should have started", func(ctx SpecContext) {
			build := buildWith(unpullable)
			build.Spec.Timeouts = &v1alpha1.BuildTimeouts{Start: duration(w.environment.BuilderStart + 5*time.Second)}
			w.CreateBuild(ctx, build)
			w.WaitForBuild(ctx, "once", And(inPhase(v1alpha1.BuildStarting), conditions("PodReady=False/ImagePulling"),
				haveConditionMessage(v1alpha1.BuildPodReady, ContainSubstring("registry.invalid"))))

			failed := w.WaitForBuild(ctx, "once", failedWith("Registry/ImagePullFailed"))
			Expect(outcomes(failed)).To(Equal([]string{"Failed Registry/ImagePullFailed"}))
			Expect(failed.Status.Failure.Message).To(ContainSubstring("registry.invalid/goldsmith/builder:1"))
			w.Eventually(ctx, w.buildsWithPods).Should(BeEmpty())
			w.hasNoLog(ctx, "once", "no log")
		})

		It("cannot be pulled is cancelled at once", func(ctx SpecContext) {
			w.CreateBuild(ctx, buildWith(unpullable))
			w.WaitForBuild(ctx, "once", And(inPhase(v1alpha1.BuildStarting), conditions("PodReady=False/ImagePulling")))
			w.Cancel(ctx, "once", "")
			Expect(outcomes(w.WaitForBuild(ctx, "once", inPhase(v1alpha1.BuildCancelled)))).To(Equal([]string{"Cancelled"}))
		})

		It("has no valid name fails", func(ctx SpecContext) {
			w.CreateBuild(ctx, buildWith(misnamed))
			failed := w.WaitForBuild(ctx, "once", failedWith("Config/InvalidImageName"))
			Expect(failed.Status.Failure.Message).To(ContainSubstring("registry.invalid/Goldsmith/builder:1"))
		})
	})
}
