// SPDX-License-Identifier: Apache-2.0

package security

import (
	. "github.com/onsi/ginkgo/v2"

	"goldsmith.dev/goldsmith/e2e/cluster"
)

// Specs are the specs. Each makes a namespace of its own.
func Specs(environment func() cluster.Environment) {
	Describe("Security", Label("security"), func() {
		w := cluster.NewWorkspace(environment)
		describeRoles(w)
		describeTemplates(w)
		describeDirectCalls(w)
		describePods(w)
		describeAdmission(w)
		describeTenants(w)
		describeLeastPrivilege(w)
		describeConsole(w)
	})
}
