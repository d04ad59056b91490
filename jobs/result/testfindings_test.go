// SPDX-License-Identifier: Apache-2.0

package result

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
)

// tested is a message of a runner whose test a passed, and whose test b has an outcome, with a report.
func tested(outcome v1alpha1.TestOutcome) string {
	return fmt.Sprintf(`{"version":1,"outcome":"Succeeded","tests":[{"name":"a","outcome":"Passed"},{"name":"b","outcome":%q,"message":"no"}],`+
		`"report":{"file":"junit.xml","mediaType":"application/vnd.junit+xml","location":"oci://r/x","verified":"Content"}}`, outcome)
}

// aAndB are the tests a and b of a runner.
func aAndB(runner *v1alpha1.TestRunner) []v1alpha1.ImageTest {
	return []v1alpha1.ImageTest{{Name: "a", Runner: runner}, {Name: "b", Runner: runner}}
}

// checkedTests is the result of a message as a publisher has checked it, which has moved tags of 16 targets.
func checkedTests(t *testing.T, message string) (checked *Result, tags map[string]string) {
	t.Helper()
	checked, tags = ReadableTests(message, aAndB(nil)), map[string]string{}
	if checked == nil {
		t.Fatal("the result is not readable")
	}
	for i := range 16 {
		tags[fmt.Sprintf("linux/%s%02d/raw", strings.Repeat("a", 110), i)] = fmt.Sprintf("v%d", i)
	}
	checked.Check, checked.Tagged = &Check{}, maps.Clone(tags)
	report := checked.Report
	report.Digest, report.SizeBytes, report.Verified = fmt.Sprintf("sha256:%064x", 1), new(int64(4)<<20), v1alpha1.ArtifactVerifiedContent
	report.Location = fmt.Sprintf("localhost/a@sha256:%064x", 2)
	return checked, tags
}

func TestTheMessagesOfRunnerAndPublisherAreOneResult(t *testing.T) {
	message := tested(v1alpha1.TestFlaky)
	checked, tags := checkedTests(t, message)
	text := findingsOf(t, checked)
	if len(text) > MaxBytes {
		t.Errorf("%d bytes do not fit into a message", len(text))
	}
	told := maps.Clone(tags)
	first := slices.Min(slices.Collect(maps.Keys(told)))
	delete(told, first)
	told["linux/amd64/raw"] = "v9"
	complete := func(text string, tags map[string]string) TestsOutcome {
		return ParseTests(WithFindings(message, text, "localhost/a", tags), 0, aAndB(nil), Policy{Checked: true})
	}
	found := complete(text, told)
	delete(tags, first)
	if !maps.Equal(found.Tagged, tags) || found.Failure != nil || len(found.Tests) != 2 {
		t.Errorf("%+v", found)
	}
	if want := (v1alpha1.ArtifactDocument{
		Type: v1alpha1.DocumentTestReport, Digest: fmt.Sprintf("sha256:%064x", 1), SizeBytes: 4 << 20, MediaType: MediaTypeJUnit,
		Location: fmt.Sprintf("localhost/a@sha256:%064x", 2), Verified: v1alpha1.ArtifactVerifiedContent, MadeBy: v1alpha1.DocumentMadeByGoldsmith,
	}); found.Report == nil || *found.Report != want {
		t.Errorf("the report is %+v", found.Report)
	}
	checked.Report.Location = ""
	if found := complete(findingsOf(t, checked), tags); found.Report == nil || found.Report.Location != "" {
		t.Errorf("a report that is not published is %+v", found.Report)
	}
	checked.Report.Verified, checked.Tagged = "", nil
	if found := complete(findingsOf(t, checked), tags); found.Report != nil || found.Tagged != nil || found.Failure != nil {
		t.Errorf("%+v", found)
	}
}

func TestAResultWithoutTestsStaysOneWithFindings(t *testing.T) {
	theirs := aAndB(&v1alpha1.TestRunner{Name: "ours"})
	for list, passes := range map[string]bool{`,"tests":[]`: false, `,"tests":null`: false, ``: true} {
		message := `{"version":1,"outcome":"Succeeded"` + list + `}`
		if readable := ReadableTests(message, theirs); (readable != nil) != passes {
			t.Errorf("%s: the publisher gets %+v", list, readable)
		}
		if found := ParseTests(WithFindings(message, `{}`, "localhost/a", nil), 0, theirs, Policy{}); (found.Failure == nil) != passes {
			t.Errorf("%s: got %+v", list, found)
		}
	}
}

// Users who can change a pod can tell its publisher another result.
func TestAPublisherThatReadAnotherResultOfTestsHasMovedNoTag(t *testing.T) {
	passed, failed := tested(v1alpha1.TestPassed), tested(v1alpha1.TestFailed)
	checked, tags := checkedTests(t, passed)
	denied := findings{Check: &Check{NotPublished: &NotPublished{Reason: v1alpha1.ReasonRegistryDenied, Message: "no"}}}
	for name, test := range map[string]struct {
		message, publisher string
		reason             v1alpha1.FailureReason
		says               string
	}{
		"the result":                  {passed, findingsOf(t, checked), "", ""},
		"another outcome":             {failed, findingsOf(t, checked), v1alpha1.ReasonArtifactNotStored, notTheResult},
		"an invalid result":           {strings.Replace(passed, `"name":"b"`, `"name":"c"`, 1), findingsOf(t, checked), v1alpha1.ReasonInvalidResult, `no result of test "b"`},
		"tests in another order":      {strings.NewReplacer(`"name":"b"`, `"name":"a"`, `"name":"a"`, `"name":"b"`).Replace(passed), findingsOf(t, checked), v1alpha1.ReasonArtifactNotStored, notTheResult},
		"another file of the report":  {strings.Replace(passed, "junit.xml", "other.xml", 1), findingsOf(t, checked), v1alpha1.ReasonArtifactNotStored, notTheResult},
		"a result that is not read":   {passed, findingsOf(t, nil), v1alpha1.ReasonArtifactNotStored, notTheResult},
		"a result that tells of tags": {strings.Replace(passed, `"version":1`, `"version":1,"tagged":{"linux/amd64/raw":"v1"},"check":{}`, 1), findingsOf(t, nil), v1alpha1.ReasonArtifactNotStored, notTheResult},
		"no message":                  {passed, "", v1alpha1.ReasonArtifactNotStored, `the publisher ended with a message that cannot be read: ""`},
		"a failure":                   {passed, string(require.Value(json.Marshal(denied))(t)), v1alpha1.ReasonRegistryDenied, "no"},
	} {
		t.Run(name, func(t *testing.T) {
			found := ParseTests(WithFindings(test.message, test.publisher, "localhost/a", tags), 0, aAndB(nil), Policy{Checked: true})
			if failed := found.Failure; (failed != nil) != (test.reason != "") || failed != nil && (failed.Reason != test.reason || !strings.Contains(failed.Message, test.says)) ||
				(found.Tagged != nil && found.Report != nil) != (test.reason == "") {
				t.Errorf("%+v, %+v", found, failed)
			}
		})
	}
}

// The publisher and the controller agree which results are valid.
func TestResultsOfTestsAreReadIfTheyAreValid(t *testing.T) {
	passed := tested(v1alpha1.TestError)
	for name, test := range map[string]struct {
		message   string
		readable  bool
		notPassed []string
	}{
		"a result of each test":   {passed, true, []string{"b", "c"}},
		"no results of tests":     {`{"version":1,"outcome":"Succeeded"}`, true, []string{"c"}},
		"a failure of the runner": {`{"version":1,"outcome":"Failed"}`, false, nil},
		"a test without a result": {strings.Replace(passed, `{"name":"a","outcome":"Passed"},`, "", 1), false, nil},
		"no JSON":                 {"{", false, nil},
	} {
		t.Run(name, func(t *testing.T) {
			message := strings.Replace(test.message, `"version":1`, `"version":1,"tagged":{"a":"b"},"check":{}`, 1)
			for _, runner := range []*v1alpha1.TestRunner{nil, {Name: "ours"}} {
				tests := aAndB(runner)
				read := ReadableTests(message, tests)
				if readable := test.readable && (runner != nil || name != "no results of tests"); (read != nil) != readable || readable != (ParseTests(message, 0, tests, Policy{Checked: true}).Failure == nil) && name != "a failure of the runner" {
					t.Fatalf("got %+v for %v", read, runner)
				}
				if read == nil {
					continue
				}
				if failed := read.NotPassed(tests, []string{"a", "b", "c"}); !slices.Equal(failed, test.notPassed) || read.Tagged != nil || read.Check != nil || read.Report != nil && read.Report.Verified != "" {
					t.Errorf("%v have not passed, %+v", failed, read)
				}
			}
		})
	}
	if failed := (&Result{Tests: []Test{{Name: "a", Outcome: v1alpha1.TestPassed}}}).NotPassed(aAndB(nil), []string{"a"}); len(failed) != 1 {
		t.Error("a test of an invalid result has passed")
	}
}
