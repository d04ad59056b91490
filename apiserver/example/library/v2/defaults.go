// SPDX-License-Identifier: Apache-2.0

package v2

// SetDefaults_BookSpec sets what a librarian leaves out.
func SetDefaults_BookSpec(spec *BookSpec) {
	if spec.Copies == nil {
		spec.Copies = new(int32(1))
	}
	if spec.LoanDays == nil {
		spec.LoanDays = new(int32(14))
	}
}

// SetDefaults_Author takes somebody for the writer. It is also what v1 means by an author.
func SetDefaults_Author(author *Author) {
	if author.Role == "" {
		author.Role = RoleAuthor
	}
}
