// SPDX-License-Identifier: Apache-2.0

package image

import (
	"errors"
	"fmt"
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
	maxMinimumAge       = 30 * 24 * time.Hour
	minWindow           = time.Minute
	maxWindow           = 168 * time.Hour
)

func validateTriggers(triggers *v1alpha1.Triggers, path *field.Path) field.ErrorList {
	if triggers == nil {
		return nil
	}
	var errs field.ErrorList
	if schedule := triggers.Schedule; schedule != nil {
		errs = validateSchedule(schedule, path.Child("schedule"))
	}
	if packages := triggers.OnPackageChange; packages != nil {
		errs = append(errs, validatePackageTrigger(packages, path.Child("onPackageChange"))...)
	}
	return errs
}

func validateSchedule(schedule *v1alpha1.Schedule, path *field.Path) field.ErrorList {
	errs := validateClock(schedule.Cron, schedule.TimeZone, path)
	errs = append(errs, validation.Duration(schedule.Jitter, 0, maxJitter, path.Child("jitter"))...)
	return append(errs, validation.Duration(schedule.StartingDeadline, time.Second, maxStartingDeadline, path.Child("startingDeadline"))...)
}

func validatePackageTrigger(packages *v1alpha1.PackageTrigger, path *field.Path) field.ErrorList {
	errs := validation.WholeSeconds(packages.MinimumAge, 0, maxMinimumAge, path.Child("minimumAge"))
	if window := packages.Window; window != nil {
		path := path.Child("window")
		errs = append(errs, validateClock(window.Cron, window.TimeZone, path)...)
		errs = append(errs, validation.WholeSeconds(&window.Duration, minWindow, maxWindow, path.Child("duration"))...)
	}
	return errs
}

// windowWarnings warns about a window that opens late, or for which updates are too young again and again.
func windowWarnings(packages *v1alpha1.PackageTrigger, now time.Time, path *field.Path) []string {
	window := packages.Window
	if window == nil {
		return nil
	}
	times, err := trigger.ParseSchedule(window.Cron, window.TimeZone)
	if err != nil { // of a stored Image, whose window an earlier version accepted
		return nil
	}
	first := times.Next(now)
	if first.IsZero() || first.After(now.AddDate(1, 0, 0)) {
		return []string{fmt.Sprintf("%s: does not open within a year: no update starts a build until then", path.Child("window"))}
	}
	period := times.Next(first).Sub(first)
	if packages.MinimumAge == nil || packages.MinimumAge.Duration <= period || period <= 0 { // no other time follows
		return nil
	}
	return []string{fmt.Sprintf("%s: %s is longer than the %s from one window to the next, so an update misses at least one window",
		path.Child("minimumAge"), packages.MinimumAge, v1alpha1.Duration{Duration: period})}
}

// validateClock checks the times of a schedule or of a window. It checks each field by itself, so that both errors are reported.
func validateClock(cron, timeZone string, path *field.Path) field.ErrorList {
	errs := validateTimes(cron, v1alpha1.DefaultTimeZone, cron, path.Child(trigger.FieldCron))
	errs = append(errs, validation.Line(cron, path.Child(trigger.FieldCron))...)
	return append(errs, validateTimes("@daily", timeZone, timeZone, path.Child(trigger.FieldTimeZone))...)
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
