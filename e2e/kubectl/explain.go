// SPDX-License-Identifier: Apache-2.0

package kubectl

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

func describeExplain(s *shell) {
	Describe("explain", func() {
		It("tells what a field means", func(ctx SpecContext) {
			Expect(s.Run(ctx, "", "explain", "image.spec.builder")).To(And(
				ContainSubstring("FIELD: builder <BuilderReference>"),
				MatchRegexp(`(?m)^  name\t<string>\n    name selects a builder that the operator`),
				MatchRegexp(`(?m)^  image\t<string>`), MatchRegexp(`(?m)^  command\t<\[\]string>`)))
			Expect(s.Run(ctx, "", "explain", "image.spec.timeouts.run")).To(And(ContainSubstring("FIELD: run <string>"), ContainSubstring("Defaults to 1h")))
			Expect(s.Run(ctx, "", "explain", "imagebuild.status.phase")).To(ContainSubstring("phase is the current phase of the build"))
			Expect(s.Fail(ctx, "", "explain", "image.spec.colour")).To(ContainSubstring("colour"))
		})
	})
}
