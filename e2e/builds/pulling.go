// SPDX-License-Identifier: Apache-2.0

package builds

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
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
		build := newBuild("once")
		build.Spec.Inputs.Builder.Name = name
		build.Spec.Retry.Limit = new(int32(0))
		return build
	}

	Describe("A build whose builder's image", func() {
		It("cannot be pulled waits for it until it should have started", func(ctx SpecContext) {
			build := buildWith(unpullable)
			build.Spec.Timeouts = &v1alpha1.BuildTimeouts{Start: duration(w.environment.BuilderStart + 5*time.Second)}
			w.createBuild(ctx, build)
			w.build(ctx, "once", And(inPhase(v1alpha1.BuildStarting), conditions("PodReady=False/ImagePulling"),
				saying(v1alpha1.BuildPodReady, ContainSubstring("registry.invalid"))))

			failed := w.build(ctx, "once", failedWith("Registry/ImagePullFailed"))
			Expect(outcomes(failed)).To(Equal([]string{"Failed Registry/ImagePullFailed"}))
			Expect(failed.Status.Failure.Message).To(ContainSubstring("registry.invalid/goldsmith/builder:1"))
			w.eventually(ctx, w.buildsWithPods).Should(BeEmpty())
			w.hasNoLog(ctx, "once", "no log")
		})

		It("cannot be pulled is cancelled at once", func(ctx SpecContext) {
			w.createBuild(ctx, buildWith(unpullable))
			w.build(ctx, "once", And(inPhase(v1alpha1.BuildStarting), conditions("PodReady=False/ImagePulling")))
			w.cancel(ctx, "once", "")
			Expect(outcomes(w.build(ctx, "once", inPhase(v1alpha1.BuildCancelled)))).To(Equal([]string{"Cancelled"}))
		})

		It("has no valid name fails", func(ctx SpecContext) {
			w.createBuild(ctx, buildWith(misnamed))
			failed := w.build(ctx, "once", failedWith("Config/InvalidImageName"))
			Expect(failed.Status.Failure.Message).To(ContainSubstring("registry.invalid/Goldsmith/builder:1"))
		})
	})
}
