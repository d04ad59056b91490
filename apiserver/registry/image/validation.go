// SPDX-License-Identifier: Apache-2.0

package image

import (
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	declared "goldsmith.dev/goldsmith/apis/generated/validation"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/validation"
)

var (
	metadata = field.NewPath("metadata")
	spec     = field.NewPath("spec")
	status   = field.NewPath("status")
)

// Validate validates an Image that is to be created.
func Validate(image *v1alpha1.Image) field.ErrorList {
	errs := validation.Metadata(&image.ObjectMeta, validation.MaxImageName)
	errs = append(errs, validation.LegalHold(image.Labels)...)
	return append(errs, validateImageSpec(image)...)
}

// ValidateUpdate validates a change of an Image's spec and labels.
func ValidateUpdate(image, _ *v1alpha1.Image) field.ErrorList {
	return append(validation.LegalHold(image.Labels), validateImageSpec(image)...)
}

func validateImageSpec(image *v1alpha1.Image) field.ErrorList {
	errs := validation.Inputs(&image.Spec.BuildInputs, spec)
	errs = append(errs, validation.ImageOutput(image, spec.Child("output"))...)
	if base := image.Spec.Base.ImageRef; base != nil && base.Name != "" && base.Name == image.Name {
		errs = append(errs, cycleError(base.Name, []string{image.Name, base.Name}))
	}
	errs = append(errs, validateTriggers(image.Spec.Triggers, spec.Child("triggers"))...)
	errs = append(errs, validation.Timeouts(image.Spec.Timeouts, spec.Child("timeouts"))...)
	errs = append(errs, validation.Retry(image.Spec.Retry, spec.Child("retry"))...)
	errs = append(errs, validation.Tests(image.Spec.Tests, spec.Child("tests"), &image.Spec.BuildInputs, spec)...)
	errs = append(errs, validateHistory(image.Spec.History, spec.Child("history"))...)
	errs = append(errs, validateChannelRules(&image.Spec, spec.Child("channels"))...)
	return validation.Declared(declared.Validate_ImageSpec, &image.Spec, spec, errs)
}

// ValidateStatus validates an Image's status.
func ValidateStatus(image *v1alpha1.Image) field.ErrorList {
	current := &image.Status
	errs := apivalidation.ValidateNonnegativeField(current.ObservedGeneration, status.Child("observedGeneration"))
	errs = append(errs, apivalidation.ValidateNonnegativeField(int64(current.ActiveBuilds), status.Child("activeBuilds"))...)
	errs = append(errs, apivalidation.ValidateNonnegativeField(int64(current.QueuedBuilds), status.Child("queuedBuilds"))...)
	errs = append(errs, apivalidation.ValidateNonnegativeField(int64(current.ConsecutiveFailures), status.Child("consecutiveFailures"))...)
	errs = append(errs, validation.Digest(current.InputsDigest, status.Child("inputsDigest"))...)
	if attempted := current.LastAttempted; attempted != nil {
		path := status.Child("lastAttempted")
		errs = append(errs, validation.Number(attempted.Number, path.Child("number"))...)
		errs = append(errs, validation.Digest(attempted.InputsDigest, path.Child("inputsDigest"))...)
		errs = append(errs, validation.Digest(attempted.BaseDigest, path.Child("baseDigest"))...)
		errs = append(errs, validation.Digest(attempted.TestsDigest, path.Child("testsDigest"))...)
		errs = append(errs, validation.Revision(attempted.SourceRevision, path.Child("sourceRevision"))...)
	}
	errs = append(errs, validateChecks(current.Source, status.Child("source"))...)
	if latest := current.LatestBuild; latest != nil {
		path := status.Child("latestBuild")
		errs = append(errs, validation.BuildName(latest.Name, path.Child("name"))...)
		errs = append(errs, validation.Number(latest.Number, path.Child("number"))...)
		if latest.Phase != "" {
			errs = append(errs, validation.Enum(latest.Phase, validation.Phases, path.Child("phase"))...)
		}
	}
	if last := current.LastFinished; last != nil {
		path := status.Child("lastFinished")
		errs = append(errs, validation.BuildName(last.Name, path.Child("name"))...)
		errs = append(errs, validation.Number(last.Number, path.Child("number"))...)
		errs = append(errs, validation.Enum(last.Phase, []v1alpha1.BuildPhase{v1alpha1.BuildSucceeded, v1alpha1.BuildFailed}, path.Child("phase"))...)
		errs = append(errs, validation.Digest(last.InputsDigest, path.Child("inputsDigest"))...)
	}
	if latest := current.LatestSuccessful; latest != nil {
		errs = append(errs, validateSuccessfulBuild(latest, status.Child("latestSuccessful"))...)
	}
	errs = append(errs, validation.ImagePackages(current.Packages, status.Child("packages"))...)
	return append(errs, metav1validation.ValidateConditions(current.Conditions, status.Child("conditions"))...)
}

// validateChecks validates the checks of a source: those that ended were started, and one that runs has a time.
func validateChecks(source *v1alpha1.ImageSource, path *field.Path) field.ErrorList {
	if source == nil {
		return nil
	}
	errs := validation.SourceRevision(source.Found, path.Child("found"))
	if source.Question == "" {
		errs = append(errs, field.Required(path.Child("question"), "set the digest of the source that is checked"))
	}
	errs = append(errs, validation.Digest(source.Question, path.Child("question"))...)
	errs = append(errs, apivalidation.ValidateNonnegativeField(source.FoundBy, path.Child("foundBy"))...)
	errs = append(errs, apivalidation.ValidateNonnegativeField(int64(source.ConsecutiveFailures), path.Child("consecutiveFailures"))...)
	if source.FoundBy > source.Ended {
		errs = append(errs, field.Invalid(path.Child("foundBy"), source.FoundBy, "must be at most ended"))
	}
	if source.Ended < 0 || source.Ended > source.Checks {
		errs = append(errs, field.Invalid(path.Child("ended"), source.Ended, "must be from 0 to checks"))
	}
	if source.Ended < source.Checks && source.StartTime == nil {
		errs = append(errs, field.Required(path.Child("startTime"), "set when the check that runs was started"))
	}
	return errs
}

func validateSuccessfulBuild(build *v1alpha1.SuccessfulBuild, path *field.Path) field.ErrorList {
	errs := validation.BuildName(build.Name, path.Child("name"))
	errs = append(errs, validation.Number(build.Number, path.Child("number"))...)
	errs = append(errs, validation.RequiredDigest(build.InputsDigest, path.Child("inputsDigest"))...)
	if build.CompletionTime.IsZero() {
		errs = append(errs, field.Required(path.Child("completionTime"), "set completionTime of the successful build"))
	}
	errs = append(errs, validation.Digest(build.TestsDigest, path.Child("testsDigest"))...)
	return append(errs, validation.Artifacts(build.Artifacts, path.Child("artifacts"))...)
}
