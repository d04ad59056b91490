// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/result"
)

const maxTextLength = 64 // of a duration or a quantity, in bytes

// Enum validates a required value that must be one of several.
func Enum[T ~string](value T, supported []T, path *field.Path) field.ErrorList {
	switch {
	case value == "":
		return field.ErrorList{field.Required(path, fmt.Sprintf("set one of %v", supported))}
	case !slices.Contains(supported, value):
		return field.ErrorList{field.NotSupported(path, value, supported)}
	}
	return nil
}

// Duration validates an optional duration.
func Duration(duration *v1alpha1.Duration, shortest, longest time.Duration, path *field.Path) field.ErrorList {
	switch {
	case duration == nil:
		return nil
	case len(duration.Written) > maxTextLength:
		return field.ErrorList{field.TooLong(path, "", maxTextLength)}
	case shortest <= duration.Duration && duration.Duration <= longest:
		return nil
	}
	return field.ErrorList{field.Invalid(path, duration.String(),
		fmt.Sprintf("must be between %s and %s", v1alpha1.Duration{Duration: shortest}, v1alpha1.Duration{Duration: longest}))}
}

// WholeSeconds validates an optional duration that must be in whole seconds.
func WholeSeconds(duration *v1alpha1.Duration, shortest, longest time.Duration, path *field.Path) field.ErrorList {
	errs := Duration(duration, shortest, longest, path)
	if duration != nil && duration.Duration%time.Second != 0 {
		errs = append(errs, field.Invalid(path, duration.String(), "must be in whole seconds"))
	}
	return errs
}

// QuantityText refuses what only protobuf lets a client send, and texts that are longer than any number.
func QuantityText(quantity v1alpha1.Quantity, path *field.Path) field.ErrorList {
	if len(quantity.Text) > maxTextLength {
		return field.ErrorList{field.TooLong(path, "", maxTextLength)}
	}
	if _, err := quantity.Parse(); err != nil {
		return field.ErrorList{field.Invalid(path, field.OmitValueType{}, err.Error())}
	}
	return nil
}

// Number validates the number of a build.
func Number(number int64, path *field.Path) field.ErrorList {
	if number < 1 {
		return field.ErrorList{field.Invalid(path, number, "must be 1 or more")}
	}
	return nil
}

// RequiredDigest validates a digest that must be set.
func RequiredDigest(value string, path *field.Path) field.ErrorList {
	if value == "" {
		return field.ErrorList{field.Required(path, "set sha256: and 64 hex digits")}
	}
	return Digest(value, path)
}

// Digest validates an optional digest.
func Digest(value string, path *field.Path) field.ErrorList {
	if value == "" || result.ValidDigest(value) {
		return nil
	}
	return field.ErrorList{field.Invalid(path, value, "must be sha256: and 64 hex digits")}
}

// Phases are the phases of a build, in the order of a build's life.
var Phases = []v1alpha1.BuildPhase{
	v1alpha1.BuildPending, v1alpha1.BuildQueued, v1alpha1.BuildStarting, v1alpha1.BuildRunning, v1alpha1.BuildRetrying,
	v1alpha1.BuildTesting, v1alpha1.BuildCancelling, v1alpha1.BuildSucceeded, v1alpha1.BuildFailed, v1alpha1.BuildCancelled,
}

// TriggerReasons are the reasons that a BuildRequest may have. A rerun has a request of its own.
var TriggerReasons = []v1alpha1.TriggerReason{
	v1alpha1.TriggerCreated, v1alpha1.TriggerSpecChange, v1alpha1.TriggerBaseChange, v1alpha1.TriggerSchedule, v1alpha1.TriggerManual,
	v1alpha1.TriggerTestsChange, v1alpha1.TriggerPackageChange, v1alpha1.TriggerSourceChange,
}
