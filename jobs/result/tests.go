// SPDX-License-Identifier: Apache-2.0

package result

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// MediaTypeJUnit is the media type of a report about tests.
const MediaTypeJUnit = "application/vnd.junit+xml"

// MaxTestMessage is the maximum length of the message about a test, in bytes.
const MaxTestMessage = 512

// Test is the result of a test.
type Test struct {
	// Name is the name of the test.
	Name string `json:"name"`
	// Outcome is Passed, Flaky, Failed or Error.
	Outcome v1alpha1.TestOutcome `json:"outcome"`
	// Class is, of an Error, Infrastructure or Config. Errors of the class Infrastructure are repeated. Defaults to Infrastructure.
	Class v1alpha1.FailureClass `json:"class,omitempty"`
	// Runs is how often the test ran. Defaults to 1.
	Runs int32 `json:"runs,omitempty"`
	// Milliseconds is how long it ran, all runs together.
	Milliseconds int64 `json:"milliseconds,omitempty"`
	// Passed is the number of checks of the last run that passed.
	Passed int32 `json:"passed,omitempty"`
	// Failed is the number of those that failed.
	Failed int32 `json:"failed,omitempty"`
	// Message tells why the test did not pass. At most MaxTestMessage; the rest is cut.
	Message string `json:"message,omitempty"`
}

// Tests are the results of tests. Nil means that a runner leaves them out. A list without results, or null, means that no test ran.
type Tests []Test

// UnmarshalJSON reads null as an empty list.
func (t *Tests) UnmarshalJSON(list []byte) error {
	tests := []Test{}
	err := json.Unmarshal(list, &tests)
	if tests == nil {
		tests = []Test{}
	}
	*t = tests
	return err //nolint:wrapcheck // of the same document
}

// TestsOutcome is the outcome of a runner: either results, one for each test and in their order, or a failure of the runner.
type TestsOutcome struct {
	Tests []Test
	// Report is the report about the tests that Goldsmith keeps. Nil if there is none.
	Report *v1alpha1.ArtifactDocument
	// Tagged are the tags that Goldsmith moved after the tests had passed, by target.
	Tagged map[string]string
	// Failure is why nothing is known about the tests.
	Failure *v1alpha1.BuildFailure
}

// ParseTests judges a runner that has ended by its message and its exit code, as Parse judges a builder. A runner that is not Goldsmith's
// own may leave out the results: then its tests have passed if it succeeded, and failed if it reported a failure of the image, or ended with
// an exit code from 1 to 127 and without a result.
func ParseTests(message string, exitCode int32, tests []v1alpha1.ImageTest, policy Policy) TestsOutcome {
	own := isOwn(tests)
	notRun := func(reason v1alpha1.FailureReason, fault string) TestsOutcome {
		return TestsOutcome{Failure: failure(exitCode, reason, v1alpha1.CutMessage(fmt.Sprintf("%s: the runner ended with %s", fault, exitText(exitCode))))}
	}
	if strings.TrimSpace(message) == "" {
		switch {
		case exitCode == 0:
			return notRun(v1alpha1.ReasonNoResult, "no result")
		case own || exitCode > lastOwnExit || exitCode == ExitTempFail:
			return notRun(v1alpha1.ReasonTestMachineFailed, "no result")
		}
		return all(tests, v1alpha1.TestFailed, "the runner ended with "+exitText(exitCode))
	}
	limit := MaxBytes
	if policy.Checked {
		limit = maxCheckedBytes
	}
	result, err := decode(message, limit)
	if err != nil {
		return notRun(v1alpha1.ReasonInvalidResult, "invalid result: "+err.Error())
	}
	if result.Outcome == OutcomeFailed {
		failed := judgeFailure(exitCode, result.Failure, result.unknown)
		if failed.Reason == v1alpha1.ReasonBuilderFailed && !own {
			return all(tests, v1alpha1.TestFailed, failed.Message)
		}
		if failed.Reason != v1alpha1.ReasonBuilderMisconfigured {
			failed = failure(exitCode, v1alpha1.ReasonTestMachineFailed, failed.Message)
		}
		return TestsOutcome{Failure: failed}
	}
	if exitCode != 0 {
		return notRun(v1alpha1.ReasonInvalidResult, "outcome is Succeeded, but exit code is not 0")
	}
	found := TestsOutcome{}
	if found.Tests, err = result.results(tests); err != nil {
		return notRun(v1alpha1.ReasonInvalidResult, "invalid result: "+err.Error())
	}
	if !policy.Checked || result.Check == nil { // an agent that read no file passes it on as it was
		return found
	}
	switch check := result.Check; {
	case check.NotStored != "":
		return TestsOutcome{Failure: failure(exitCode, v1alpha1.ReasonArtifactNotStored, check.NotStored)}
	case check.NotPublished != nil:
		return TestsOutcome{Failure: failure(exitCode, check.NotPublished.Reason, check.NotPublished.Message)}
	case check.NotAttested != nil:
		return TestsOutcome{Failure: check.NotAttested.failure(exitCode)}
	}
	found.Tagged = result.Tagged
	if result.Report != nil && result.Report.Verified != "" {
		found.Report = documentOf(v1alpha1.DocumentTestReport, result.Report)
		if own {
			found.Report.MadeBy = v1alpha1.DocumentMadeByGoldsmith
		}
	}
	return found
}

// ReadableTests returns the result in the message of a runner that ended with exit code 0, so that its report can be read, and tags be moved: a success
// with the results of the tests. What Goldsmith found about them is empty. For any other message it returns nil, and ParseTests returns a failure.
func ReadableTests(message string, tests []v1alpha1.ImageTest) *Result {
	result, err := decode(message, MaxBytes)
	if err != nil || result.Outcome != OutcomeSucceeded {
		return nil
	}
	if _, err := result.results(tests); err != nil {
		return nil
	}
	result.forgetCheck()
	return result
}

// NotPassed returns the names of those of the tests that have not passed, among some names. Tests without valid results have not passed.
func (r *Result) NotPassed(tests []v1alpha1.ImageTest, names []string) (failed []string) {
	results, _ := r.results(tests)
	for _, name := range names {
		if !slices.ContainsFunc(results, func(test Test) bool { return test.Name == name && test.Outcome.Passed() }) {
			failed = append(failed, name)
		}
	}
	return failed
}

// isOwn reports whether Goldsmith's own runner runs tests.
func isOwn(tests []v1alpha1.ImageTest) bool { return len(tests) > 0 && tests[0].Runner == nil }

// results returns the results of the tests of a success, in the order of the tests.
func (r *Result) results(tests []v1alpha1.ImageTest) ([]Test, error) {
	if err := r.checkBuild(); err != nil {
		return nil, err
	}
	if r.Tests == nil && !isOwn(tests) {
		return all(tests, v1alpha1.TestPassed, "").Tests, nil
	}
	return r.orderedTests(tests)
}

// lastOwnExit is the largest exit code with which a program ends by itself.
const lastOwnExit = 127

// all returns the same result of all tests.
func all(tests []v1alpha1.ImageTest, outcome v1alpha1.TestOutcome, message string) TestsOutcome {
	found := TestsOutcome{}
	for i := range tests {
		found.Tests = append(found.Tests, Test{Name: tests[i].Name, Outcome: outcome, Runs: 1, Message: cutTestMessage(message)})
	}
	return found
}

// orderedTests returns the results in the order of the tests, of which each has one.
func (r *Result) orderedTests(tests []v1alpha1.ImageTest) ([]Test, error) {
	known := map[string]*Test{}
	for i := range r.Tests {
		test := &r.Tests[i]
		switch {
		case known[test.Name] != nil:
			return nil, fmt.Errorf("two results of test %q", test.Name)
		case !test.Outcome.Passed() && test.Outcome != v1alpha1.TestFailed && test.Outcome != v1alpha1.TestError:
			return nil, fmt.Errorf("outcome of test %q is %q, must be Passed, Flaky, Failed or Error", test.Name, test.Outcome)
		case test.Runs < 0 || test.Milliseconds < 0 || test.Passed < 0 || test.Failed < 0:
			return nil, fmt.Errorf("a number of test %q is negative", test.Name)
		}
		known[test.Name] = test
	}
	ordered := make([]Test, len(tests))
	for i := range tests {
		test := known[tests[i].Name]
		if test == nil {
			return nil, fmt.Errorf("no result of test %q", tests[i].Name)
		}
		ordered[i] = *test
		ordered[i].Runs = max(1, test.Runs)
		ordered[i].Message = cutTestMessage(test.Message)
	}
	if len(known) > len(tests) {
		return nil, fmt.Errorf("results of %d tests, of which %d were to be run", len(known), len(tests))
	}
	return ordered, nil
}

// cutTestMessage returns a message that fits in the status of a test.
func cutTestMessage(message string) string {
	message = v1alpha1.CutMessage(message)
	if len(message) <= MaxTestMessage {
		return message
	}
	const cut = "…"
	return strings.ToValidUTF8(message[:MaxTestMessage-len(cut)], "") + cut
}

// Failure returns why a test that did not pass prevents the success of a build.
func (t *Test) Failure() *v1alpha1.BuildFailure {
	reason := v1alpha1.ReasonTestMachineFailed
	switch {
	case t.Outcome.Passed():
		return nil
	case t.Outcome == v1alpha1.TestFailed:
		reason = v1alpha1.ReasonTestsFailed
	case t.Class == v1alpha1.FailureConfig:
		reason = v1alpha1.ReasonTestsNotPossible
	}
	return reason.Failure("test %s: %s", t.Name, cmp.Or(t.Message, "its runner gave no reason"))
}

// Fill writes the result to the status of its test.
func (t *Test) Fill(status *v1alpha1.TestStatus) {
	status.Outcome, status.Runs, status.Passed, status.Failed, status.Message = t.Outcome, t.Runs, t.Passed, t.Failed, t.Message
	status.Duration = &metav1.Duration{Duration: time.Duration(t.Milliseconds) * time.Millisecond}
}
