// SPDX-License-Identifier: Apache-2.0

package image

import (
	"fmt"
	"slices"

	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	declared "goldsmith.dev/goldsmith/apis/generated/validation"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/validation"
	"goldsmith.dev/goldsmith/jobs/trigger"
)

// ValidateBuildRequest validates a request for a build of the named Image. The server sets an empty requestID.
func ValidateBuildRequest(request *v1alpha1.BuildRequest, image string) field.ErrorList {
	errs := validation.RequestName(request.Name, image)
	errs = append(errs, validation.Line(request.RequestID, field.NewPath("requestID"))...)
	errs = append(errs, validation.Enum(request.Reason, validation.TriggerReasons, field.NewPath("reason"))...)
	errs = append(errs, validation.Line(request.Message, field.NewPath("message"))...)

	errs = append(errs, validation.Parameters(request.Parameters, parameters)...)
	if len(request.Parameters) > 0 {
		errs = append(errs, validateUnreserved(request.RequestID)...)
	}

	if request.Reason == v1alpha1.TriggerTestsChange && !trigger.IsRetest(request.RequestID) {
		errs = append(errs, field.Invalid(field.NewPath("reason"), request.Reason, "only triggers use this reason: to test a build again, use the tests subresource of the build"))
	}

	if (request.Reason == v1alpha1.TriggerPackageChange) != trigger.IsPackageRequest(request.RequestID) {
		errs = append(errs, field.Invalid(field.NewPath("reason"), request.Reason, "must be PackageChange if requestID is packages:<digest>:<number>, and only then: only triggers use it"))
	}

	for i, change := range request.Changes {
		errs = append(errs, validation.Line(change.Path, field.NewPath("changes").Index(i).Child("path"))...)
	}
	return validation.Declared(declared.Validate_BuildRequest, request, nil, errs)
}

var parameters = field.NewPath("parameters")

// ValidateMergedParameters validates the parameters of a BuildRequest together with those of its Image.
func ValidateMergedParameters(merged []v1alpha1.Parameter) field.ErrorList {
	request := &v1alpha1.BuildRequest{Parameters: merged}
	errs := validation.Declared(declared.Validate_BuildRequest, request, nil, validation.Parameters(merged, parameters))
	for _, err := range errs {
		err.Detail += "; the parameters of the Image count too"
	}
	return errs
}

// ValidateRerunRequest validates a request to run the named build again. The server sets an empty requestID.
func ValidateRerunRequest(request *v1alpha1.RerunRequest, build string) field.ErrorList {
	errs := validation.RequestName(request.Name, build)
	errs = append(errs, validation.UID(string(request.UID), metadata.Child("uid"), "a build")...)
	errs = append(errs, validation.Line(request.RequestID, field.NewPath("requestID"))...)
	errs = append(errs, validateUnreserved(request.RequestID)...)
	errs = append(errs, validation.Line(request.Message, field.NewPath("message"))...)
	return validation.Declared(declared.Validate_RerunRequest, request, nil, errs)
}

// ValidateTestRequest validates a request to test the named build again. The server sets an empty requestID.
func ValidateTestRequest(request *v1alpha1.TestRequest, build string) field.ErrorList {
	errs := validation.RequestName(request.Name, build)
	errs = append(errs, validation.UID(string(request.UID), metadata.Child("uid"), "a build")...)
	errs = append(errs, validation.Line(request.RequestID, field.NewPath("requestID"))...)
	errs = append(errs, validateUnreserved(request.RequestID)...)
	errs = append(errs, validation.Line(request.Message, field.NewPath("message"))...)
	for i, name := range request.Tests {
		errs = append(errs, validation.Names(utilvalidation.IsDNS1123Label(name), name, field.NewPath("tests").Index(i))...)
	}
	return validation.Declared(declared.Validate_TestRequest, request, nil, errs)
}

// validateTestNames refuses names of tests that an Image does not have.
func validateTestNames(names []string, image *v1alpha1.Image) (errs field.ErrorList) {
	path, known := field.NewPath("tests"), make([]string, len(image.Spec.Tests))
	for i := range image.Spec.Tests {
		known[i] = image.Spec.Tests[i].Name
	}
	if len(known) == 0 {
		return field.ErrorList{field.Invalid(path, field.OmitValueType{}, "the Image has no tests: set spec.tests of Image "+image.Name)}
	}
	for i, name := range names {
		if !slices.Contains(known, name) {
			errs = append(errs, field.NotSupported(path.Index(i), name, known))
		}
	}
	return errs
}

// validateReproducible refuses to make the artifacts of a build again that has none, or that still tests them.
func validateReproducible(request *v1alpha1.RerunRequest, earlier *v1alpha1.ImageBuild) field.ErrorList {
	if !request.Reproduce || earlier.Status.Phase.Finished() && len(earlier.Status.Artifacts) > 0 {
		return nil
	}
	remedy := "name a build that has succeeded"
	if !earlier.Status.Phase.Finished() {
		remedy = "wait until the build has succeeded, or " + remedy
	}
	return field.ErrorList{field.Forbidden(field.NewPath("reproduce"),
		fmt.Sprintf("build %s is %s and has no artifacts to make again: %s", earlier.Name, earlier.Status.Phase, remedy))}
}

// ValidateChannels validates the requested channels of the named Image. It does not check whether their builds exist.
func ValidateChannels(channels *v1alpha1.ImageChannels, image string) field.ErrorList {
	errs := validation.RequestName(channels.Name, image)
	seen := map[string]bool{}
	for i, channel := range channels.Channels {
		if seen[channel.Name] { // the error of +k8s:listType=map repeats the whole channel, with its artifacts
			errs = append(errs, field.Duplicate(field.NewPath("channels").Index(i).Child("name"), channel.Name))
		}
		seen[channel.Name] = true
		if channel.Override != nil {
			errs = append(errs, validation.Reason(channel.Override.Reason, field.NewPath("channels").Index(i).Child("override", "reason"))...)
		}
	}
	return validation.Declared(declared.Validate_ImageChannels, channels, nil, errs)
}

// validateUnreserved refuses reserved IDs for builds with other inputs than the Image's own. Otherwise such a build would
// answer the reserved request, and the Image's own inputs would never be built.
func validateUnreserved(id string) field.ErrorList {
	if !trigger.Reserved(id) {
		return nil
	}
	return field.ErrorList{field.Invalid(field.NewPath("requestID"), id,
		"only triggers use the forms sha256:<digest>:<number>, schedule:<time>, tests:<digest>:<number> and packages:<digest>:<number>: choose another requestID")}
}
