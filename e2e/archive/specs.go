// SPDX-License-Identifier: Apache-2.0

package archive

import (
	. "github.com/onsi/ginkgo/v2"

	"goldsmith.dev/goldsmith/e2e/cluster"
)

// Specs are the specs for any installation with an archive. Each spec creates a namespace, and no objects outside of this namespace.
func Specs(environment func() cluster.Environment) {
	Describe("Archived logs", func() {
		w := newFixture(environment)
		describeReading(w)
		describeDeletion(w)
		describeFollowing(w)
	})
}

// ClusterSpecs break an archive and a controller. They need the cluster for themselves. A spec of package faults loses a worker and
// checks the archived logs of that worker: see StartOnWorker.
func ClusterSpecs(environment func() cluster.Environment) {
	Describe("Archive of logs", Label("faults"), func() {
		describeFaults(newFixture(environment))
	})
}
