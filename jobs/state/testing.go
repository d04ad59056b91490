// SPDX-License-Identifier: Apache-2.0

package state

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/inputs"
	"goldsmith.dev/goldsmith/jobs/render"
	"goldsmith.dev/goldsmith/jobs/result"
)

// Tests run in attempts of their own, after the artifacts are made. All tests of one runner run in one attempt, and an attempt that is repeated
// runs only those without an outcome. The build is Testing from the end of the attempt that made the artifacts to its own end, also while an
// attempt waits. Retries and disruptions of attempts that test are counted apart from those that make artifacts.

// testing reports whether the artifacts are made, so that an attempt that goes on runs tests.
func (t *transition) testing() bool { return t.status.Phase == v1alpha1.BuildTesting }

// runsTests reports whether the current attempt runs tests.
func (t *transition) runsTests() bool {
	attempt := t.attempt()
	return attempt != nil && attempt.IsTest()
}

// enterUnlessTesting enters a phase that a build without tests has while an attempt waits or runs.
func (t *transition) enterUnlessTesting(phase v1alpha1.BuildPhase) {
	if !t.testing() {
		t.status.Phase = phase
	}
}

// beginTests records that the artifacts are made, and what is to be tested.
func (t *transition) beginTests(artifacts []v1alpha1.Artifact) {
	t.status.Phase = v1alpha1.BuildTesting
	t.status.Artifacts = artifacts
	for i := range t.Build.Spec.Tests {
		test := &t.Build.Spec.Tests[i]
		t.status.Tests = append(t.status.Tests, v1alpha1.TestStatus{
			Name: test.Name, Target: inputs.TestTarget(test, t.Build.Spec.Inputs.Targets), Gates: inputs.Gates(t.Build, test),
		})
	}
	t.condition(v1alpha1.BuildTested, metav1.ConditionUnknown, v1alpha1.ReasonTesting, "")
}

// retest begins the tests of a build that makes no artifacts, because it tests those of another build.
func (t *transition) retest() {
	t.condition(v1alpha1.BuildAdmitted, metav1.ConditionTrue, v1alpha1.ReasonAdmitted, "")
	t.unfinished()
	t.status.StartTime = t.now()
	t.beginTests(located(slices.Clone(t.Build.Spec.Retests.Artifacts), t.Build))
}

// test follows the attempt that runs tests, or starts the next one, or ends the build.
func (t *transition) test() {
	switch {
	case goesOn(t.status) && meta.IsStatusConditionFalse(t.status.Conditions, v1alpha1.BuildAdmitted):
		t.await()
		return
	case goesOn(t.status):
		t.follow()
		return
	}
	t.discard()
	switch {
	case t.action != NoAction || t.lives():
	case t.mustEnd():
		t.finishCancelled()
	case t.endRemade(t.status.Artifacts):
	case len(t.dueTests()) == 0:
		t.finishTests()
	default:
		if len(t.status.Attempts) > 0 {
			t.after = max(0, nextAttemptTime(t.Build, t.status.Attempts).Sub(t.Now))
		}
		if t.after == 0 {
			t.start(t.status.CurrentAttempt+1, t.dueTests())
		}
	}
}

// dueTests returns the tests without an outcome of one runner, those first without which the build cannot succeed.
func (t *transition) dueTests() (names []string) {
	for _, gating := range []bool{true, false} {
		runner := ""
		for i := range t.status.Tests {
			status := &t.status.Tests[i]
			test := inputs.FindTest(t.Build.Spec.Tests, status.Name)
			if status.Outcome != "" || test == nil {
				continue
			}
			if runner == "" && status.Gates == gating {
				runner = inputs.Runner(test)
			}
		}
		if runner == "" {
			continue
		}
		for i := range t.status.Tests {
			status := &t.status.Tests[i]
			if test := inputs.FindTest(t.Build.Spec.Tests, status.Name); status.Outcome == "" && test != nil && inputs.Runner(test) == runner {
				names = append(names, status.Name)
			}
		}
		return names
	}
	return nil
}

// testsOutcome returns what the runner of a pod found out. It is nil until the publisher of the pod has ended, too.
func (t *transition) testsOutcome(pod *corev1.Pod, end *corev1.ContainerStateTerminated) *result.TestsOutcome {
	message, policy := end.Message, t.Results
	if t.Build.Spec.Inputs.Output != nil && render.Publishes(pod) && end.ExitCode == 0 {
		published := publisherEnd(pod)
		if published == nil {
			return nil
		}
		if published.ExitCode != 0 {
			return &result.TestsOutcome{Failure: publisherFailed(pod, published)}
		}
		message, policy.Checked = result.WithFindings(message, published.Message, t.Build.Spec.Inputs.Output.Repository, t.tags()), true
	}
	var tests []v1alpha1.ImageTest
	for _, name := range t.attempt().Tests {
		if test := inputs.FindTest(t.Build.Spec.Tests, name); test != nil {
			tests = append(tests, *test)
		}
	}
	outcome := result.ParseTests(message, end.ExitCode, tests, policy)
	return &outcome
}

// recordTests records what a runner found out, and ends its attempt. A test that failed in a way that may be repeated has no outcome until it is
// repeated no more.
func (t *transition) recordTests(found *result.TestsOutcome) {
	worst := t.worstOf(found.Tests)
	if tags := t.tags(); worst == nil && !maps.Equal(tags, found.Tagged) {
		t.fail(v1alpha1.ReasonArtifactNotStored.Failure("the tests passed, but tags were not moved: read the log of attempt %d", t.attempt().Number))
		return
	}
	for i := range t.status.Artifacts {
		if tag := found.Tagged[t.status.Artifacts[i].Target]; tag != "" {
			t.status.Artifacts[i].Tag = tag
		}
	}
	outcome := v1alpha1.AttemptSucceeded
	if worst != nil {
		outcome = v1alpha1.AttemptFailed
	}
	t.condition(v1alpha1.BuildPodReady, metav1.ConditionTrue, v1alpha1.ReasonContainerStarted, "")
	t.endAttempt(outcome, worst)
	again := worst != nil && retryAllowed(t.Build.Spec.Retry, t.status.Attempts)
	if report := found.Report; report != nil {
		locate(&report.Location, report.Verified, report.Digest, t.Build)
	}
	for i := range found.Tests {
		status := t.testStatus(found.Tests[i].Name)
		if status == nil {
			continue
		}
		found.Tests[i].Fill(status)
		status.Attempt, status.Report = t.attempt().Number, found.Report.DeepCopy()
		if again && status.Gates && !status.Outcome.Passed() {
			status.Outcome = ""
		}
	}
	t.afterTests(again, worst)
}

// worstOf returns why tests prevent the success of the build: that one failed counts more than that nothing is known about another.
func (t *transition) worstOf(tests []result.Test) *v1alpha1.BuildFailure {
	var unknown *v1alpha1.BuildFailure
	for i := range tests {
		status, failure := t.testStatus(tests[i].Name), tests[i].Failure()
		switch {
		case status == nil || !status.Gates || failure == nil:
		case failure.Class == v1alpha1.FailureTest:
			return failure
		case unknown == nil || unknown.Class == v1alpha1.FailureInfrastructure:
			unknown = failure
		}
	}
	return unknown
}

// failTests ends an attempt whose runner found out nothing.
func (t *transition) failTests(outcome v1alpha1.AttemptOutcome, f *v1alpha1.BuildFailure) {
	if f.Reason == v1alpha1.ReasonBuilderNotFound {
		f = inputs.NoRunner(t.attempt().Tests[0], f)
	}
	t.endAttempt(outcome, f)
	again := retryAllowed(t.Build.Spec.Retry, t.status.Attempts)
	for _, name := range t.attempt().Tests {
		if status := t.testStatus(name); status != nil {
			status.Attempt, status.Message = t.attempt().Number, f.Message
			if !again {
				status.Outcome = v1alpha1.TestError
			}
		}
	}
	t.afterTests(again, f)
}

// afterTests goes on after an attempt that ran tests: it waits for the next attempt, or ends the build.
func (t *transition) afterTests(again bool, f *v1alpha1.BuildFailure) {
	switch {
	case again:
		t.backOff(f)
	case len(t.dueTests()) == 0:
		t.finishTests()
	}
}

// finishTests ends a build whose tests have ended.
func (t *transition) finishTests() {
	var failed *v1alpha1.BuildFailure
	var wrong, optional []string
	for i := range t.status.Tests {
		status := &t.status.Tests[i]
		switch {
		case status.Outcome.Passed():
		case !status.Gates:
			optional = append(optional, fmt.Sprintf("%s: %s", status.Name, status.Message))
		case status.Outcome == v1alpha1.TestFailed:
			wrong = append(wrong, fmt.Sprintf("%s: %s", status.Name, status.Message))
		case failed == nil:
			failed = t.lastTestFailure()
		}
	}
	switch len(wrong) {
	case 0:
	case 1:
		failed = v1alpha1.ReasonTestsFailed.Failure("test %s", wrong[0])
	default:
		failed = v1alpha1.ReasonTestsFailed.Failure("%d tests failed, such as %s", len(wrong), wrong[0])
	}
	switch {
	case failed == nil && t.endRemade(t.status.Artifacts):
		return
	case failed == nil:
		message := ""
		if len(optional) > 0 {
			message = v1alpha1.CutMessage(fmt.Sprintf("%d tests that are not required did not pass: %s", len(optional), strings.Join(optional, "; ")))
		}
		t.condition(v1alpha1.BuildTested, metav1.ConditionTrue, v1alpha1.ReasonTestsPassed, message)
		t.inheritRevocation()
		t.finish(v1alpha1.BuildSucceeded, nil)
		return
	case failed.Class == v1alpha1.FailureTest:
		t.condition(v1alpha1.BuildTested, metav1.ConditionFalse, string(failed.Reason), seeFailure)
	default:
		t.condition(v1alpha1.BuildTested, metav1.ConditionUnknown, v1alpha1.ReasonTestsNotRun, seeFailure)
	}
	t.finish(v1alpha1.BuildFailed, failed)
}

// lastTestFailure returns the failure of the last attempt whose tests prevent the success of the build, and which failed.
func (t *transition) lastTestFailure() *v1alpha1.BuildFailure {
	for _, attempt := range slices.Backward(t.status.Attempts) {
		if attempt.Failure != nil && attempt.IsTest() && len(render.Gates(t.withStatus(), attempt.Number)) > 0 {
			return attempt.Failure.DeepCopy()
		}
	}
	return v1alpha1.ReasonTestMachineFailed.Failure("a test has no outcome: test again")
}

// withStatus returns the build with the status to be stored.
func (t *transition) withStatus() *v1alpha1.ImageBuild {
	build := *t.Build
	build.Status = *t.status
	return &build
}

// tags returns the tags that the current attempt moves if its tests pass.
func (t *transition) tags() map[string]string {
	return render.Tags(t.withStatus(), t.attempt().Number)
}

func (t *transition) testStatus(name string) *v1alpha1.TestStatus {
	at := slices.IndexFunc(t.status.Tests, func(test v1alpha1.TestStatus) bool { return test.Name == name })
	if at < 0 {
		return nil
	}
	return &t.status.Tests[at]
}

// alike returns the attempts that do the same as the last attempt: make artifacts, or test them.
func alike(attempts []v1alpha1.BuildAttempt) []v1alpha1.BuildAttempt {
	tests := attempts[len(attempts)-1].IsTest()
	return slices.DeleteFunc(slices.Clone(attempts), func(attempt v1alpha1.BuildAttempt) bool { return attempt.IsTest() != tests })
}
