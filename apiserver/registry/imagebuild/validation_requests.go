// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"k8s.io/apimachinery/pkg/util/validation/field"

	declared "goldsmith.dev/goldsmith/apis/generated/validation"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/validation"
)

// ValidateCancelRequest validates a request to cancel the named build.
func ValidateCancelRequest(request *v1alpha1.CancelRequest, build string) field.ErrorList {
	errs := validation.RequestName(request.Name, build)
	errs = append(errs, validation.Line(request.Reason, field.NewPath("reason"))...)
	return validation.Declared(declared.Validate_CancelRequest, request, nil, errs)
}

// ValidateDiffOptions validates the parameters of a request to compare builds.
func ValidateDiffOptions(options *v1alpha1.ImageBuildDiffOptions) field.ErrorList {
	errs := validation.UID(options.UID, field.NewPath("uid"), "a build")
	errs = append(errs, validation.UID(options.WithUID, field.NewPath("withUID"), "a build")...)
	return validation.Declared(declared.Validate_ImageBuildDiffOptions, options, nil, errs)
}

// ValidatePackagesOptions validates the parameters of a request for the packages of a build.
func ValidatePackagesOptions(options *v1alpha1.ImageBuildPackagesOptions) field.ErrorList {
	errs := validation.UID(options.UID, field.NewPath("uid"), "a build")
	return append(errs, validation.Line(options.Target, field.NewPath("target"))...)
}
