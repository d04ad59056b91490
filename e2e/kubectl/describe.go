// SPDX-License-Identifier: Apache-2.0

package kubectl

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

func describeDescribe(s *shell) {
	It("describe and events show what happened", func(ctx SpecContext) {
		s.build(ctx, "web")
		Eventually(ctx, func() string { return s.Run(ctx, "", "events", "--for=imagebuild/web-1") }).
			WithTimeout(s.environment.Patience).WithPolling(polling).Should(MatchRegexp(`Normal +Succeeded +ImageBuild/web-1 +built linux/amd64/raw sha256:`))
		Expect(s.Run(ctx, "", "events", "--for=image/web")).To(MatchRegexp(`Normal +BuildCreated +Image/web +build web-1`))
		Expect(s.Run(ctx, "", "get", "events")).To(And(ContainSubstring("image/web"), ContainSubstring("imagebuild/web-1")))

		image := s.Run(ctx, "", "describe", "image", "web")
		Expect(image).To(And(MatchRegexp(`(?m)^Kind: +Image$`), MatchRegexp(`Reference: +debian:bookworm`), ContainSubstring("Latest Successful:")))
		Expect(image).To(MatchRegexp(`(?s)Events:.*Normal +BuildCreated .*goldsmith-controller +build web-1`))
		build := s.Run(ctx, "", "describe", "imgb", "web-1")
		Expect(build).To(And(MatchRegexp(`Phase: +Succeeded`), MatchRegexp(`(?s)Events:.*Normal +Succeeded .*goldsmith-controller +built linux/amd64/raw`)))
	})
}
