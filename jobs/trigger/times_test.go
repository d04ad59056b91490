// SPDX-License-Identifier: Apache-2.0

package trigger

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"goldsmith.dev/goldsmith/e2e/require"
)

func parse(t *testing.T, expression, zone string) Times {
	t.Helper()
	times, err := ParseSchedule(expression, zone)
	require.NoError(t, err)
	return times
}

func at(t *testing.T, text string) time.Time {
	t.Helper()
	moment, err := time.Parse(time.RFC3339, text)
	require.NoError(t, err)
	return moment
}

// following are the times of a schedule after a time, in its zone.
func following(t *testing.T, times Times, after string, count int) []string {
	t.Helper()
	var found []string
	for moment := at(t, after); len(found) < count; {
		moment = times.Next(moment)
		found = append(found, moment.In(times.zone).Format(time.RFC3339))
	}
	return found
}

func TestWrongSchedulesAreRefused(t *testing.T) {
	machine := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(machine, "Office"), 0o700))
	database, err := zones()
	require.NoError(t, err)
	berlin, err := fs.ReadFile(database, "Europe/Berlin")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(machine, "Office", "Clock"), berlin, 0o600))
	t.Setenv("ZONEINFO", machine) // time.LoadLocation reads it
	for _, c := range []struct{ cron, zone, field, problem string }{
		{"", "UTC", FieldCron, "set the times"},
		{"   ", "UTC", FieldCron, "set the times"},
		{"0 3 * *", "UTC", FieldCron, "expected exactly 5 fields, found 4"},
		{"0 0 3 * * *", "UTC", FieldCron, "expected exactly 5 fields, found 6"},
		{"60 3 * * *", "UTC", FieldCron, "above maximum (59)"},
		{"0 24 * * *", "UTC", FieldCron, "above maximum (23)"},
		{"0 3 0 * *", "UTC", FieldCron, "below minimum (1)"},
		{"x 3 * * *", "UTC", FieldCron, "failed to parse int from x"},
		{"0 3 * 13 *", "UTC", FieldCron, "above maximum (12)"},
		{"0 3 * * 7", "UTC", FieldCron, "above maximum (6)"},
		{"0 3 * * fry", "UTC", FieldCron, "fry"},
		{"5-1 3 * * *", "UTC", FieldCron, "beyond end of range"},
		{"*/0 3 * * *", "UTC", FieldCron, "positive"},
		{"-1 3 * * *", "UTC", FieldCron, "five fields"},
		{", 3 * * *", "UTC", FieldCron, "empty element"},
		{"0 3,,4 * * *", "UTC", FieldCron, "empty element"},
		{"nonsense", "UTC", FieldCron, "five fields"},
		{"@never", "UTC", FieldCron, "@never"},
		{"@every 1h", "UTC", FieldCron, "interval"},
		{"TZ=Europe/Berlin 0 3 * * *", "UTC", FieldCron, "timeZone"},
		{"CRON_TZ=Europe/Berlin 0 3 * * *", "UTC", FieldCron, "timeZone"},
		{"TZ=UTC", "UTC", FieldCron, "timeZone"},
		{"0 3 " + strings.Repeat("1,", 200) + "1 * *", "UTC", FieldCron, "at most 256 characters"},
		{"0 3 30 2 *", "UTC", FieldCron, "matches no date"},
		{"0 3 31 apr,jun,sep,nov *", "UTC", FieldCron, "matches no date"},
		{"0 3 * * *", "", FieldTimeZone, "set a time zone"},
		{"0 3 * * *", "Local", FieldTimeZone, "Europe/Berlin"},
		{"0 3 * * *", "Mars/Olympus", FieldTimeZone, "must be a time zone"},
		{"0 3 * * *", "../etc/passwd", FieldTimeZone, "must be a time zone"},
		{"0 3 * * *", "+02:00", FieldTimeZone, "must be a time zone"},
		{"0 3 * * *", "Europe", FieldTimeZone, "must be a time zone"},
		{"0 3 * * *", "europe/berlin", FieldTimeZone, "must be a time zone"},
		// Machines have these in their own files.
		{"0 3 * * *", "localtime", FieldTimeZone, "must be a time zone"},
		{"0 3 * * *", "posixrules", FieldTimeZone, "must be a time zone"},
		{"0 3 * * *", "right/Europe/Berlin", FieldTimeZone, "must be a time zone"},
		{"0 3 * * *", "Office/Clock", FieldTimeZone, "must be a time zone"},
	} {
		_, err := ParseSchedule(c.cron, c.zone)
		var wrong *ScheduleError
		if !errors.As(err, &wrong) {
			t.Errorf("%q in %q: error %v", c.cron, c.zone, err)
			continue
		}
		if wrong.Field != c.field || !strings.Contains(wrong.Problem, c.problem) || strings.Contains(wrong.Problem, "strconv") {
			t.Errorf("%q in %q: %v, want %q of %s", c.cron, c.zone, wrong, c.problem, c.field)
		}
	}
}

func TestTimesOfASchedule(t *testing.T) {
	for name, c := range map[string]struct {
		cron, zone, after string
		want              []string
	}{
		"names, lists, ranges and steps": {
			"*/30 8-9 * jan mon,fri", "UTC", "2026-01-02T09:00:00Z",
			[]string{"2026-01-02T09:30:00Z", "2026-01-05T08:00:00Z", "2026-01-05T08:30:00Z"},
		},
		"a descriptor, in its zone": {
			"@daily", "Asia/Kolkata", "2026-01-02T00:00:00Z",
			[]string{"2026-01-03T00:00:00+05:30", "2026-01-04T00:00:00+05:30"},
		},
		"strictly after": {
			"0 3 * * *", "UTC", "2026-01-02T03:00:00Z",
			[]string{"2026-01-03T03:00:00Z"},
		},
		"a leap day": {
			"0 0 29 2 *", "UTC", "2026-01-01T00:00:00Z",
			[]string{"2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"},
		},
		"a leap day around 2100, which has none": {
			"0 0 29 2 *", "UTC", "2096-03-01T00:00:00Z",
			[]string{"2104-02-29T00:00:00Z"},
		},
		"Berlin skips 02:30": {
			"30 2 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z",
			[]string{"2026-03-28T02:30:00+01:00", "2026-03-30T02:30:00+02:00"},
		},
		"Berlin has 02:30 twice": {
			"30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z",
			[]string{"2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"},
		},
		"between the two 02:30 of Berlin": {
			"30 2 * * *", "Europe/Berlin", "2026-10-25T01:00:00Z",
			[]string{"2026-10-26T02:30:00+01:00"},
		},
		"each hour in Berlin's spring": {
			"0 * * * *", "Europe/Berlin", "2026-03-29T00:00:00Z",
			[]string{"2026-03-29T03:00:00+02:00", "2026-03-29T04:00:00+02:00"},
		},
		"each hour in Berlin's autumn": {
			"0 * * * *", "Europe/Berlin", "2026-10-24T23:30:00Z",
			[]string{"2026-10-25T02:00:00+02:00", "2026-10-25T03:00:00+01:00"},
		},
		"New York skips 02:30": {
			"30 2 * * *", "America/New_York", "2026-03-07T00:00:00Z",
			[]string{"2026-03-07T02:30:00-05:00", "2026-03-09T02:30:00-04:00"},
		},
		"New York has 01:30 twice": {
			"30 1 * * *", "America/New_York", "2026-10-31T12:00:00Z",
			[]string{"2026-11-01T01:30:00-04:00", "2026-11-02T01:30:00-05:00"},
		},
		"a list across New York's autumn": {
			"15,45 1,2 * * *", "America/New_York", "2026-11-01T05:00:00Z",
			[]string{"2026-11-01T01:15:00-04:00", "2026-11-01T01:45:00-04:00", "2026-11-01T02:15:00-05:00"},
		},
		"half an hour of daylight saving": {
			"45 1 * * *", "Australia/Lord_Howe", "2026-04-04T12:00:00Z",
			[]string{"2026-04-05T01:45:00+11:00", "2026-04-06T01:45:00+10:30"},
		},
		"a midnight that does not exist": {
			"0 0 * * *", "Africa/Cairo", "2026-04-23T00:00:00Z",
			[]string{"2026-04-25T00:00:00+03:00"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, following(t, parse(t, c.cron, c.zone), c.after, len(c.want))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTheLastTimeIsTheOneBeforeTheNext(t *testing.T) {
	until := at(t, "2026-11-01T07:10:30Z")
	for _, expression := range []string{"* * * * *", "*/7 3-5 * * *", "0 0 29 2 *", "30 1 * * *", "* * 1 1 *", "@yearly", "0 12 13 * fri", "0 9 1 oct *"} {
		for _, zone := range []string{"UTC", "America/New_York", "Europe/Berlin"} {
			times := parse(t, expression, zone)
			for _, absence := range []time.Duration{time.Second, time.Minute, time.Hour, 26 * time.Hour, 50 * 24 * time.Hour} {
				after := until.Add(-absence)
				var want time.Time
				for next := times.Next(after); !next.After(until); next = times.Next(next) {
					want = next
				}
				got, found := times.Last(after, until)
				if found == want.IsZero() || !got.Equal(want) {
					t.Errorf("%q in %s, %s before: %v %v, want %v", expression, zone, absence, got, found, want)
				}
			}
		}
	}
}

func TestYearsOfAbsenceAreCheap(t *testing.T) {
	times := parse(t, "* * * * *", "Europe/Berlin")
	after, until := at(t, "1976-07-01T12:00:00Z"), at(t, "9976-07-01T12:00:00Z")
	began := time.Now()
	if last, found := times.Last(after, until); !found || !last.Equal(until) {
		t.Errorf("last %v %v", last, found)
	}
	if took := time.Since(began); took > 20*time.Second { // a step for each of 4 billion minutes takes longer
		t.Errorf("it took %s", took)
	}
}
