// SPDX-License-Identifier: Apache-2.0

package builds

import (
	"context"
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/util/rand"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/workspace"
)

func describeDraining(w *fixture) {
	kubectl := func(ctx context.Context, args ...string) {
		GinkgoHelper()
		w.Eventually(ctx, func(ctx context.Context) error { // kubectl drain ends with the first request that an etcd is too busy for
			output, err := w.environment.Kubectl(ctx, args...).CombinedOutput()
			if err != nil {
				return fmt.Errorf("kubectl %v: %w: %s", args, err, output)
			}
			return nil
		}).Should(Succeed())
	}

	It("A build whose node is drained goes on, with another attempt on another node", func(ctx SpecContext) {
		name := "drained-" + rand.String(6) // the only pod to be evicted: other specs run builds on the node, too
		build := workspace.NewBuild(name, longer)
		build.Spec.Retry.Limit = new(int32(0))
		w.CreateBuild(ctx, build)
		node := w.running(ctx, name).Status.Attempts[0].NodeName

		DeferCleanup(func(ctx SpecContext) { kubectl(ctx, "uncordon", node) })
		kubectl(ctx, "drain", node, "--ignore-daemonsets", "--delete-emptydir-data",
			"--pod-selector="+v1alpha1.LabelBuild+"="+name, "--timeout="+w.environment.Patience.String())

		next := w.WaitForBuild(ctx, name, And(inPhase(v1alpha1.BuildRunning), HaveField("Status.CurrentAttempt", int32(2))))
		Expect(outcomes(next)).To(Equal([]string{"Disrupted Infrastructure/Evicted", ""}))
		Expect(next.Status.Attempts[1].NodeName).NotTo(Equal(node))
		w.Cancel(ctx, name, "")
		w.WaitForBuild(ctx, name, inPhase(v1alpha1.BuildCancelled))
	})
}
