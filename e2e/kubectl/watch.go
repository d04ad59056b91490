// SPDX-License-Identifier: Apache-2.0

package kubectl

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gbytes"
	"github.com/onsi/gomega/gexec"
)

func describeWatch(s *shell) {
	It("get -w shows a build as it goes", func(ctx SpecContext) {
		watching, stop := context.WithCancel(ctx)
		defer stop()
		s.Run(ctx, manifest("first"), "apply", "-f", "-")
		watch, err := gexec.Start(s.Command(watching, "get", "imagebuilds", "-w"), nil, nil)
		Expect(err).NotTo(HaveOccurred())
		// Not Eventually(ctx, …): that formats its argument, while kubectl writes to it.
		shows := func(pattern string) {
			GinkgoHelper()
			Eventually(watch.Out).WithContext(ctx).WithTimeout(s.environment.Patience).WithPolling(polling).Should(gbytes.Say(pattern))
		}

		shows(`NAME +IMAGE +PHASE`)
		shows(`first-1 +first +Succeeded`)
		s.Run(ctx, manifest("web"), "apply", "-f", "-")
		shows(`web-1 +web +Pending`)
		shows(`web-1 +web +Starting`)
		shows(`web-1 +web +Succeeded`)
		stop()
		Eventually(watch).WithContext(ctx).WithTimeout(s.environment.Patience).Should(gexec.Exit())
		Expect(watch.Err.Contents()).To(BeEmpty())
	})
}
