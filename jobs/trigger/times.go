// SPDX-License-Identifier: Apache-2.0

package trigger

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

const (
	// searchYears is how many years ahead cron.Schedule.Next searches.
	searchYears = 5
	// longestGap is the longest time between two times of any schedule in years: 29 February around 2100, on one day
	// of the week.
	longestGap = 40
	// maxCron is how long cron fields may be, in bytes.
	maxCron = 256
)

// Names of the fields that a ScheduleError may be about.
const (
	FieldCron     = "cron"
	FieldTimeZone = "timeZone"
)

// ScheduleError describes an invalid field of a schedule.
type ScheduleError struct {
	// Field is FieldCron or FieldTimeZone.
	Field string
	// Problem describes why the value is invalid, without the value.
	Problem string
}

// Error names the field.
func (e *ScheduleError) Error() string {
	return e.Field + ": " + e.Problem
}

// Times are the times of a schedule: whole minutes of local time in its time zone. A time that daylight-saving time skips does not
// occur, and a time that occurs twice counts once, the first time.
type Times struct {
	wall *cron.SpecSchedule // in UTC, which neither skips nor repeats a time
	zone *time.Location
}

// ParseSchedule reads the times of a schedule: five cron fields, or one of @hourly, @daily, @midnight, @weekly,
// @monthly, @yearly and @annually, and the name of a time zone of the IANA database. The error is a *ScheduleError.
// It refuses fields that are invalid or longer than 256 characters, a time zone in the fields, @every, a schedule without any time,
// and an unknown time zone.
func ParseSchedule(expression, timeZone string) (Times, error) {
	wall, err := parseCron(expression)
	if err != nil {
		return Times{}, &ScheduleError{Field: FieldCron, Problem: err.Error()}
	}
	zone, err := parseTimeZone(timeZone)
	if err != nil {
		return Times{}, &ScheduleError{Field: FieldTimeZone, Problem: err.Error()}
	}
	return Times{wall: wall, zone: zone}, nil
}

func parseCron(expression string) (*cron.SpecSchedule, error) {
	switch {
	case strings.TrimSpace(expression) == "":
		return nil, errors.New("set the times, such as 0 3 * * *")
	case len(expression) > maxCron:
		return nil, fmt.Errorf("must have at most %d characters", maxCron)
	case strings.Contains(expression, "TZ="):
		return nil, errors.New("must not name a time zone: set timeZone instead")
	case strings.HasPrefix(expression, "@every"):
		return nil, errors.New("must not be an interval (@every): list times instead, such as */15 * * * *")
	}
	for field := range strings.FieldsSeq(expression) {
		if field[0] == ',' || field[len(field)-1] == ',' || strings.Contains(field, ",,") {
			return nil, fmt.Errorf("remove the empty element of the list %q", field)
		}
	}
	parsed, err := cron.ParseStandard(expression)
	if err != nil {
		problem, _, _ := strings.Cut(err.Error(), ": strconv.")
		return nil, fmt.Errorf("must be five fields (minute, hour, day of the month, month, day of the week), @hourly, @daily, @weekly, @monthly or @yearly: %s", problem)
	}
	wall, ok := parsed.(*cron.SpecSchedule)
	if !ok {
		return nil, errors.New("must be a cron expression of times, such as 0 3 * * *: intervals are not supported")
	}
	wall.Location = time.UTC
	if wall.Next(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() { // two leap years follow
		return nil, errors.New("matches no date: no year has such a day")
	}
	return wall, nil
}

// Next returns the first time of the schedule after a point in time, in UTC.
func (t Times) Next(after time.Time) time.Time {
	for wall := wallClock(after, t.zone); ; {
		wall = t.nextWallClock(wall)
		if wall.IsZero() {
			return wall
		}
		if at, exists := firstAt(wall, t.zone); exists && at.After(after) {
			return at
		}
	}
}

// nextWallClock searches further ahead than cron does. It returns the zero time if no time comes within longestGap years.
func (t Times) nextWallClock(after time.Time) time.Time {
	for years := 0; years < longestGap; years += searchYears {
		from := after
		if years > 0 {
			from = time.Date(after.Year()+years, 1, 1, 0, 0, 0, 0, time.UTC).Add(-time.Second)
		}
		if next := t.wall.Next(from); !next.IsZero() {
			return next
		}
	}
	return time.Time{}
}

// Last returns the last time of the schedule after one point in time and not after another, in UTC. It returns false if there is
// none. It takes about forty steps, even for long intervals.
func (t Times) Last(after, until time.Time) (time.Time, bool) {
	last := t.Next(after)
	if last.IsZero() || last.After(until) {
		return time.Time{}, false
	}
	for end := until; end.Sub(last) >= time.Minute; { // nothing comes in (end, until]
		middle := last.Add(end.Sub(last) / 2)
		if next := t.Next(middle); next.IsZero() || next.After(until) {
			end = middle
		} else {
			last = next
		}
	}
	return last, true
}

// wallClock is the local time in a zone, as a time in UTC.
func wallClock(at time.Time, zone *time.Location) time.Time {
	local := at.In(zone)
	return time.Date(local.Year(), local.Month(), local.Day(), local.Hour(), local.Minute(), local.Second(), 0, time.UTC)
}

// firstAt is when a local time first occurs in a zone. It returns false if it never occurs.
func firstAt(wall time.Time, zone *time.Location) (first time.Time, exists bool) {
	around := time.Date(wall.Year(), wall.Month(), wall.Day(), wall.Hour(), wall.Minute(), wall.Second(), 0, zone)
	start, end := around.ZoneBounds()
	for _, sample := range []time.Time{start.Add(-time.Second), around, end} {
		if sample.IsZero() {
			continue
		}
		_, offset := sample.In(zone).Zone()
		at := wall.Add(-time.Duration(offset) * time.Second)
		if wallClock(at, zone).Equal(wall) && (!exists || at.Before(first)) {
			first, exists = at, true
		}
	}
	return first, exists
}
