// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"
	"slices"

	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/result"
)

// maxImageName is the longest name of an Image, in characters.
const maxImageName = 45

var (
	metadata = field.NewPath("metadata")
	spec     = field.NewPath("spec")
	status   = field.NewPath("status")
)

// Image validates an Image that is to be created.
func Image(image *v1alpha1.Image) field.ErrorList {
	errs := validateMetadata(&image.ObjectMeta, maxImageName)
	errs = append(errs, validateLegalHold(image.Labels)...)
	return append(errs, validateImageSpec(image)...)
}

// ImageUpdate validates a change of an Image's spec and labels.
func ImageUpdate(image, _ *v1alpha1.Image) field.ErrorList {
	return append(validateLegalHold(image.Labels), validateImageSpec(image)...)
}

// validateMetadata reports one limit for a name that is too long: the lower one.
func validateMetadata(meta *metav1.ObjectMeta, maxLength int) field.ErrorList {
	isName := func(name string, prefix bool) []string {
		problems := apivalidation.NameIsDNSLabel(name, prefix)
		if prefix || len(name) <= maxLength {
			return problems
		}
		problems = slices.DeleteFunc(problems, func(problem string) bool { return problem == validation.MaxLenError(validation.DNS1123LabelMaxLength) })
		return append(problems, fmt.Sprintf("must have at most %d characters: names of builds, Jobs and labels derive from the name", maxLength))
	}
	return apivalidation.ValidateObjectMeta(meta, true, isName, metadata)
}

func validateImageSpec(image *v1alpha1.Image) field.ErrorList {
	errs := validateInputs(&image.Spec.BuildInputs, spec)
	if base := image.Spec.Base.ImageRef; base != nil && base.Name != "" && base.Name == image.Name {
		errs = append(errs, cycleError(base.Name, []string{image.Name, base.Name}))
	}
	errs = append(errs, validateTriggers(image.Spec.Triggers, spec.Child("triggers"))...)
	errs = append(errs, validateEnum(image.Spec.RunPolicy, runPolicies, spec.Child("runPolicy"))...)
	errs = append(errs, validateTimeouts(image.Spec.Timeouts, spec.Child("timeouts"))...)
	errs = append(errs, validateRetry(image.Spec.Retry, spec.Child("retry"))...)
	return append(errs, validateHistory(image.Spec.History, spec.Child("history"))...)
}

// ImageStatus validates an Image's status.
func ImageStatus(image *v1alpha1.Image) field.ErrorList {
	current := &image.Status
	errs := apivalidation.ValidateNonnegativeField(current.ObservedGeneration, status.Child("observedGeneration"))
	errs = append(errs, apivalidation.ValidateNonnegativeField(int64(current.ActiveBuilds), status.Child("activeBuilds"))...)
	errs = append(errs, apivalidation.ValidateNonnegativeField(int64(current.QueuedBuilds), status.Child("queuedBuilds"))...)
	errs = append(errs, apivalidation.ValidateNonnegativeField(int64(current.ConsecutiveFailures), status.Child("consecutiveFailures"))...)
	errs = append(errs, validateDigest(current.InputsDigest, status.Child("inputsDigest"))...)
	if attempted := current.LastAttempted; attempted != nil {
		path := status.Child("lastAttempted")
		errs = append(errs, validateNumber(attempted.Number, path.Child("number"))...)
		errs = append(errs, validateDigest(attempted.InputsDigest, path.Child("inputsDigest"))...)
		errs = append(errs, validateDigest(attempted.BaseDigest, path.Child("baseDigest"))...)
	}
	if latest := current.LatestBuild; latest != nil {
		path := status.Child("latestBuild")
		errs = append(errs, validateBuildName(latest.Name, path.Child("name"))...)
		errs = append(errs, validateNumber(latest.Number, path.Child("number"))...)
		if latest.Phase != "" {
			errs = append(errs, validateEnum(latest.Phase, phases, path.Child("phase"))...)
		}
	}
	if last := current.LastFinished; last != nil {
		path := status.Child("lastFinished")
		errs = append(errs, validateBuildName(last.Name, path.Child("name"))...)
		errs = append(errs, validateNumber(last.Number, path.Child("number"))...)
		errs = append(errs, validateEnum(last.Phase, []v1alpha1.BuildPhase{v1alpha1.BuildSucceeded, v1alpha1.BuildFailed}, path.Child("phase"))...)
		errs = append(errs, validateDigest(last.InputsDigest, path.Child("inputsDigest"))...)
	}
	if latest := current.LatestSuccessful; latest != nil {
		errs = append(errs, validateSuccessfulBuild(latest, status.Child("latestSuccessful"))...)
	}
	return append(errs, metav1validation.ValidateConditions(current.Conditions, status.Child("conditions"))...)
}

func validateSuccessfulBuild(build *v1alpha1.SuccessfulBuild, path *field.Path) field.ErrorList {
	errs := validateBuildName(build.Name, path.Child("name"))
	errs = append(errs, validateNumber(build.Number, path.Child("number"))...)
	errs = append(errs, validateRequiredDigest(build.InputsDigest, path.Child("inputsDigest"))...)
	if build.CompletionTime.IsZero() {
		errs = append(errs, field.Required(path.Child("completionTime"), "set completionTime of the successful build"))
	}
	return append(errs, validateArtifacts(build.Artifacts, path.Child("artifacts"))...)
}

func validateArtifacts(artifacts []v1alpha1.Artifact, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if n := len(artifacts); n > maxTargets {
		errs = append(errs, field.TooMany(path, n, maxTargets))
	}
	seen := map[string]bool{}
	for i, artifact := range artifacts {
		target := path.Index(i).Child("target")
		if artifact.Target == "" {
			errs = append(errs, field.Required(target, "set platform/format, such as linux/amd64/raw"))
		} else if seen[artifact.Target] {
			errs = append(errs, field.Duplicate(target, artifact.Target))
		}
		seen[artifact.Target] = true
		errs = append(errs, validateRequiredDigest(artifact.Digest, path.Index(i).Child("digest"))...)
		errs = append(errs, apivalidation.ValidateNonnegativeField(artifact.SizeBytes, path.Index(i).Child("sizeBytes"))...)
		if artifact.MediaType == "" {
			errs = append(errs, field.Required(path.Index(i).Child("mediaType"), "set the media type of the target's format"))
		}
	}
	return errs
}

func validateBuildName(name string, path *field.Path) field.ErrorList {
	if name == "" {
		return field.ErrorList{field.Required(path, "set the name of the build")}
	}
	return validateNames(apivalidation.NameIsDNSLabel(name, false), name, path)
}

func validateNumber(number int64, path *field.Path) field.ErrorList {
	if number < 1 {
		return field.ErrorList{field.Invalid(path, number, "must be 1 or more")}
	}
	return nil
}

func validateRequiredDigest(value string, path *field.Path) field.ErrorList {
	if value == "" {
		return field.ErrorList{field.Required(path, "set sha256: and 64 hex digits")}
	}
	return validateDigest(value, path)
}

func validateDigest(value string, path *field.Path) field.ErrorList {
	if value == "" || result.ValidDigest(value) {
		return nil
	}
	return field.ErrorList{field.Invalid(path, value, "must be sha256: and 64 hex digits")}
}
