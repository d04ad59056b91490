// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// AttemptFailure returns the failure of an attempt, or nil. If the build failed, the message and the end of the log of its last attempt
// are in the failure of the build only.
func (status *ImageBuildStatus) AttemptFailure(attempt *BuildAttempt) *BuildFailure {
	moved := status.Phase == BuildFailed && status.Failure != nil && attempt.Number == status.CurrentAttempt
	if failure := attempt.Failure; failure == nil || !moved {
		return failure
	}
	return status.Failure
}
