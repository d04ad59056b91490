// SPDX-License-Identifier: Apache-2.0

package kubectl

import (
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

func describeRefusals(s *shell) {
	Describe("What is refused", func() {
		unknown := strings.Replace(manifest("web"), "spec:", "spec:\n  colour: gold", 1)

		It("because there is one of that name is said to be there", func(ctx SpecContext) {
			s.Run(ctx, manifest("web"), "create", "-f", "-")
			Expect(s.Fail(ctx, manifest("web"), "create", "-f", "-")).To(ContainSubstring(`images.images.goldsmith.dev "web" already exists`))
		})

		It("for a field that nobody knows is told which", func(ctx SpecContext) {
			Expect(s.Fail(ctx, unknown, "apply", "-f", "-")).To(ContainSubstring(`unknown field "spec.colour"`))
			Expect(s.Run(ctx, "", "get", "images", "-o", "name")).To(BeEmpty())

			warned := s.Try(ctx, unknown, "apply", "--validate=warn", "-f", "-")
			Expect(warned.Code).To(BeZero(), warned.Stderr)
			Expect(warned.Stderr).To(ContainSubstring(`Warning: unknown field "spec.colour"`))
			Expect(s.Run(ctx, "", "get", "images", "-o", "name")).NotTo(BeEmpty())
		})

		It("for what is in it is told everything at once", func(ctx SpecContext) {
			wrong := strings.NewReplacer("debian:bookworm", "", "linux/amd64", "linux", "raw", "tar").Replace(manifest("web"))
			refusal := s.Fail(ctx, wrong, "apply", "-f", "-")
			Expect(refusal).To(ContainSubstring(`The Image "web" is invalid`))
			for _, field := range []string{"spec.base: Required value", "spec.targets[0].platform: Invalid value", "spec.targets[0].format: Unsupported value"} {
				Expect(refusal).To(ContainSubstring(field))
			}
		})

		DescribeTable("for a value of the wrong type is told where and what it must be", func(ctx SpecContext, args ...string) {
			wrong := manifest("web") + "  timeouts: {run: 2w}\n"
			Expect(s.Fail(ctx, wrong, append(args, "-f", "-")...)).To(And(
				ContainSubstring("spec.timeouts.run: must be a duration such as 90s, 30m, 2h or 7d"), Not(ContainSubstring("Go struct"))))
		},
			Entry("created", "create"),
			Entry("applied", "apply"),
		)

		It("because a build is a record is told so", func(ctx SpecContext) {
			s.build(ctx, "web")
			Expect(s.Fail(ctx, "", "patch", "imgb", "web-1", "--type=merge", "-p", `{"spec":{"number":7}}`)).To(And(
				ContainSubstring("spec.number"), ContainSubstring("immutable")))
		})

		It("because there is none is told so", func(ctx SpecContext) {
			Expect(s.Fail(ctx, "", "get", "image", "web")).To(ContainSubstring(`images.images.goldsmith.dev "web" not found`))
		})
	})
}
