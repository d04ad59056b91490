// SPDX-License-Identifier: Apache-2.0

package state

import (
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// ForgetAttestation removes what Goldsmith states about artifacts from the status of a build whose next pod makes other artifacts.
func ForgetAttestation(status *v1alpha1.ImageBuildStatus) {
	status.Attestation = nil
	meta.RemoveStatusCondition(&status.Conditions, v1alpha1.BuildAttested)
}

// EndAttestation removes the condition Attested from the status of a finished build that waited for the signer: no key signs a finished build.
// The condition stays if all keys have signed, and if no key could: then it has the reason of the failure.
func EndAttestation(status *v1alpha1.ImageBuildStatus) {
	if status.Phase.Finished() && awaitedSigner(status) != nil {
		meta.RemoveStatusCondition(&status.Conditions, v1alpha1.BuildAttested)
	}
}

// awaitedSigner returns the condition of a build whose artifacts are not signed yet; nil if they do not wait for the signer.
func awaitedSigner(status *v1alpha1.ImageBuildStatus) *metav1.Condition {
	if attested := meta.FindStatusCondition(status.Conditions, v1alpha1.BuildAttested); attested != nil && attested.Reason == v1alpha1.ReasonWaitingForSigner {
		return attested
	}
	return nil
}
