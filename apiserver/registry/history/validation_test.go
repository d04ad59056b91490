// SPDX-License-Identifier: Apache-2.0

package history

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/validation"
	"goldsmith.dev/goldsmith/apiserver/registry/validation/validationtest"
)

var now = time.Date(2030, 1, 2, 12, 0, 0, 0, time.UTC)

func TestImageHistoryOptions(t *testing.T) {
	for name, c := range map[string]struct {
		options v1alpha1.ImageHistoryOptions
		want    []string
	}{
		"nothing asked for": {},
		"everything asked for": {options: v1alpha1.ImageHistoryOptions{
			Limit: 500, Continue: "x", Outcome: "Failed", Trigger: "Rerun", User: "system:serviceaccount:team:builder", Since: "720h",
			Until: "2030-01-01T00:00:00+01:00", UID: strings.Repeat("a", 63),
		}},
		"nothing that there is": {
			options: v1alpha1.ImageHistoryOptions{
				Limit: 501, Outcome: "failed", Trigger: "Weather", User: strings.Repeat("é", 257), Since: "yesterday", Until: "-1h", UID: "../x",
			},
			want: []string{"limit", "outcome", "trigger", "user", "since", "until", "uid"},
		},
		"less than no builds":             {options: v1alpha1.ImageHistoryOptions{Limit: -1}, want: []string{"limit"}},
		"a time that ends when it begins": {options: v1alpha1.ImageHistoryOptions{Since: "1h", Until: "2030-01-02T11:00:00Z"}, want: []string{"until"}},
		"a time that ends before":         {options: v1alpha1.ImageHistoryOptions{Since: "1h", Until: "2h"}, want: []string{"until"}},
		"days":                            {options: v1alpha1.ImageHistoryOptions{Since: "3650d", Until: "1d"}},
		"days too long ago":               {options: v1alpha1.ImageHistoryOptions{Since: "3651d"}, want: []string{"since"}},
		"too long ago":                    {options: v1alpha1.ImageHistoryOptions{Since: "87600h0m1s"}, want: []string{"since"}},
		"times of years that have no form": {
			options: v1alpha1.ImageHistoryOptions{Since: "0001-01-01T00:00:00+01:00", Until: "9999-12-31T23:59:59-01:00"}, want: []string{"since", "until"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			validationtest.ExpectPaths(t, ValidateHistoryOptions(&c.options, now), c.want)
		})
	}
}

func TestEveryPhaseAndTriggerCanBeAskedFor(t *testing.T) {
	for _, phase := range validation.Phases {
		validationtest.ExpectPaths(t, ValidateHistoryOptions(&v1alpha1.ImageHistoryOptions{Outcome: string(phase)}, now), nil)
	}
	for _, trigger := range []v1alpha1.TriggerReason{
		v1alpha1.TriggerCreated, v1alpha1.TriggerSpecChange, v1alpha1.TriggerBaseChange, v1alpha1.TriggerSchedule, v1alpha1.TriggerManual, v1alpha1.TriggerRerun,
	} {
		validationtest.ExpectPaths(t, ValidateHistoryOptions(&v1alpha1.ImageHistoryOptions{Trigger: string(trigger)}, now), nil)
	}
}

func TestImageStatsOptions(t *testing.T) {
	for since, want := range map[string][]string{
		"": nil, "1m": nil, "720h": nil, "87600h": nil, "7d": nil, "1d2h": nil, "3650d": nil,
		"59s": {"since"}, "87600h1s": {"since"}, "-1h": {"since"}, "2030-01-01T00:00:00Z": {"since"}, "0d": {"since"}, "3651d": {"since"},
		"d": {"since"}, "-1d": {"since"}, "1.5d": {"since"}, "65536d": {"since"}, "2h1d": {"since"},
	} {
		validationtest.ExpectPaths(t, ValidateStatsOptions(&v1alpha1.ImageStatsOptions{Since: since}), want)
	}
	validationtest.ExpectPaths(t, ValidateStatsOptions(&v1alpha1.ImageStatsOptions{UID: "a b"}), []string{"uid"})
}

func TestImageJournalOptions(t *testing.T) {
	validationtest.ExpectPaths(t, ValidateJournalOptions(&v1alpha1.ImageJournalOptions{Limit: 1, Continue: "x", UID: "a-1"}), nil)
	validationtest.ExpectPaths(t, ValidateJournalOptions(&v1alpha1.ImageJournalOptions{Limit: 501, UID: "a/1"}), []string{"limit", "uid"})
}

func TestImageNote(t *testing.T) {
	for name, c := range map[string]struct {
		name string
		note v1alpha1.NoteRecord
		want []string
	}{
		"a text":               {"", v1alpha1.NoteRecord{Text: "withdrawn\n\tsee there"}, nil},
		"the name of its URL":  {"web", v1alpha1.NoteRecord{Text: "x"}, nil},
		"another name":         {"db", v1alpha1.NoteRecord{Text: "x"}, []string{"metadata.name"}},
		"a name of its own":    {"", v1alpha1.NoteRecord{ID: strings.Repeat("é", 128), Text: "x"}, nil},
		"too long a name":      {"", v1alpha1.NoteRecord{ID: strings.Repeat("é", 129), Text: "x"}, []string{"id"}},
		"a name in two lines":  {"", v1alpha1.NoteRecord{ID: "a\nb", Text: "x"}, []string{"id"}},
		"a name that is none":  {"", v1alpha1.NoteRecord{ID: "\xff", Text: "x"}, []string{"id"}},
		"no text":              {"", v1alpha1.NoteRecord{}, []string{"text"}},
		"nothing but space":    {"", v1alpha1.NoteRecord{Text: " \n"}, []string{"text"}},
		"as much as may be":    {"", v1alpha1.NoteRecord{Text: strings.Repeat("é", 2048)}, nil},
		"more than that":       {"", v1alpha1.NoteRecord{Text: strings.Repeat("é", 2048) + "."}, []string{"text"}},
		"text that is none":    {"", v1alpha1.NoteRecord{Text: "\xff"}, []string{"text"}},
		"text that has a NUL":  {"", v1alpha1.NoteRecord{Text: "a\x00b"}, []string{"text"}},
		"lines with a tab":     {"", v1alpha1.NoteRecord{Text: "a\r\nb\tc\n"}, nil},
		"text that moves":      {"", v1alpha1.NoteRecord{Text: "a\x1b[2J"}, []string{"text"}},
		"text that turns":      {"", v1alpha1.NoteRecord{Text: "a\u202eb"}, []string{"text"}},
		"an author, who waits": {"", v1alpha1.NoteRecord{Text: "x", Author: "mallory", Time: &metav1.Time{}}, nil}, // the server sets them
	} {
		t.Run(name, func(t *testing.T) {
			validationtest.ExpectPaths(t, ValidateNote(&v1alpha1.ImageNote{ObjectMeta: metav1.ObjectMeta{Name: c.name}, NoteRecord: c.note}, "web"), c.want)
		})
	}
}

func TestMoment(t *testing.T) {
	for text, want := range map[string]time.Time{
		"": {}, "0s": now, "90m": now.Add(-90 * time.Minute), "2029-12-31T23:00:00-01:00": time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC),
	} {
		if got, err := Moment(text, now); err != nil || !got.Equal(want) {
			t.Errorf("%q is %v, error %v", text, got, err)
		}
	}
}

func TestWindow(t *testing.T) {
	for text, want := range map[string]time.Duration{"": 720 * time.Hour, "24h": 24 * time.Hour} {
		if got, err := Window(text); err != nil || got != want {
			t.Errorf("%q is %v, error %v", text, got, err)
		}
	}
}
