// SPDX-License-Identifier: Apache-2.0

package inputs

import (
	"k8s.io/apimachinery/pkg/util/validation/field"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/capability"
)

// Check finds the builder of inputs, as Lookup does, and checks that it takes the parameters and makes the targets. The failure is one of
// Lookup, InvalidParameters or TargetNotSupported.
func (b Builders) Check(given *v1alpha1.BuildInputs) *v1alpha1.BuildFailure {
	builder, failure := b.Lookup(given.Builder)
	if failure != nil {
		return failure
	}
	if errs := builder.Capabilities.CheckParameters(given.Builder.Name, given.Parameters, field.NewPath("parameters")); len(errs) > 0 {
		return refusal(v1alpha1.ReasonInvalidParameters, errs)
	}
	if errs := builder.Capabilities.CheckTargets(given.Builder.Name, given.Targets, field.NewPath("targets")); len(errs) > 0 {
		return refusal(v1alpha1.ReasonTargetNotSupported, errs)
	}
	return nil
}

// refusal reports the first of some errors, without its value, which can be long.
func refusal(reason v1alpha1.FailureReason, errs field.ErrorList) *v1alpha1.BuildFailure {
	return reason.Failure("%s: %s", errs[0].Field, errs[0].Detail)
}

// Validate returns the errors of inputs that their builder does not take. Inputs whose builder is not registered have none.
func (b Builders) Validate(given *v1alpha1.BuildInputs, path *field.Path) field.ErrorList {
	capabilities := b.Capabilities(given.Builder)
	return append(capabilities.CheckParameters(given.Builder.Name, given.Parameters, path.Child("parameters")),
		capabilities.CheckTargets(given.Builder.Name, given.Targets, path.Child("targets"))...)
}

// Capabilities returns what the builder of a build can do. A builder that is not registered has no limits.
func (b Builders) Capabilities(builder v1alpha1.BuilderReference) capability.Capabilities {
	if builder.Image != "" {
		return capability.Capabilities{}
	}
	return b.All()[builder.Name].Capabilities
}
