// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	declared "goldsmith.dev/goldsmith/apis/generated/validation"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/validation"
	"goldsmith.dev/goldsmith/jobs/result"
)

var (
	metadata = field.NewPath("metadata")
	spec     = field.NewPath("spec")
	status   = field.NewPath("status")
)

// maxDirectBuildName is the longest name of an ImageBuild that is created directly, in characters.
const maxDirectBuildName = 55

const serverOwned = "remove the field: the server sets it; to build an Image, use the Image's instantiate subresource"

// ValidateDirect validates an ImageBuild that a user creates, without an Image. Its trigger must be the trigger that the
// server has set.
func ValidateDirect(build *v1alpha1.ImageBuild, trigger *v1alpha1.BuildTrigger) field.ErrorList {
	errs := validation.Metadata(&build.ObjectMeta, maxDirectBuildName)
	errs = append(errs, validation.LegalHold(build.Labels)...)
	if build.Spec.ImageRef != nil {
		errs = append(errs, field.Forbidden(spec.Child("imageRef"), serverOwned))
	}
	if build.Spec.Number != nil {
		errs = append(errs, field.Forbidden(spec.Child("number"), serverOwned))
	}
	if build.Spec.ImageGeneration != nil {
		errs = append(errs, field.Forbidden(spec.Child("imageGeneration"), serverOwned))
	}
	if !equality.Semantic.DeepEqual(build.Spec.Trigger, trigger) {
		errs = append(errs, field.Forbidden(spec.Child("trigger"), serverOwned))
	}
	if build.Spec.Pinned != nil {
		errs = append(errs, field.Forbidden(spec.Child("pinned"), "remove pinned: the server sets it; to repeat a build, use the build's rerun subresource"))
	}
	if build.Spec.RunPolicy != "" {
		errs = append(errs, field.Forbidden(spec.Child("runPolicy"), serverOwned))
	}
	if build.Spec.OneOff != nil {
		errs = append(errs, field.Forbidden(spec.Child("oneOff"), serverOwned))
	}
	if build.Spec.Retests != nil {
		errs = append(errs, field.Forbidden(spec.Child("retests"), "remove retests: the server sets it; to test a build again, use the build's tests subresource"))
	}
	errs = append(errs, validation.FixedSource(build.Spec.Inputs.Source, spec.Child("inputs", "source"))...)
	return append(errs, validateImageBuildSpec(build)...)
}

// ValidateRequested validates an ImageBuild that a user creates to request a build of an Image, or a rerun. defaults is the spec
// that the server makes of an empty one. The request itself is validated as a BuildRequest or a RerunRequest.
func ValidateRequested(build *v1alpha1.ImageBuild, defaults *v1alpha1.ImageBuildSpec) field.ErrorList {
	var errs field.ErrorList
	image := build.Spec.ImageRef.Name
	if want := image + "-"; build.GenerateName != want {
		errs = append(errs, field.Invalid(metadata.Child("generateName"), build.GenerateName, fmt.Sprintf("set %q: the server numbers the builds of Image %s", want, image)))
	}
	errs = append(errs, validation.ImageName(image, spec.Child("imageRef", "name"))...)
	trigger := spec.Child("trigger")
	if asked := build.Spec.Trigger; asked != nil {
		if asked.RequestedBy != "" {
			errs = append(errs, field.Forbidden(trigger.Child("requestedBy"), serverOwned))
		}
		if len(asked.Changes) > 0 {
			errs = append(errs, field.Forbidden(trigger.Child("changes"), serverOwned))
		}
		if asked.Packages != nil {
			errs = append(errs, field.Forbidden(trigger.Child("packages"), serverOwned))
		}
		if asked.RerunOf != "" {
			if asked.Reason != "" && asked.Reason != v1alpha1.TriggerRerun {
				errs = append(errs, field.Invalid(trigger.Child("reason"), asked.Reason, "remove reason: it is Rerun"))
			}
			if len(asked.Parameters) > 0 {
				errs = append(errs, field.Forbidden(trigger.Child("parameters"), "remove parameters: a rerun has the inputs of the earlier build"))
			}
			errs = append(errs, validation.BuildName(asked.RerunOf, trigger.Child("rerunOf"))...)
		}
	}
	rest := build.Spec
	rest.ImageRef, rest.Trigger = defaults.ImageRef, defaults.Trigger
	if !validation.Unchanged.DeepEqual(&rest, defaults) {
		errs = append(errs, field.Forbidden(spec, "remove all fields except imageRef and trigger: the server copies them from the Image"))
	}
	return errs
}

// ValidateRanked validates a build whose priority the server is about to set.
func ValidateRanked(build *v1alpha1.ImageBuild) field.ErrorList {
	if build.Spec.Priority == nil {
		return nil
	}
	return field.ErrorList{field.Forbidden(spec.Child("priority"), "remove priority: the server sets it; to set a priority, name a PriorityClass in inputs.template")}
}

// ValidateInstantiated validates an ImageBuild that the server creates for an Image.
func ValidateInstantiated(build *v1alpha1.ImageBuild) field.ErrorList {
	errs := validation.Metadata(&build.ObjectMeta, utilvalidation.DNS1123LabelMaxLength)
	if build.Spec.ImageRef == nil {
		errs = append(errs, field.Required(spec.Child("imageRef"), "set the Image of the build"))
	}
	if build.Spec.Number == nil {
		errs = append(errs, field.Required(spec.Child("number"), "set the number of the build"))
	} else {
		errs = append(errs, validation.Number(*build.Spec.Number, spec.Child("number"))...)
	}
	if started := build.Spec.Trigger; started != nil {
		errs = append(errs, validation.ImagePackages(started.Packages, spec.Child("trigger", "packages"))...)
	}
	return append(errs, validateImageBuildSpec(build)...)
}

// ValidateRepeated validates what a rerun takes from an earlier build, whose values a rule may refuse that did not exist when the build was created.
func ValidateRepeated(earlier *v1alpha1.ImageBuild) field.ErrorList {
	repeated := &v1alpha1.ImageBuild{ObjectMeta: earlier.ObjectMeta, Spec: *earlier.Spec.DeepCopy()}
	repeated.Spec.CancelRequested, repeated.Spec.Trigger, repeated.Spec.RunPolicy, repeated.Spec.Reproduces = nil, nil, "", nil // a rerun has its own
	repeated.Spec.Tests, repeated.Spec.Retests = nil, nil                                                                       // or those of the Image
	errs := validateImageBuildSpec(repeated)
	for _, err := range errs {
		err.Detail += "; this build is older than the rule and cannot be rerun: change the Image, and request a new build"
	}
	return errs
}

func validateImageBuildSpec(build *v1alpha1.ImageBuild) field.ErrorList {
	errs := validation.Inputs(&build.Spec.Inputs, spec.Child("inputs"))
	errs = append(errs, validation.Output(build, spec.Child("inputs", "output"))...)
	errs = append(errs, validation.Timeouts(build.Spec.Timeouts, spec.Child("timeouts"))...)
	errs = append(errs, validation.Retry(build.Spec.Retry, spec.Child("retry"))...)
	errs = append(errs, validateReproduces(&build.Spec, spec.Child("reproduces"))...)
	errs = append(errs, validation.Tests(build.Spec.Tests, spec.Child("tests"), &build.Spec.Inputs, spec.Child("inputs"))...)
	errs = append(errs, validateRetests(&build.Spec, spec.Child("retests"))...)
	if build.Spec.CancelRequested != nil {
		errs = append(errs, field.Forbidden(spec.Child("cancelRequested"), "remove cancelRequested: to cancel a build, use the cancel subresource"))
	}
	return validation.Declared(declared.Validate_ImageBuildSpec, &build.Spec, spec, errs)
}

// validateReproduces validates which artifacts a build is to make again.
func validateReproduces(build *v1alpha1.ImageBuildSpec, path *field.Path) field.ErrorList {
	of := build.Reproduces
	if of == nil {
		return nil
	}
	errs := validation.BuildName(of.Name, path.Child("name"))
	errs = append(errs, validation.UID(string(of.UID), path.Child("uid"), "the build")...)
	errs = append(errs, validation.Line(of.BuilderImage, path.Child("builderImage"))...)
	if len(build.Tests) > 0 {
		errs = append(errs, field.Forbidden(path, "remove tests or reproduces: a build that reproduces artifacts tests none"))
	}
	targets, seen := targetNames(build.Inputs.Targets), map[string]bool{}
	for i, artifact := range of.Artifacts {
		path := path.Child("artifacts").Index(i)
		target := path.Child("target")
		switch {
		case seen[artifact.Target]:
			errs = append(errs, field.Duplicate(target, artifact.Target))
		case artifact.Target != "" && !slices.Contains(targets, artifact.Target):
			errs = append(errs, field.NotSupported(target, artifact.Target, targets))
		}
		seen[artifact.Target] = true
		errs = append(errs, validation.RequiredDigest(artifact.Digest, path.Child("digest"))...)
		errs = append(errs, validation.Digest(artifact.Lock, path.Child("lock"))...)
	}
	return errs
}

// validateRetests validates the artifacts of an earlier build that a build tests.
func validateRetests(build *v1alpha1.ImageBuildSpec, path *field.Path) field.ErrorList {
	of := build.Retests
	if of == nil {
		return nil
	}
	errs := validation.BuildName(of.Name, path.Child("name"))
	errs = append(errs, validation.UID(string(of.UID), path.Child("uid"), "the build")...)
	artifacts, targets := path.Child("artifacts"), targetNames(build.Inputs.Targets)
	if len(of.Artifacts) == 0 {
		errs = append(errs, field.Required(artifacts, "list the artifacts of the earlier build"))
	}
	for i := range of.Artifacts {
		if target := of.Artifacts[i].Target; !slices.Contains(targets, target) {
			errs = append(errs, field.NotSupported(artifacts.Index(i).Child("target"), target, targets))
		}
	}
	return append(errs, validation.Artifacts(of.Artifacts, artifacts)...)
}

// targetNames returns the names of targets, as artifacts have them.
func targetNames(targets []v1alpha1.Target) []string {
	names := make([]string, len(targets))
	for i, target := range targets {
		names[i] = result.TargetName(target)
	}
	return names
}

// ValidateUpdate validates a change of an ImageBuild through its main resource: its spec cannot be changed.
func ValidateUpdate(build, old *v1alpha1.ImageBuild) field.ErrorList {
	const record = "is immutable, because it records the request: create a new build"
	current, stored := &build.Spec, &old.Spec
	inputs := spec.Child("inputs")

	errs := validation.LegalHold(build.Labels)
	errs = append(errs, validation.Immutable(current.ImageRef, stored.ImageRef, spec.Child("imageRef"), record)...)
	errs = append(errs, validation.Immutable(current.Number, stored.Number, spec.Child("number"), record)...)
	errs = append(errs, validation.Immutable(current.ImageGeneration, stored.ImageGeneration, spec.Child("imageGeneration"), record)...)
	errs = append(errs, validation.Immutable(current.Trigger, stored.Trigger, spec.Child("trigger"), record)...)
	errs = append(errs, validation.Immutable(current.Inputs.Builder, stored.Inputs.Builder, inputs.Child("builder"), record)...)
	errs = append(errs, validation.Immutable(current.Inputs.Base, stored.Inputs.Base, inputs.Child("base"), record)...)
	errs = append(errs, validation.Immutable(current.Inputs.Source, stored.Inputs.Source, inputs.Child("source"), record)...)
	errs = append(errs, validation.Immutable(current.Inputs.Parameters, stored.Inputs.Parameters, inputs.Child("parameters"), record)...)
	errs = append(errs, validation.Immutable(current.Inputs.Targets, stored.Inputs.Targets, inputs.Child("targets"), record)...)
	errs = append(errs, validation.Immutable(current.Inputs.Template, stored.Inputs.Template, inputs.Child("template"), record)...)
	errs = append(errs, validation.Immutable(current.Inputs.Output, stored.Inputs.Output, inputs.Child("output"), record)...)
	errs = append(errs, validation.Immutable(current.Timeouts, stored.Timeouts, spec.Child("timeouts"), record)...)
	errs = append(errs, validation.Immutable(current.Retry, stored.Retry, spec.Child("retry"), record)...)
	errs = append(errs, validation.Immutable(current.Pinned, stored.Pinned, spec.Child("pinned"), record)...)
	errs = append(errs, validation.Immutable(current.Priority, stored.Priority, spec.Child("priority"), record)...)
	errs = append(errs, validation.Immutable(current.RunPolicy, stored.RunPolicy, spec.Child("runPolicy"), record)...)
	errs = append(errs, validation.Immutable(current.OneOff, stored.OneOff, spec.Child("oneOff"), record)...)
	errs = append(errs, validation.Immutable(current.Reproduces, stored.Reproduces, spec.Child("reproduces"), record)...)
	errs = append(errs, validation.Immutable(current.Tests, stored.Tests, spec.Child("tests"), record)...)
	errs = append(errs, validation.Immutable(current.Retests, stored.Retests, spec.Child("retests"), record)...)
	return append(errs, validateCancellation(build, old)...)
}

// validateCancellation validates that an update requests the cancellation of a build at most once. The server sets the time and
// the user of the request.
func validateCancellation(build, old *v1alpha1.ImageBuild) field.ErrorList {
	path, requested := spec.Child("cancelRequested"), build.Spec.CancelRequested
	if old.Spec.CancelRequested != nil || requested == nil {
		return validation.Immutable(requested, old.Spec.CancelRequested, path, "is immutable: a build is cancelled once")
	}
	if old.Status.Phase.Finished() {
		return field.ErrorList{field.Forbidden(path, "remove cancelRequested: the build has finished")}
	}
	errs := validateCancelRequested(requested)
	if requested.SupersededBy != "" {
		errs = append(errs, field.Forbidden(path.Child("supersededBy"), "remove supersededBy: only the cancel subresource sets it"))
	}
	return errs
}

// validateCancelRequested validates the reason of a request to cancel a build, in an update of the build.
func validateCancelRequested(requested *v1alpha1.CancelRequested) field.ErrorList {
	path := spec.Child("cancelRequested")
	return validation.Declared(declared.Validate_CancelRequested, requested, path, validation.Line(requested.Reason, path.Child("reason")))
}
