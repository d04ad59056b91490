// SPDX-License-Identifier: Apache-2.0

package records

import (
	. "github.com/onsi/ginkgo/v2"

	"goldsmith.dev/goldsmith/e2e/cluster"
)

// Specs are the specs for any installation with a database. Each spec creates a namespace, and no objects outside of this namespace.
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
