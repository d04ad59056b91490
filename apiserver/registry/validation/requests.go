// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"time"

	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/trigger"
)

const (
	maxRequestID     = 128
	maxChanges       = 32
	maxChangePath    = 512
	maxChangeExcerpt = 128
	maxChannels      = 16
)

// BuildRequest validates a request for a build of the named Image. The server sets an empty requestID.
func BuildRequest(request *v1alpha1.BuildRequest, image string) field.ErrorList {
	errs := RequestName(request.Name, image)
	errs = append(errs, validateRequestID(request.RequestID)...)
	errs = append(errs, Enum(request.Reason, TriggerReasons, field.NewPath("reason"))...)
	errs = append(errs, Printable(request.Message, MaxMessage, field.NewPath("message"))...)

	errs = append(errs, Parameters(request.Parameters, parameters)...)
	if len(request.Parameters) > 0 {
		errs = append(errs, validateUnreserved(request.RequestID)...)
	}

	changes := field.NewPath("changes")
	if n := len(request.Changes); n > maxChanges {
		errs = append(errs, field.TooMany(changes, n, maxChanges))
	}
	for i, change := range request.Changes {
		if change.Path == "" {
			errs = append(errs, field.Required(changes.Index(i).Child("path"), "set the path of the changed input, such as parameters[edition]"))
		}
		errs = append(errs, Printable(change.Path, maxChangePath, changes.Index(i).Child("path"))...)
		errs = append(errs, Text(change.From, maxChangeExcerpt, changes.Index(i).Child("from"))...)
		errs = append(errs, Text(change.To, maxChangeExcerpt, changes.Index(i).Child("to"))...)
	}
	return errs
}

var parameters = field.NewPath("parameters")

// MergedParameters validates the parameters of a BuildRequest together with those of its Image.
func MergedParameters(merged []v1alpha1.Parameter) field.ErrorList {
	errs := Parameters(merged, parameters)
	for _, err := range errs {
		err.Detail += "; the parameters of the Image count too"
	}
	return errs
}

// RerunRequest validates a request to run the named build again. The server sets an empty requestID.
func RerunRequest(request *v1alpha1.RerunRequest, build string) field.ErrorList {
	errs := RequestName(request.Name, build)
	errs = append(errs, UID(string(request.UID), metadata.Child("uid"), "a build")...)
	errs = append(errs, validateRequestID(request.RequestID)...)
	errs = append(errs, validateUnreserved(request.RequestID)...)
	return append(errs, Printable(request.Message, MaxMessage, field.NewPath("message"))...)
}

// ImageChannels validates the requested channels of the named Image. It does not check whether their builds exist.
func ImageChannels(channels *v1alpha1.ImageChannels, image string) field.ErrorList {
	errs := RequestName(channels.Name, image)
	path := field.NewPath("channels")
	if n := len(channels.Channels); n > maxChannels {
		errs = append(errs, field.TooMany(path, n, maxChannels))
	}
	seen := map[string]bool{}
	for i, channel := range channels.Channels {
		name := path.Index(i).Child("name")
		switch {
		case channel.Name == "":
			errs = append(errs, field.Required(name, "set the name of the channel, such as stable"))
		case seen[channel.Name]:
			errs = append(errs, field.Duplicate(name, channel.Name))
		default:
			errs = append(errs, Names(validation.IsDNS1123Label(channel.Name), channel.Name, name)...)
		}
		seen[channel.Name] = true
		errs = append(errs, BuildName(channel.Build, path.Index(i).Child("build"))...)
	}
	return errs
}

// CancelRequest validates a request to cancel the named build.
func CancelRequest(request *v1alpha1.CancelRequest, build string) field.ErrorList {
	errs := RequestName(request.Name, build)
	if request.SupersededBy != "" {
		errs = append(errs, BuildName(request.SupersededBy, field.NewPath("supersededBy"))...)
	}
	return append(errs, Printable(request.Reason, MaxMessage, field.NewPath("reason"))...)
}

// ImageBuildLogOptions validates the parameters of a request for a log.
func ImageBuildLogOptions(options *v1alpha1.ImageBuildLogOptions) field.ErrorList {
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
	if t := options.SinceTime; t != nil && (t.UTC().Year() < 0 || t.UTC().Year() > 9999) { // a request for a pod's log has it in UTC
		errs = append(errs, field.Invalid(field.NewPath("sinceTime"), t.Format(time.RFC3339), "must be in the years 0 to 9999 in UTC"))
	}
	return append(errs, UID(options.UID, field.NewPath("uid"), "a build")...)
}

// ImageBuildDiffOptions validates the parameters of a request to compare builds.
func ImageBuildDiffOptions(options *v1alpha1.ImageBuildDiffOptions) field.ErrorList {
	path := field.NewPath("with")
	errs := UID(options.UID, field.NewPath("uid"), "a build")
	errs = append(errs, UID(options.WithUID, field.NewPath("withUID"), "a build")...)
	if options.With == "" {
		return append(errs, field.Required(path, "set the build to compare with: ?with=NAME"))
	}
	return append(errs, BuildName(options.With, path)...)
}

func validateRequestID(id string) field.ErrorList {
	return Printable(id, maxRequestID, field.NewPath("requestID"))
}

// validateUnreserved refuses reserved IDs for builds with other inputs than the Image's own. Otherwise such a build would
// answer the reserved request, and the Image's own inputs would never be built.
func validateUnreserved(id string) field.ErrorList {
	if !trigger.Reserved(id) {
		return nil
	}
	return field.ErrorList{field.Invalid(field.NewPath("requestID"), id,
		"only triggers use the forms sha256:<digest>:<number> and schedule:<time>: choose another requestID")}
}
