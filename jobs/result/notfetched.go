// SPDX-License-Identifier: Apache-2.0

package result

import (
	"encoding/json"
	"slices"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// NotFetched is why an artifact of the base, or the source, could not be fetched, as the message of the container that fetches it.
type NotFetched struct {
	// Reason is BaseNotFound, RegistryDenied, RegistryRefused or RegistryUnavailable or, for a source, SourceNotFound, SourceDenied, SourceInvalid,
	// SourceTooLarge or SourceUnavailable.
	Reason  v1alpha1.FailureReason `json:"reason"`
	Message string                 `json:"message"`
}

// Text returns the message for ParseNotFetched, of at most MaxBytes.
func (n NotFetched) Text() string {
	n.Message = v1alpha1.CutMessage(n.Message)
	text, _ := json.Marshal(n) // which is text only
	return string(text)
}

// ParseNotFetched returns the failure that a message tells, or nil if it is not the Text of a NotFetched: the container crashed.
func ParseNotFetched(message string) *v1alpha1.BuildFailure {
	var report NotFetched
	reasons := []v1alpha1.FailureReason{
		v1alpha1.ReasonBaseNotFound, v1alpha1.ReasonRegistryDenied, v1alpha1.ReasonRegistryRefused, v1alpha1.ReasonRegistryUnavailable,
		v1alpha1.ReasonSourceNotFound, v1alpha1.ReasonSourceDenied, v1alpha1.ReasonSourceInvalid, v1alpha1.ReasonSourceTooLarge, v1alpha1.ReasonSourceUnavailable,
	}
	if json.Unmarshal([]byte(message), &report) != nil || !slices.Contains(reasons, report.Reason) {
		return nil
	}
	return report.Reason.Failure("%s", v1alpha1.CutMessage(report.Message))
}
