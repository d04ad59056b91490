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

// ClusterSpecs break an archive, a controller and a node. They need the cluster for themselves, with two workers, one of which
// is without etcd, and an archive that is on neither.
func ClusterSpecs(environment func() cluster.Environment) {
	Describe("Archive of logs", Serial, Label("faults"), func() {
		describeFaults(newFixture(environment))
	})
}
