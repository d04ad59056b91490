// SPDX-License-Identifier: Apache-2.0

package buildlog

import (
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"

	declared "goldsmith.dev/goldsmith/apis/generated/validation"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/validation"
)

// ValidateLogOptions validates the parameters of a request for a log.
func ValidateLogOptions(options *v1alpha1.ImageBuildLogOptions) field.ErrorList {
	var errs field.ErrorList
	if t := options.SinceTime; t != nil && (t.UTC().Year() < 0 || t.UTC().Year() > 9999) { // a request for a pod's log has it in UTC
		errs = append(errs, field.Invalid(field.NewPath("sinceTime"), t.Format(time.RFC3339), "must be in the years 0 to 9999 in UTC"))
	}
	errs = append(errs, validation.UID(options.UID, field.NewPath("uid"), "a build")...)
	return validation.Declared(declared.Validate_ImageBuildLogOptions, options, nil, errs)
}
