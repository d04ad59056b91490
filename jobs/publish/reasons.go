// SPDX-License-Identifier: Apache-2.0

package publish

import "goldsmith.dev/goldsmith/apis/images/v1alpha1"

// Reasons of an Error.
const (
	// ReasonRegistryDenied means that the registry does not accept the credentials, or their absence.
	ReasonRegistryDenied v1alpha1.FailureReason = "RegistryDenied"
	// ReasonRegistryRefused means that the registry does not accept the request, or cannot be trusted.
	ReasonRegistryRefused v1alpha1.FailureReason = "RegistryRefused"
	// ReasonRegistryUnavailable means that the registry cannot be reached, or does not work.
	ReasonRegistryUnavailable v1alpha1.FailureReason = "RegistryUnavailable"
)
