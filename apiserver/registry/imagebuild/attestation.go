// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"context"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/store"
	"goldsmith.dev/goldsmith/apiserver/resources"
)

// attestationStrategy allows only changes of what Goldsmith states about artifacts, and of the condition Attested.
type attestationStrategy struct {
	resources.DefaultStatusStrategy
}

// attestable returns a store of builds for which only the attestation can be changed.
func attestable(builds *resources.Store, scheme *runtime.Scheme) store.Store[*v1alpha1.ImageBuild] {
	return store.Of[*v1alpha1.ImageBuild](builds.WithUpdateStrategy(attestationStrategy{resources.NewDefaultStatusStrategy(scheme, v1alpha1.SchemeGroupVersion)}))
}

// PrepareForUpdate keeps everything but the attestation and the condition Attested.
func (s attestationStrategy) PrepareForUpdate(ctx context.Context, object, old runtime.Object) {
	s.DefaultStatusStrategy.PrepareForUpdate(ctx, object, old)
	build, stored := object.(*v1alpha1.ImageBuild), old.(*v1alpha1.ImageBuild)
	from := build.Status
	build.Status = *stored.Status.DeepCopy()
	takeAttestation(&build.Status, &from)
}

// takeAttestation sets the attestation and the condition Attested to those of another status.
func takeAttestation(status, from *v1alpha1.ImageBuildStatus) {
	status.Attestation = from.Attestation
	condition := meta.FindStatusCondition(from.Conditions, v1alpha1.BuildAttested)
	if condition == nil {
		meta.RemoveStatusCondition(&status.Conditions, v1alpha1.BuildAttested)
	} else if known := meta.FindStatusCondition(status.Conditions, v1alpha1.BuildAttested); known != nil {
		*known = *condition
	} else {
		status.Conditions = append(status.Conditions, *condition)
	}
}
