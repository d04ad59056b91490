// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"regexp"
	"time"
	"unicode/utf8"

	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/trigger"
)

const (
	maxRequestID     = 128
	maxMessage       = 1024
	maxChanges       = 32
	maxChangePath    = 512
	maxChangeExcerpt = 128
	maxChannels      = 16
)

// triggerReasons are the reasons that a BuildRequest may have. A rerun has a request of its own.
var triggerReasons = []v1alpha1.TriggerReason{
	v1alpha1.TriggerCreated, v1alpha1.TriggerSpecChange, v1alpha1.TriggerBaseChange, v1alpha1.TriggerSchedule, v1alpha1.TriggerManual,
}

// BuildRequest validates a request for a build of the named Image. The server sets an empty requestID.
func BuildRequest(request *v1alpha1.BuildRequest, image string) field.ErrorList {
	errs := validateRequestName(request.Name, image)
	errs = append(errs, validateRequestID(request.RequestID)...)
	errs = append(errs, validateEnum(request.Reason, triggerReasons, field.NewPath("reason"))...)
	errs = append(errs, Printable(request.Message, maxMessage, field.NewPath("message"))...)

	errs = append(errs, validateParameters(request.Parameters, parameters)...)
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
		errs = append(errs, validateText(change.From, maxChangeExcerpt, changes.Index(i).Child("from"))...)
		errs = append(errs, validateText(change.To, maxChangeExcerpt, changes.Index(i).Child("to"))...)
	}
	return errs
}

var parameters = field.NewPath("parameters")

// MergedParameters validates the parameters of a BuildRequest together with those of its Image.
func MergedParameters(merged []v1alpha1.Parameter) field.ErrorList {
	errs := validateParameters(merged, parameters)
	for _, err := range errs {
		err.Detail += "; the parameters of the Image count too"
	}
	return errs
}

// RerunRequest validates a request to run the named build again. The server sets an empty requestID.
func RerunRequest(request *v1alpha1.RerunRequest, build string) field.ErrorList {
	errs := validateRequestName(request.Name, build)
	errs = append(errs, validateUID(string(request.UID), metadata.Child("uid"), "a build")...)
	errs = append(errs, validateRequestID(request.RequestID)...)
	errs = append(errs, validateUnreserved(request.RequestID)...)
	return append(errs, Printable(request.Message, maxMessage, field.NewPath("message"))...)
}

// ImageChannels validates the requested channels of the named Image. It does not check whether their builds exist.
func ImageChannels(channels *v1alpha1.ImageChannels, image string) field.ErrorList {
	errs := validateRequestName(channels.Name, image)
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
			errs = append(errs, validateNames(validation.IsDNS1123Label(channel.Name), channel.Name, name)...)
		}
		seen[channel.Name] = true
		errs = append(errs, validateBuildName(channel.Build, path.Index(i).Child("build"))...)
	}
	return errs
}

// CancelRequest validates a request to cancel the named build.
func CancelRequest(request *v1alpha1.CancelRequest, build string) field.ErrorList {
	errs := validateRequestName(request.Name, build)
	if request.SupersededBy != "" {
		errs = append(errs, validateBuildName(request.SupersededBy, field.NewPath("supersededBy"))...)
	}
	return append(errs, Printable(request.Reason, maxMessage, field.NewPath("reason"))...)
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
	return append(errs, validateUID(options.UID, field.NewPath("uid"), "a build")...)
}

// ImageBuildDiffOptions validates the parameters of a request to compare builds.
func ImageBuildDiffOptions(options *v1alpha1.ImageBuildDiffOptions) field.ErrorList {
	path := field.NewPath("with")
	errs := validateUID(options.UID, field.NewPath("uid"), "a build")
	errs = append(errs, validateUID(options.WithUID, field.NewPath("withUID"), "a build")...)
	if options.With == "" {
		return append(errs, field.Required(path, "set the build to compare with: ?with=NAME"))
	}
	return append(errs, validateBuildName(options.With, path)...)
}

// uidForm matches every UID that a server may assign. UIDs also name folders of the archive.
var uidForm = regexp.MustCompile(`^[A-Za-z0-9-]{0,63}$`)

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

func validateRequestName(name, want string) field.ErrorList {
	if name == "" || name == want {
		return nil
	}
	return field.ErrorList{field.Invalid(metadata.Child("name"), name, "must be empty or "+want+", the name in the URL")}
}

// Printable validates one line of text that other users read in a terminal. It refuses control characters, which a terminal
// executes, and characters that are invisible or change the direction of text, which can disguise it.
func Printable(text string, maxCharacters int, path *field.Path) field.ErrorList {
	errs := validateText(text, maxCharacters, path)
	return append(errs, validateLine(text, path)...)
}

// validateLine validates one line of text of any length.
func validateLine(text string, path *field.Path) field.ErrorList {
	if v1alpha1.Printable(text) {
		return nil
	}
	return field.ErrorList{field.Invalid(path, text, "must be one line of printable characters: "+removeUnprintable)}
}

const removeUnprintable = "remove control characters, and characters that are invisible or change the direction of text"

func validateText(text string, maxCharacters int, path *field.Path) field.ErrorList {
	if utf8.RuneCountInString(text) <= maxCharacters {
		return nil
	}
	return field.ErrorList{field.TooLongCharacters(path, text, maxCharacters)}
}
