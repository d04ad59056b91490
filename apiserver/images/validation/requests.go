// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"strings"
	"unicode"
	"unicode/utf8"

	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/images"
)

const (
	maxRequestID     = 128
	maxMessage       = 1024
	maxChanges       = 32
	maxChangePath    = 512
	maxChangeExcerpt = 128
)

var triggerReasons = []v1alpha1.TriggerReason{v1alpha1.TriggerCreated, v1alpha1.TriggerSpecChange, v1alpha1.TriggerManual}

// BuildRequest validates a request for a build of the named Image. An empty requestID is the server's to fill in.
func BuildRequest(request *images.BuildRequest, image string) field.ErrorList {
	errs := validateRequestName(request.Name, image)
	errs = append(errs, validateText(request.RequestID, maxRequestID, field.NewPath("requestID"))...)
	if strings.ContainsFunc(request.RequestID, func(r rune) bool { return !unicode.IsPrint(r) }) {
		errs = append(errs, field.Invalid(field.NewPath("requestID"), request.RequestID, "must consist of printable characters"))
	}
	errs = append(errs, validateEnum(request.Reason, triggerReasons, field.NewPath("reason"))...)
	errs = append(errs, validateText(request.Message, maxMessage, field.NewPath("message"))...)

	changes := field.NewPath("changes")
	if n := len(request.Changes); n > maxChanges {
		errs = append(errs, field.TooMany(changes, n, maxChanges))
	}
	for i, change := range request.Changes {
		if change.Path == "" {
			errs = append(errs, field.Required(changes.Index(i).Child("path"), "name what has changed, such as parameters[edition]"))
		}
		errs = append(errs, validateText(change.Path, maxChangePath, changes.Index(i).Child("path"))...)
		errs = append(errs, validateText(change.From, maxChangeExcerpt, changes.Index(i).Child("from"))...)
		errs = append(errs, validateText(change.To, maxChangeExcerpt, changes.Index(i).Child("to"))...)
	}
	return errs
}

// CancelRequest validates a request to cancel the named build.
func CancelRequest(request *images.CancelRequest, build string) field.ErrorList {
	errs := validateRequestName(request.Name, build)
	return append(errs, validateText(request.Reason, maxMessage, field.NewPath("reason"))...)
}

// ImageBuildLogOptions validates the parameters of a request for a log.
func ImageBuildLogOptions(options *images.ImageBuildLogOptions) field.ErrorList {
	var errs field.ErrorList
	if options.Attempt != nil && *options.Attempt < 1 {
		errs = append(errs, field.Invalid(field.NewPath("attempt"), *options.Attempt, "must be 1 or more"))
	}
	if options.TailLines != nil {
		errs = append(errs, apivalidation.ValidateNonnegativeField(*options.TailLines, field.NewPath("tailLines"))...)
	}
	if options.LimitBytes != nil && *options.LimitBytes < 1 {
		errs = append(errs, field.Invalid(field.NewPath("limitBytes"), *options.LimitBytes, "must be 1 or more"))
	}
	return errs
}

func validateRequestName(name, want string) field.ErrorList {
	if name == "" || name == want {
		return nil
	}
	return field.ErrorList{field.Invalid(metadata.Child("name"), name, "must be empty or the name in the URL, "+want)}
}

func validateText(text string, maxCharacters int, path *field.Path) field.ErrorList {
	if utf8.RuneCountInString(text) <= maxCharacters {
		return nil
	}
	return field.ErrorList{field.TooLongCharacters(path, text, maxCharacters)}
}
