// SPDX-License-Identifier: Apache-2.0

package v1

// SetDefaults_BookSpec sets what a librarian leaves out. v2 has the same defaults: what an object means must not depend
// on the version through which it was created.
func SetDefaults_BookSpec(spec *BookSpec) {
	if spec.Copies == nil {
		spec.Copies = new(int32(1))
	}
	if spec.LoanDays == nil {
		spec.LoanDays = new(int32(14))
	}
}
