// SPDX-License-Identifier: Apache-2.0

package archive

import (
	. "github.com/onsi/ginkgo/v2"

	"goldsmith.dev/goldsmith/e2e/cluster"
)

// Specs are the specs that hold wherever there is an archive. Each makes a namespace of its own and nothing outside of it.
func Specs(environment func() cluster.Environment) {
	Describe("Archived logs", func() {
		w := newFixture(environment)
		describeReading(w)
		describeDeletion(w)
		describeFollowing(w)
	})
}

// ClusterSpecs break an archive and a controller. They need the cluster for themselves. What the archive has of a lost worker is part
// of the spec that loses one, in package faults: see StartOnWorker.
func ClusterSpecs(environment func() cluster.Environment) {
	Describe("Archive of logs", Label("faults"), func() {
		describeFaults(newFixture(environment))
	})
}
