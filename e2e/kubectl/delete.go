// SPDX-License-Identifier: Apache-2.0

package kubectl

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

func describeDelete(s *shell) {
	Describe("delete", func() {
		It("takes an image with all that belongs to it", func(ctx SpecContext) {
			s.build(ctx, "web")
			Expect(s.Run(ctx, "", "get", "jobs,pods", "-o", "name")).NotTo(BeEmpty())
			Expect(s.Run(ctx, manifest("web"), "delete", "--cascade=foreground", "-f", "-")).To(ContainSubstring("deleted"))
			Expect(s.Run(ctx, "", "get", "goldsmith", "-o", "name")).To(BeEmpty())
			Eventually(ctx, func() string { return s.Run(ctx, "", "get", "jobs,pods", "-o", "name") }).
				WithTimeout(s.environment.Patience).WithPolling(polling).Should(BeEmpty())
		})

		It("leaves the builds where that is asked for", func(ctx SpecContext) {
			s.build(ctx, "web")
			s.Run(ctx, "", "delete", "image", "web", "--cascade=orphan")
			Expect(s.field(ctx, "imgb/web-1", ".status.phase")).To(Equal("Succeeded"))
			Expect(s.field(ctx, "imgb/web-1", ".metadata.ownerReferences")).To(BeEmpty())
			s.Run(ctx, "", "delete", "imgb", "--all")
			Expect(s.Run(ctx, "", "get", "imgb", "-o", "name")).To(BeEmpty())
		})

		It("ends a namespace", func(ctx SpecContext) {
			s.build(ctx, "web")
			s.Run(ctx, "", "delete", "namespace", s.namespace)
			Expect(s.Fail(ctx, "", "get", "namespace", s.namespace)).To(ContainSubstring("not found"))
		})
	})
}
