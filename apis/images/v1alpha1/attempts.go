// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// AttemptsToMake returns how many attempts of a build were made at its artifacts, and not at tests.
func (status *ImageBuildStatus) AttemptsToMake() (number int) {
	for i := range status.Attempts {
		if !status.Attempts[i].IsTest() {
			number++
		}
	}
	return number
}

// IsTest reports whether the attempt runs tests of artifacts that an earlier attempt has made.
func (a *BuildAttempt) IsTest() bool { return len(a.Tests) > 0 }

// MadeBy returns the number of the last attempt that made artifacts, or began to. It is 0 if there is none, as for a build that only tests those of an
// earlier build.
func (status *ImageBuildStatus) MadeBy() (number int32) {
	for i := range status.Attempts {
		if attempt := &status.Attempts[i]; !attempt.IsTest() {
			number = attempt.Number
		}
	}
	return number
}
