// SPDX-License-Identifier: Apache-2.0

package history

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"

	declared "goldsmith.dev/goldsmith/apis/generated/validation"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/validation"
)

const (
	minWindow = time.Minute
	maxWindow = 87600 * time.Hour
	// DefaultWindow is the default of the time range of statistics.
	DefaultWindow = 720 * time.Hour
)

// historyTriggers are what a history can be filtered by.
var historyTriggers = append(slices.Clone(validation.TriggerReasons), v1alpha1.TriggerRerun)

// ValidateHistoryOptions validates the parameters of a request for the history of an Image. Durations are before now.
func ValidateHistoryOptions(options *v1alpha1.ImageHistoryOptions, now time.Time) field.ErrorList {
	var errs field.ErrorList
	if options.Outcome != "" {
		errs = append(errs, validation.Enum(v1alpha1.BuildPhase(options.Outcome), validation.Phases, field.NewPath("outcome"))...)
	}
	if options.Trigger != "" {
		errs = append(errs, validation.Enum(v1alpha1.TriggerReason(options.Trigger), historyTriggers, field.NewPath("trigger"))...)
	}
	since, err := Moment(options.Since, now)
	if err != nil {
		errs = append(errs, field.Invalid(field.NewPath("since"), options.Since, err.Error()))
	}
	until, err := Moment(options.Until, now)
	if err != nil {
		errs = append(errs, field.Invalid(field.NewPath("until"), options.Until, err.Error()))
	}
	if len(errs) == 0 && !since.IsZero() && !until.IsZero() && !since.Before(until) {
		errs = append(errs, field.Invalid(field.NewPath("until"), options.Until, "must be later than since"))
	}
	errs = append(errs, validation.UID(options.UID, field.NewPath("uid"), "an image")...)
	return validation.Declared(declared.Validate_ImageHistoryOptions, options, nil, errs)
}

// ValidateStatsOptions validates the parameters of a request for the figures of an Image.
func ValidateStatsOptions(options *v1alpha1.ImageStatsOptions) field.ErrorList {
	var errs field.ErrorList
	if _, err := Window(options.Since); err != nil {
		errs = append(errs, field.Invalid(field.NewPath("since"), options.Since, err.Error()))
	}
	return append(errs, validation.UID(options.UID, field.NewPath("uid"), "an image")...)
}

// ValidateJournalOptions validates the parameters of a request for the notes or changes of an Image.
func ValidateJournalOptions(options *v1alpha1.ImageJournalOptions) field.ErrorList {
	return validation.Declared(declared.Validate_ImageJournalOptions, options, nil, validation.UID(options.UID, field.NewPath("uid"), "an image"))
}

// ValidateNote validates a note about the named Image. The server sets an empty id.
func ValidateNote(note *v1alpha1.ImageNote, image string) field.ErrorList {
	errs := validation.RequestName(note.Name, image)
	errs = append(errs, validation.Line(note.ID, field.NewPath("id"))...)
	text := field.NewPath("text")
	switch {
	case strings.TrimSpace(note.Text) == "":
		errs = append(errs, field.Required(text, "set the text of the note"))
	case !v1alpha1.Printable(strings.NewReplacer("\r\n", " ", "\n", " ", "\t", " ").Replace(note.Text)):
		errs = append(errs, field.Invalid(text, note.Text, "must be printable lines: "+validation.RemoveUnprintable))
	}
	return validation.Declared(declared.Validate_NoteRecord, &note.NoteRecord, nil, errs)
}

// Moment reads a time: a duration before now, or a time in RFC 3339. An empty text is the zero time.
func Moment(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if ago, err := v1alpha1.ParseDuration(text); err == nil {
		if ago < 0 || ago > maxWindow {
			return time.Time{}, fmt.Errorf("must be between 0s and %dd", int(maxWindow.Hours())/24)
		}
		return now.Add(-ago), nil
	}
	moment, err := time.Parse(time.RFC3339, text)
	if year := moment.UTC().Year(); err != nil || year < 1 || year > 9999 { // an offset can change the year 0 or 9999
		return time.Time{}, errors.New("must be a duration before now, such as 7d or 36h, or a time, such as 2030-01-02T03:04:05Z")
	}
	return moment, nil
}

// Window reads the time range of statistics, which defaults to DefaultWindow.
func Window(text string) (time.Duration, error) {
	if text == "" {
		return DefaultWindow, nil
	}
	window, err := v1alpha1.ParseDuration(text)
	if err != nil {
		return 0, errors.New("must be a duration, such as 7d or 36h")
	}
	if window < minWindow || window > maxWindow {
		return 0, fmt.Errorf("must be between 1m and %dd", int(maxWindow.Hours())/24)
	}
	return window, nil
}
