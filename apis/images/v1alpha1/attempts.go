// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// AttemptsToMake returns how many attempts of a build were made at its artifacts, and not at tests.
func (status *ImageBuildStatus) AttemptsToMake() (number int) {
	for i := range status.Attempts {
		if len(status.Attempts[i].Tests) == 0 {
			number++
		}
	}
	return number
}
