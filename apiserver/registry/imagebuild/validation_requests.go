// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"k8s.io/apimachinery/pkg/util/validation/field"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/validation"
)

// ValidateCancelRequest validates a request to cancel the named build.
func ValidateCancelRequest(request *v1alpha1.CancelRequest, build string) field.ErrorList {
	errs := validation.RequestName(request.Name, build)
	if request.SupersededBy != "" {
		errs = append(errs, validation.BuildName(request.SupersededBy, field.NewPath("supersededBy"))...)
	}
	return append(errs, validation.Printable(request.Reason, validation.MaxMessage, field.NewPath("reason"))...)
}

// ValidateDiffOptions validates the parameters of a request to compare builds.
func ValidateDiffOptions(options *v1alpha1.ImageBuildDiffOptions) field.ErrorList {
	path := field.NewPath("with")
	errs := validation.UID(options.UID, field.NewPath("uid"), "a build")
	errs = append(errs, validation.UID(options.WithUID, field.NewPath("withUID"), "a build")...)
	if options.With == "" {
		return append(errs, field.Required(path, "set the build to compare with: ?with=NAME"))
	}
	return append(errs, validation.BuildName(options.With, path)...)
}
