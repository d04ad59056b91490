// SPDX-License-Identifier: Apache-2.0

package result

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
)

var asked = map[string]map[string][]string{"amd64": {"openssl": {"3.5.4-1", "3.5.6-1"}}, "all": {"tzdata": {"2026a-0+deb13u1"}}}

// answered returns the message of an answer with a number of updates, and with more in probe.
func answered(updates int, more string) string {
	return fmt.Sprintf(`{"version":1,"outcome":"Succeeded","probe":{"release":{"date":"2026-11-28T10:00:00Z","sha256":"%s"},"updates":%d%s}}`, strings.Repeat("a", 64), updates, more)
}

// updateOf returns the line of an update.
func updateOf(name, architecture, from, to string) string {
	return fmt.Sprintf(`{"update":{"name":%q,"architecture":%q,"from":%q,"to":%q}}`+"\n", name, architecture, from, to)
}

var openssl, tzdata = updateOf("openssl", "amd64", "3.5.4-1", "3.5.7-1"), updateOf("tzdata", "all", "2026a-0+deb13u1", "2026b-0+deb13u1")

func TestAnAnswerAboutAnArchive(t *testing.T) {
	full := Result{Version: 1, Outcome: OutcomeSucceeded, Probe: &Probe{Updates: 2, Release: v1alpha1.ArchiveRelease{
		Date: metav1.Date(2026, 11, 28, 10, 0, 0, 0, time.UTC), SHA256: strings.Repeat("a", 64), ETag: `"abc"`, LastModified: "Sat, 28 Nov 2026 10:00:00 GMT",
	}}}
	line := require.Value(json.Marshal(UpdateLine{Update{Name: "openssl", Architecture: "amd64", From: "3.5.4-1", To: "3.5.7-1", Security: true, Advisories: []string{"CVE-2026-2", "CVE-2026-1"}}}))(t)
	log := strings.Repeat("x", 100<<10) + updatePrefix + "\n{}\n" + string(line) + "\n" + `{"update":{"since":null,"added":1,` + strings.TrimPrefix(tzdata, `{"update":{`)
	got, failure := ParseProbe(string(require.Value(json.Marshal(full))(t)), 0, iotest.OneByteReader(strings.NewReader(strings.TrimSuffix(log, "\n"))), asked)
	if failure != nil {
		t.Fatal(failure.Message)
	}
	want := &Answer{Release: full.Probe.Release, Updates: []v1alpha1.PackageUpdate{
		{Name: "openssl", Architecture: "amd64", From: "3.5.4-1", To: "3.5.7-1", Security: true, Advisories: []string{"CVE-2026-2", "CVE-2026-1"}},
		{Name: "tzdata", Architecture: "all", From: "2026a-0+deb13u1", To: "2026b-0+deb13u1"},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	unchanged, failure := ParseProbe(answered(0, `,"unchanged":true`), 0, strings.NewReader("304\n"), asked)
	if failure != nil || !unchanged.Unchanged || len(unchanged.Updates) > 0 {
		t.Errorf("got %+v, %+v", unchanged, failure)
	}
}

// The largest answer has exactly as many updates, and lines exactly as long, as the limits allow.
func TestTheLargestAnswerAboutAnArchive(t *testing.T) {
	versions := make([]string, MaxUpdates+1)
	lines := make([]string, len(versions))
	for i := range versions {
		versions[i] = fmt.Sprint(i)
		lines[i] = updateOf("curl", "amd64", versions[i], "newer")
	}
	question := map[string]map[string][]string{"amd64": {"curl": versions}}
	if got, failure := ParseProbe(answered(MaxUpdates, ""), 0, strings.NewReader(strings.Join(lines[:MaxUpdates], "")), question); failure != nil || len(got.Updates) != MaxUpdates {
		t.Errorf("failure %+v", failure)
	}
	if _, failure := ParseProbe(answered(MaxUpdates+1, ""), 0, strings.NewReader(strings.Join(lines, "")), question); failure == nil || !strings.Contains(failure.Message, "more than 20000 updates") {
		t.Errorf("failure %+v", failure)
	}
	long := paddedTo(MaxUpdateLine, strings.TrimSuffix(openssl, "\n")) + "\n"
	if _, failure := ParseProbe(answered(1, ""), 0, strings.NewReader(long), asked); failure != nil {
		t.Error(failure.Message)
	}
	whole := openssl + strings.Repeat("\n", MaxProbeLog-len(openssl))
	if _, failure := ParseProbe(answered(1, ""), 0, strings.NewReader(whole), asked); failure != nil {
		t.Error(failure.Message)
	}
}

func TestAnAnswerAboutAnArchiveIsRefused(t *testing.T) {
	advisories := func(n int, each string) string {
		return `,"advisories":["` + strings.Repeat(each+`","`, n-1) + each + `"]`
	}
	for title, test := range map[string]struct {
		message string
		code    int32
		log     string
		want    string // the reason, and a part of the message
	}{
		"no message":                   {" \n", 0, "", "NoResult: no result: builder ended with exit code 0"},
		"no message, and an exit code": {"", 75, "", "BuilderTempFail: no result: builder ended with exit code 75"},
		"an older archive":             {failedOf("Infrastructure"), 1, "", "BuilderTempFail: NoSpace: disk is full"},
		"a failure":                    {failedForGood, 1, "", "BuilderFailed: NoSpace: disk is full"},
		"another exit code":            {answered(0, ""), 1, "", "BuilderFailed: outcome is Succeeded, but exit code is not 0"},
		"another version":              {strings.Replace(answered(0, ""), `"version":1`, `"version":2`, 1), 0, "", "InvalidResult: invalid result: version is 2, must be 1"},
		"a result of a build":          {good, 0, "", "InvalidResult: invalid result: probe is missing: set it"},
		"a misspelt answer":            {strings.Replace(answered(0, ""), "probe", "Probe", 1), 0, "", `is missing: set it to the answer about the archive; ignored: unknown field "Probe"`},
		"an answer, and artifacts":     {strings.Replace(answered(0, ""), `"probe"`, `"artifacts":[`+artifact("linux/amd64/raw", digestA)+`],"probe"`, 1), 0, "", "it has artifacts, tests, a report or resolved"},
		"an answer, and tests":         {strings.Replace(answered(0, ""), `"probe"`, `"tests":[{"name":"a","outcome":"Passed"}],"probe"`, 1), 0, "", "it has artifacts, tests, a report or resolved"},
		"a message that was cut":       {paddedTo(MaxBytes, answered(0, "")[:50]), 0, "", "not JSON, probably cut at 4096 bytes"},
		"no date":                      {strings.Replace(answered(0, ""), `"date"`, `"day"`, 1), 0, "", `probe.release.date is missing: set it to the date of the release file; ignored: unknown field "probe.release.day"`},
		"a date of another form":       {strings.Replace(answered(0, ""), "2026-11-28T10:00:00Z", "Sat, 28 Nov 2026", 1), 0, "", "not JSON that matches the builder contract"},
		"a short sha256":               {strings.Replace(answered(0, ""), "aaaa", "aaa", 1), 0, "", "must be 64 lower-case hex digits"},
		"a sha256 with its algorithm":  {strings.Replace(answered(0, ""), `"a`, `"sha256:a`, 1), 0, "", "must be 64 lower-case hex digits"},
		"an etag of two lines":         {strings.Replace(answered(0, ""), `"sha256"`, `"etag":"a\nb","sha256"`, 1), 0, "", "probe.release.etag must be one line of at most 256 bytes"},
		"a long etag":                  {strings.Replace(answered(0, ""), `"sha256"`, `"etag":"`+strings.Repeat("e", 257)+`","sha256"`, 1), 0, "", "probe.release.etag must be one line of at most 256 bytes"},
		"a long time":                  {strings.Replace(answered(0, ""), `"sha256"`, `"lastModified":"`+strings.Repeat("e", 65)+`","sha256"`, 1), 0, "", "probe.release.lastModified must be one line of at most 64 bytes"},
		"unchanged, with updates":      {answered(1, `,"unchanged":true`), 0, openssl, "probe.unchanged is true, but probe.updates is 1"},
		"unchanged, with lines":        {answered(0, `,"unchanged":true`), 0, openssl, "probe.updates is 0, but the log has 1 updates"},
		"fewer lines":                  {answered(2, ""), 0, openssl, "probe.updates is 2, but the log has 1 updates"},
		"a cut line":                   {answered(2, ""), 0, openssl + tzdata[:40], "line 2 of the log: is not JSON that matches the builder contract"},
		"a wrong type":                 {answered(1, ""), 0, strings.Replace(openssl, `"openssl"`, "1", 1), "line 1 of the log: is not JSON that matches the builder contract"},
		"nothing":                      {answered(1, ""), 0, updatePrefix + "null}\n", `line 1 of the log: update of "" "" "", which the input does not ask for`},
		"another name":                 {answered(1, ""), 0, updateOf("curl", "amd64", "3.5.4-1", "9"), `update of "curl" "3.5.4-1" "amd64", which the input does not ask for`},
		"another version of a package": {answered(1, ""), 0, updateOf("openssl", "amd64", "3.5.5-1", "9"), "which the input does not ask for"},
		"another architecture":         {answered(1, ""), 0, updateOf("openssl", "all", "3.5.4-1", "9"), "which the input does not ask for"},
		"no version":                   {answered(1, ""), 0, updateOf("openssl", "amd64", "3.5.4-1", ""), `to of the update of openssl is "", must have 1 to 256 bytes`},
		"a version with a space":       {answered(1, ""), 0, updateOf("openssl", "amd64", "3.5.4-1", "3.5 7"), `is "3.5 7", must have 1 to 256 bytes, all printable, and no spaces`},
		"an unprintable version":       {answered(1, ""), 0, updateOf("openssl", "amd64", "3.5.4-1", "3.5.7\u202e"), "must have 1 to 256 bytes"},
		"a long version":               {answered(1, ""), 0, updateOf("openssl", "amd64", "3.5.4-1", strings.Repeat("3", 257)), "must have 1 to 256 bytes"},
		"the same version":             {answered(1, ""), 0, updateOf("openssl", "amd64", "3.5.4-1", "3.5.4-1"), "the same as from"},
		"an update twice":              {answered(2, ""), 0, openssl + strings.Replace(openssl, "3.5.7-1", "3.5.8-1", 1), "line 2 of the log: the update of openssl 3.5.4-1 amd64 is there twice"},
		"33 advisories":                {answered(1, ""), 0, strings.Replace(openssl, "}}", advisories(33, "CVE-1")+"}}", 1), "has 33 advisories, must be at most 32"},
		"a long advisory":              {answered(1, ""), 0, strings.Replace(openssl, "}}", advisories(1, strings.Repeat("é", 33))+"}}", 1), "must be one line of 1 to 64 bytes, all printable"},
		"an unprintable advisory":      {answered(1, ""), 0, strings.Replace(openssl, "}}", advisories(2, `\u001b`)+"}}", 1), "must be one line of 1 to 64 bytes, all printable"},
		"an empty advisory":            {answered(1, ""), 0, strings.Replace(openssl, "}}", advisories(1, "")+"}}", 1), "must be one line of 1 to 64 bytes, all printable"},
		"a line that is too long":      {answered(1, ""), 0, "log\n" + paddedTo(MaxUpdateLine+1, strings.TrimSuffix(openssl, "\n")) + "\n", "line 2 of the log: has more than 4096 bytes"},
		"a log that is too long":       {answered(1, ""), 0, openssl + strings.Repeat("\n", MaxProbeLog-len(openssl)+1), "the log has more than 8 MiB"},
		"an update after the limit":    {answered(1, ""), 0, strings.Repeat("\n", MaxProbeLog-10) + openssl, "the log has more than 8 MiB"},
	} {
		t.Run(title, func(t *testing.T) {
			got, failure := ParseProbe(test.message, test.code, strings.NewReader(test.log), asked)
			if got != nil || failure == nil || failure.ExitCode == nil || *failure.ExitCode != test.code {
				t.Fatalf("answer %+v, failure %+v", got, failure)
			}
			if said := fmt.Sprintf("%s: %s", failure.Reason, failure.Message); !strings.Contains(said, test.want) || len(failure.Message) > v1alpha1.MaxMessageBytes {
				t.Errorf("got %s", said)
			}
		})
	}
	broken := io.MultiReader(strings.NewReader(openssl), iotest.ErrReader(errors.New("connection reset")))
	if _, failure := ParseProbe(answered(1, ""), 0, broken, asked); failure == nil || !strings.Contains(failure.Message, "read the log: connection reset") {
		t.Errorf("a log that cannot be read: %+v", failure)
	}
}

// An answer about an archive is no result of a build or of tests, even if it has what they need.
func TestAnAnswerAboutAnArchiveIsNoResultOfABuild(t *testing.T) {
	made := strings.Replace(good, `"artifacts"`, `"probe":{"updates":0},"artifacts"`, 1)
	theirs := []v1alpha1.ImageTest{{Name: "ours", Runner: &v1alpha1.TestRunner{Name: "ours"}}}
	for title, failure := range map[string]*v1alpha1.BuildFailure{
		"a build":        Parse(made, 0, oneTarget, Policy{AllowUnlocated: true}).Failure,
		"a build, bare":  Parse(answered(0, ""), 0, oneTarget, Policy{}).Failure,
		"tests":          ParseTests(answered(0, ""), 0, theirs, Policy{}).Failure,
		"tests, checked": ParseTests(answered(0, ""), 0, theirs, Policy{Checked: true}).Failure,
	} {
		if failure == nil || !strings.Contains(failure.Message, "probe is set, but the input has no probe") {
			t.Errorf("%s: %+v", title, failure)
		}
	}
	if Readable(made, oneTarget, Policy{}) != nil || ReadableTests(answered(0, ""), theirs) != nil {
		t.Error("its files are read")
	}
}
