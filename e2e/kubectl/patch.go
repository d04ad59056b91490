// SPDX-License-Identifier: Apache-2.0

package kubectl

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

func describePatch(s *shell) {
	DescribeTable("patch changes an image", func(ctx SpecContext, kind, patch string) {
		s.build(ctx, "edge", "edition: a")
		Expect(s.Run(ctx, "", "patch", "image", "edge", "--type="+kind, "-p", patch)).To(Equal("image.images.goldsmith.dev/edge patched\n"))
		s.waitFor(ctx, "jsonpath={.status.latestSuccessful.number}=2", "image/edge")
		Expect(s.field(ctx, "imgb/edge-2", ".spec.trigger.changes[*].path")).To(Equal("parameters[edition]"))
		Expect(s.field(ctx, "image/edge", ".spec.parameters[*].name")).To(Equal("duration steps edition"))
	},
		Entry("by merging", "merge", `{"spec":{"parameters":[{"name":"duration","value":"0s"},{"name":"steps","value":"1"},{"name":"edition","value":"b"}]}}`),
		Entry("by JSON patch", "json", `[{"op":"test","path":"/spec/parameters/2/name","value":"edition"},{"op":"replace","path":"/spec/parameters/2/value","value":"b"}]`),
	)

	It("patch without a type changes an image, too", func(ctx SpecContext) {
		s.Run(ctx, manifest("edge"), "apply", "-f", "-")
		s.Run(ctx, "", "patch", "image", "edge", "-p", `{"spec":{"suspend":true}}`)
		Expect(s.field(ctx, "image/edge", ".spec.suspend")).To(Equal("true"))
	})

	It("patch --subresource=status changes nothing else", func(ctx SpecContext) {
		s.build(ctx, "edge")
		s.Run(ctx, "", "patch", "image", "edge", "--subresource=status", "--type=merge", "-p", `{"spec":{"suspend":true}}`)
		Expect(s.field(ctx, "image/edge", ".spec.suspend")).To(Equal("false"))
	})

	It("replace changes an image", func(ctx SpecContext) {
		s.Run(ctx, manifest("edge"), "create", "-f", "-")
		s.waitFor(ctx, "condition=Ready", "image/edge")
		s.Run(ctx, manifest("edge", "edition: b"), "replace", "-f", "-")
		s.waitFor(ctx, "jsonpath={.status.latestSuccessful.number}=2", "image/edge")
	})
}
