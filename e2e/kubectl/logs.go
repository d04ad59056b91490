// SPDX-License-Identifier: Apache-2.0

package kubectl

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

func describeLogs(s *shell) {
	It("logs of a build's Job and pod are those of the build", func(ctx SpecContext) {
		s.build(ctx, "web")
		job, pod := s.field(ctx, "imgb/web-1", ".status.attempts[0].jobName"), s.field(ctx, "imgb/web-1", ".status.attempts[0].podName")

		log := s.Run(ctx, "", "get", "--raw", "/apis/images.goldsmith.dev/v1alpha1/namespaces/"+s.namespace+"/imagebuilds/web-1/log")
		Expect(log).To(ContainSubstring("step 1/1"))
		Expect(s.Run(ctx, "", "logs", pod)).To(Equal(log))
		Expect(s.Run(ctx, "", "logs", "job/"+job, "--tail=-1")).To(Equal(log))
		Expect(s.Run(ctx, "", "logs", "-f", "-l", "images.goldsmith.dev/build=web-1", "--tail=1")).To(HavePrefix("step 1/1"))
	})
}
