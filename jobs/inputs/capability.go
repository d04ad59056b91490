// SPDX-License-Identifier: Apache-2.0

package inputs

import (
	"k8s.io/apimachinery/pkg/util/validation/field"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/capability"
)

// Check finds the builder of inputs, as Lookup does, and checks that it takes them and makes the targets. The failure is one of Lookup,
// BaseNotSupported, FileNotSupported, InvalidParameters or TargetNotSupported. The builder itself checks the files of a ConfigMap.
func (b Builders) Check(given *v1alpha1.BuildInputs) *v1alpha1.BuildFailure {
	builder, failure := b.Lookup(given.Builder)
	if failure != nil {
		return failure
	}
	for _, check := range checks(builder.Capabilities, given, nil) {
		if len(check.errs) > 0 {
			return refusal(check.reason, check.errs)
		}
	}
	return nil
}

// refusal reports the first of some errors, without its value, which can be long.
func refusal(reason v1alpha1.FailureReason, errs field.ErrorList) *v1alpha1.BuildFailure {
	return reason.Failure("%s: %s", errs[0].Field, errs[0].Detail)
}

// Validate returns the errors of inputs that their builder does not take. Inputs whose builder is not registered have none.
func (b Builders) Validate(given *v1alpha1.BuildInputs, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for _, check := range checks(b.Capabilities(given.Builder), given, path) {
		errs = append(errs, check.errs...)
	}
	return errs
}

// check has what is wrong with a part of inputs, and the reason with which a build of them fails.
type check struct {
	reason v1alpha1.FailureReason
	errs   field.ErrorList
}

// checks compares inputs at a path with what their builder takes and makes.
func checks(declared capability.Capabilities, given *v1alpha1.BuildInputs, path *field.Path) []check {
	builder, files := given.Builder.Name, map[string]string(nil)
	if given.Source != nil && given.Source.Inline != nil {
		files = given.Source.Inline.Files
	}
	return []check{
		{v1alpha1.ReasonTargetNotSupported, checkMakesImages(builder, path.Child("builder", "name"))},
		{v1alpha1.ReasonBaseNotSupported, declared.CheckBase(builder, given.Base, path.Child("base"))},
		{v1alpha1.ReasonFileNotSupported, declared.CheckFiles(builder, files, path.Child("source", "inline", "files"))},
		{v1alpha1.ReasonInvalidParameters, declared.CheckParameters(builder, given.Parameters, path.Child("parameters"))},
		{v1alpha1.ReasonTargetNotSupported, declared.CheckTargets(builder, given.Targets, path.Child("targets"))},
	}
}

// checkMakesImages refuses the builder that only runs tests as the builder of an image.
func checkMakesImages(builder string, path *field.Path) field.ErrorList {
	if builder != Tester {
		return nil
	}
	return field.ErrorList{field.Invalid(path, builder, "it runs the tests of spec.tests, and makes no image: set another builder")}
}

// Capabilities returns what the builder of a build can do. A builder that is not registered has no limits.
func (b Builders) Capabilities(builder v1alpha1.BuilderReference) capability.Capabilities {
	if builder.Image != "" {
		return capability.Capabilities{}
	}
	return b.All()[builder.Name].Capabilities
}
