// SPDX-License-Identifier: Apache-2.0

package builds

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/workspace"
)

func describeBuilders(w *fixture) {
	nobodys := v1alpha1.BuilderReference{Name: "nobodys"}
	byImage := v1alpha1.BuilderReference{Image: "example.com/builder:1", Command: []string{"sh", "-c", "true"}}

	DescribeTable("An image whose builder cannot be used is stalled until that is changed",
		func(ctx SpecContext, builder v1alpha1.BuilderReference, reason, named string) {
			image := workspace.NewImage("web")
			image.Spec.Builder = builder
			w.CreateImage(ctx, image)
			w.waitForImage(ctx, "web",
				conditions("InputsResolved=False/"+reason, "Stalled=True/"+reason, "Ready=False/NeverBuilt"),
				haveConditionMessage(v1alpha1.ImageInputsResolved, ContainSubstring(named)))

			w.ChangeImage(ctx, "web", func(image *v1alpha1.Image) { image.Spec.Builder = v1alpha1.BuilderReference{Name: "mock"} })
			w.waitForImage(ctx, "web", built(1))
			Expect(w.buildNames(ctx)).To(ConsistOf("web-1"))
		},
		Entry("nobody registered it", nobodys, "BuilderNotFound", `"nobodys"`),
		Entry("it is an image of its own", byImage, "BuilderNotAllowed", `"example.com/builder:1"`),
	)

	DescribeTable("A build whose builder cannot be used fails without an attempt",
		func(ctx SpecContext, builder v1alpha1.BuilderReference, reason, named string) {
			build := workspace.NewBuild("once")
			build.Spec.Inputs.Builder = builder
			w.CreateBuild(ctx, build)
			failed := w.WaitForBuild(ctx, "once", failedWith("Config/"+reason))
			Expect(failed.Status.Failure.Message).To(ContainSubstring(named))
			Expect(failed.Status.Attempts).To(BeEmpty())
			w.waitForEvents(ctx, "ImageBuild", "once", ConsistOf(HavePrefix("Warning "+reason)))
		},
		Entry("nobody registered it", nobodys, "BuilderNotFound", `"nobodys"`),
		Entry("it is an image of its own", byImage, "BuilderNotAllowed", `"example.com/builder:1"`),
	)
}
