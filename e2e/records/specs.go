// SPDX-License-Identifier: Apache-2.0

package records

import (
	. "github.com/onsi/ginkgo/v2"

	"goldsmith.dev/goldsmith/e2e/cluster"
)

// Specs are the specs that hold wherever there is a database. Each makes a namespace of its own and nothing outside of it.
func Specs(environment func() cluster.Environment) {
	Describe("Recorded builds", func() {
		w := newFixture(environment)
		describeHistory(w)
		describeReports(w)
		describeNotesAndChanges(w)
	})
}

// ClusterSpecs break a database and a controller. They need the cluster for themselves, with the database of the installation.
func ClusterSpecs(environment func() cluster.Environment) {
	Describe("Records database", Label("faults"), func() {
		describeFaults(newFixture(environment))
	})
}
