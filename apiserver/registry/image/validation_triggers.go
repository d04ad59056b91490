// SPDX-License-Identifier: Apache-2.0

package image

import (
	"errors"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/validation"
	"goldsmith.dev/goldsmith/jobs/trigger"
)

// Limits of triggers.
const (
	maxJitter           = 24 * time.Hour
	maxStartingDeadline = 168 * time.Hour
)

func validateTriggers(triggers *v1alpha1.Triggers, path *field.Path) field.ErrorList {
	if triggers == nil || triggers.Schedule == nil {
		return nil
	}
	return validateSchedule(triggers.Schedule, path.Child("schedule"))
}

func validateSchedule(schedule *v1alpha1.Schedule, path *field.Path) field.ErrorList {
	// Each field by itself, so that both errors are reported.
	errs := validateTimes(schedule.Cron, v1alpha1.DefaultTimeZone, schedule.Cron, path.Child(trigger.FieldCron))
	errs = append(errs, validation.Line(schedule.Cron, path.Child(trigger.FieldCron))...)
	errs = append(errs, validateTimes("@daily", schedule.TimeZone, schedule.TimeZone, path.Child(trigger.FieldTimeZone))...)
	errs = append(errs, validation.Duration(schedule.Jitter, 0, maxJitter, path.Child("jitter"))...)
	return append(errs, validation.Duration(schedule.StartingDeadline, time.Second, maxStartingDeadline, path.Child("startingDeadline"))...)
}

// validateTimes checks one field of a schedule, with a valid value of the other field.
func validateTimes(cron, timeZone, value string, path *field.Path) field.ErrorList {
	_, err := trigger.ParseSchedule(cron, timeZone)
	if err == nil {
		return nil
	}
	problem := err.Error()
	if wrong, ok := errors.AsType[*trigger.ScheduleError](err); ok {
		problem = wrong.Problem
	}
	if value == "" {
		return field.ErrorList{field.Required(path, problem)}
	}
	return field.ErrorList{field.Invalid(path, value, problem)}
}
