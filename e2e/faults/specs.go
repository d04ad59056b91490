// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"goldsmith.dev/goldsmith/e2e/cluster"
	"goldsmith.dev/goldsmith/e2e/faults/load"
)

// steps are the parameters of builds that take long enough for a fault to meet them in every phase: Kubernetes makes two
// or three of their Jobs a second.
var steps = []string{"duration=5s", "steps=5"}

// Specs are the specs. They need a cluster of their own while they run, with two workers, one of which is lost in between.
// Goldsmith is installed there, with an archive of logs that is on neither worker, and whole again after each spec.
func Specs(environment func() cluster.Environment) {
	Describe("Faults", Label("faults"), func() {
		w, ofLog := cluster.NewWorkspace(environment), cluster.NewWorkspace(environment)
		BeforeEach(func() {
			// This runs after all other cleanups of a spec.
			DeferCleanup(func(ctx SpecContext) { Expect(w.Environment.WaitReady(ctx)).To(Succeed()) })
		})
		BeforeEach(func(ctx SpecContext) {
			waitForCollectorWatches(ctx, w)
		})

		DescribeTable("20 builds all succeed, once and at the first attempt, while",
			func(ctx SpecContext, disrupt func(context.Context, *cluster.Workspace)) {
				builds := load.Start(ctx, w, steps...)
				builds.Running(ctx, 1)
				disrupt(ctx, w)
				builds.SucceededAtOnce(ctx)
			},
			Entry("the pod of the leading controller is deleted", deleteLeader),
			Entry("the leading controller is killed", Label("gate"), killLeader),
			Entry("one of the API servers is killed", killAnAPIServer),
			Entry("both API servers are killed", killBothAPIServers),
			Entry("etcd is killed", killEtcd),
			Entry("kube-apiserver is killed", killKubeAPIServer),
			Entry("the API is unregistered and registered again", unregister),
		)

		describeKinds(w)
		describeUnboundRole(w)
		describeFleet(w)
		describeOutage(w, ofLog)
	})
}
