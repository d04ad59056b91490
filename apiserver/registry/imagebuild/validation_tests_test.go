// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/validation/validationtest"
)

// testingBuild returns a build with a test that gates, whose attempt runs, and a test in quarantine, which has passed.
func testingBuild() *v1alpha1.ImageBuild {
	now := metav1.Unix(1, 0)
	build := validationtest.ImageBuild()
	build.CreationTimestamp = now
	build.Spec.Tests = []v1alpha1.ImageTest{
		{Name: "boots", Boot: &v1alpha1.TestBoot{}},
		{Name: "web", Runner: &v1alpha1.TestRunner{Name: "ours"}, Quarantine: &v1alpha1.TestQuarantine{Until: metav1.Unix(2, 0)}},
	}
	build.Status = v1alpha1.ImageBuildStatus{
		Phase: v1alpha1.BuildTesting, StartTime: &now, CurrentAttempt: 3, Artifacts: validationtest.Artifacts(),
		Attempts: []v1alpha1.BuildAttempt{
			{Number: 1, JobName: "job-1", StartTime: now, CompletionTime: &now, Outcome: v1alpha1.AttemptSucceeded},
			{Number: 2, JobName: "job-2", StartTime: now, CompletionTime: &now, Outcome: v1alpha1.AttemptSucceeded, Tests: []string{"web"}},
			{Number: 3, JobName: "job-3", PodName: "pod", PodUID: "pod", StartTime: now, Tests: []string{"boots"}},
		},
		Tests: []v1alpha1.TestStatus{
			{Name: "boots", Target: "linux/amd64/raw", Gates: true, Attempt: 3},
			{Name: "web", Target: "linux/amd64/raw", Outcome: v1alpha1.TestPassed, Attempt: 2, Runs: 1},
		},
	}
	return build
}

// endTests ends the attempt that runs, and the build.
func endTests(status *v1alpha1.ImageBuildStatus, phase v1alpha1.BuildPhase, outcome v1alpha1.TestOutcome) {
	now := metav1.Unix(1, 0)
	status.Phase, status.CompletionTime, status.Tests[0].Outcome = phase, &now, outcome
	status.Attempts[2].Outcome, status.Attempts[2].CompletionTime = v1alpha1.AttemptSucceeded, &now
	if phase == v1alpha1.BuildFailed {
		status.Failure = &v1alpha1.BuildFailure{Class: v1alpha1.FailureTest, Reason: v1alpha1.ReasonTestsFailed}
	}
}

func TestResultsOfTests(t *testing.T) {
	const boots, web = "status.tests[0].", "status.tests[1]."
	now := metav1.Unix(1, 0)
	failed := func(b *v1alpha1.ImageBuild) {
		attempt := &b.Status.Attempts[2]
		attempt.Outcome, attempt.CompletionTime, attempt.Failure = v1alpha1.AttemptFailed, &now, failure()
	}
	add := func(s *v1alpha1.ImageBuildStatus, tests ...string) {
		s.Attempts, s.CurrentAttempt = append(s.Attempts, v1alpha1.BuildAttempt{Number: 4, JobName: "job-4", StartTime: now, Tests: tests}), 4
	}
	for what, test := range map[string]struct {
		before func(*v1alpha1.ImageBuild)
		change func(*v1alpha1.ImageBuildStatus)
		want   []string
	}{
		"nothing":            {nil, func(*v1alpha1.ImageBuildStatus) {}, nil},
		"a success":          {nil, func(s *v1alpha1.ImageBuildStatus) { endTests(s, v1alpha1.BuildSucceeded, v1alpha1.TestPassed) }, nil},
		"a flaky success":    {nil, func(s *v1alpha1.ImageBuildStatus) { endTests(s, v1alpha1.BuildSucceeded, v1alpha1.TestFlaky) }, nil},
		"a failure":          {nil, func(s *v1alpha1.ImageBuildStatus) { endTests(s, v1alpha1.BuildFailed, v1alpha1.TestFailed) }, nil},
		"a success in spite": {nil, func(s *v1alpha1.ImageBuildStatus) { endTests(s, v1alpha1.BuildSucceeded, v1alpha1.TestFailed) }, []string{boots + "outcome"}},
		"a success of an error": {nil, func(s *v1alpha1.ImageBuildStatus) {
			endTests(s, v1alpha1.BuildSucceeded, v1alpha1.TestError)
		}, []string{boots + "outcome"}},
		"a success without a result": {func(b *v1alpha1.ImageBuild) {
			b.Spec.Tests[0].Required, b.Status.Tests[0].Gates = new(false), false
		}, func(s *v1alpha1.ImageBuildStatus) { endTests(s, v1alpha1.BuildSucceeded, "") }, []string{boots + "outcome"}},
		"a success after an attempt that does not gate": {func(b *v1alpha1.ImageBuild) {
			b.Spec.Tests[0].Required, b.Status.Tests[0].Gates = new(false), false
		}, func(s *v1alpha1.ImageBuildStatus) {
			endTests(s, v1alpha1.BuildSucceeded, v1alpha1.TestError)
			s.Attempts[2].Outcome, s.Attempts[2].Failure = v1alpha1.AttemptFailed, failure()
		}, nil},
		"a failure without artifacts": {nil, func(s *v1alpha1.ImageBuildStatus) {
			endTests(s, v1alpha1.BuildFailed, v1alpha1.TestFailed)
			s.Artifacts = nil
		}, []string{"status.artifacts", "status.tests"}},
		"a stop":             {nil, func(s *v1alpha1.ImageBuildStatus) { s.Phase = v1alpha1.BuildCancelling }, nil},
		"no artifacts":       {nil, func(s *v1alpha1.ImageBuildStatus) { s.Artifacts = nil }, []string{"status.artifacts", "status.tests"}},
		"another artifact":   {nil, func(s *v1alpha1.ImageBuildStatus) { s.Artifacts[0].Digest = validationtest.Digest("d") }, []string{"status.artifacts"}},
		"a tag":              {nil, func(s *v1alpha1.ImageBuildStatus) { s.Artifacts[0].Tag = "debian-1" }, nil},
		"a result less":      {nil, func(s *v1alpha1.ImageBuildStatus) { s.Tests = s.Tests[:1] }, []string{"status.tests"}},
		"another order":      {nil, func(s *v1alpha1.ImageBuildStatus) { s.Tests[0], s.Tests[1] = s.Tests[1], s.Tests[0] }, []string{"status.tests"}},
		"another outcome":    {nil, func(s *v1alpha1.ImageBuildStatus) { s.Tests[1].Outcome = v1alpha1.TestFailed }, []string{web + "outcome"}},
		"no outcome again":   {nil, func(s *v1alpha1.ImageBuildStatus) { s.Tests[1].Outcome = "" }, []string{web + "outcome"}},
		"another attempt":    {nil, func(s *v1alpha1.ImageBuildStatus) { s.Tests[1].Attempt = 3 }, []string{web + "attempt"}},
		"an unknown outcome": {nil, func(s *v1alpha1.ImageBuildStatus) { s.Tests[0].Outcome = "Maybe" }, []string{boots + "outcome"}},
		"another gate":       {nil, func(s *v1alpha1.ImageBuildStatus) { s.Tests[0].Gates, s.Tests[1].Gates = false, true }, []string{boots + "gates", web + "gates"}},
		"another target":     {nil, func(s *v1alpha1.ImageBuildStatus) { s.Tests[0].Target = "linux/arm64/raw" }, []string{boots + "target"}},
		"an attempt of another test": {nil, func(s *v1alpha1.ImageBuildStatus) {
			s.Tests[0].Attempt = 2
		}, []string{boots + "attempt"}},
		"no such attempt": {nil, func(s *v1alpha1.ImageBuildStatus) { s.Tests[0].Attempt = 4 }, []string{boots + "attempt"}},
		"an outcome of no attempt": {nil, func(s *v1alpha1.ImageBuildStatus) {
			s.Tests[0].Outcome, s.Tests[0].Attempt = v1alpha1.TestPassed, 0
		}, []string{boots + "attempt"}},
		"an error of no attempt": {nil, func(s *v1alpha1.ImageBuildStatus) {
			s.Tests[0].Outcome, s.Tests[0].Attempt = v1alpha1.TestError, 0
		}, nil},
		"negative counts": {nil, func(s *v1alpha1.ImageBuildStatus) {
			its := &s.Tests[0]
			its.Runs, its.Passed, its.Failed, its.Duration = -1, -1, -1, &metav1.Duration{Duration: -time.Second}
		}, []string{boots + "runs", boots + "passed", boots + "failed", boots + "duration"}},
		"a long message": {nil, func(s *v1alpha1.ImageBuildStatus) { s.Tests[0].Message = strings.Repeat("x", 513) }, []string{boots + "message"}},
		"a report": {nil, func(s *v1alpha1.ImageBuildStatus) {
			s.Tests[0].Report = &v1alpha1.ArtifactDocument{Type: v1alpha1.DocumentTestReport, Digest: validationtest.Digest("a"), MediaType: "application/vnd.junit+xml", MadeBy: "Goldsmith"}
		}, nil},
		"another document": {nil, func(s *v1alpha1.ImageBuildStatus) {
			s.Tests[0].Report = &v1alpha1.ArtifactDocument{Type: v1alpha1.DocumentSBOM, Digest: "x", MediaType: "a/b", MadeBy: "us"}
		}, []string{boots + "report.type", boots + "report.digest", boots + "report.madeBy"}},
		"an attempt of other tests": {nil, func(s *v1alpha1.ImageBuildStatus) { s.Attempts[2].Tests = []string{"web"} }, []string{"status.attempts[2].tests", boots + "attempt"}},
		"a repeated attempt":        {failed, func(s *v1alpha1.ImageBuildStatus) { add(s, "boots") }, nil},
		"an attempt that makes":     {failed, func(s *v1alpha1.ImageBuildStatus) { add(s) }, []string{"status.attempts"}},
		"an attempt of no test":     {failed, func(s *v1alpha1.ImageBuildStatus) { add(s, "login") }, []string{"status.attempts[3].tests[0]"}},
		"an attempt of a test twice": {failed, func(s *v1alpha1.ImageBuildStatus) {
			add(s, "boots", "boots")
		}, []string{"status.attempts[3].tests[1]"}},
		"a suspension": {nil, func(s *v1alpha1.ImageBuildStatus) {
			s.Attempts[2].PodName, s.Attempts[2].PodUID = "", ""
			s.Conditions = []metav1.Condition{{Type: v1alpha1.BuildAdmitted, Status: metav1.ConditionFalse, Reason: "Held", LastTransitionTime: now}}
		}, nil},
		"a pod less": {nil, func(s *v1alpha1.ImageBuildStatus) { s.Attempts[2].PodName, s.Attempts[2].PodUID = "", "" },
			[]string{"status.attempts[2].podName", "status.attempts[2].podUID"}},
		"tests that are not due": {func(b *v1alpha1.ImageBuild) {
			b.Status.Phase, b.Status.Artifacts, b.Status.Tests = v1alpha1.BuildRunning, nil, nil
			b.Status.Attempts, b.Status.CurrentAttempt = b.Status.Attempts[:1], 1
			b.Status.Attempts[0].Outcome, b.Status.Attempts[0].CompletionTime = "", nil
		}, func(s *v1alpha1.ImageBuildStatus) {
			s.Tests, s.Attempts[0].Tests = []v1alpha1.TestStatus{{Name: "boots"}, {Name: "web"}}, []string{"boots"}
		}, []string{"status.tests", "status.attempts[0].tests"}},
		"tests before artifacts are made": {func(b *v1alpha1.ImageBuild) { b.Status = v1alpha1.ImageBuildStatus{Phase: v1alpha1.BuildPending} },
			func(s *v1alpha1.ImageBuildStatus) {
				*s = testingBuild().Status
				s.Attempts, s.CurrentAttempt, s.Tests[0].Attempt, s.Tests[1] = nil, 0, 0, v1alpha1.TestStatus{Name: "web", Target: "linux/amd64/raw"}
			}, []string{"status.attempts"}},
		"tests of a build without any": {func(b *v1alpha1.ImageBuild) { b.Spec.Tests, b.Status.Tests = nil, nil }, func(*v1alpha1.ImageBuildStatus) {},
			[]string{"status.phase"}},
	} {
		t.Run(what, func(t *testing.T) {
			old := testingBuild()
			if test.before != nil {
				test.before(old)
			}
			build := old.DeepCopy()
			test.change(&build.Status)
			validationtest.ExpectPaths(t, ValidateStatusUpdate(build, old), test.want)
		})
	}
}

// TestABuildThatRetestsMakesNothing tells which statuses a build can have that tests the artifacts of another build.
func TestABuildThatRetestsMakesNothing(t *testing.T) {
	now := metav1.Unix(1, 0)
	tests := []v1alpha1.TestStatus{
		{Name: "boots", Target: "linux/amd64/raw", Gates: true}, {Name: "web", Target: "linux/amd64/raw"},
	}
	for what, test := range map[string]struct {
		before func(*v1alpha1.ImageBuild)
		status v1alpha1.ImageBuildStatus
		want   []string
	}{
		"its tests are due": {nil, v1alpha1.ImageBuildStatus{Phase: v1alpha1.BuildTesting, Artifacts: validationtest.Artifacts(), Tests: tests}, nil},
		"other artifacts": {nil, v1alpha1.ImageBuildStatus{
			Phase: v1alpha1.BuildTesting, Artifacts: []v1alpha1.Artifact{{Target: "linux/amd64/raw", Digest: validationtest.Digest("d"), MediaType: "a/b"}}, Tests: tests,
		}, []string{"status.artifacts"}},
		"an attempt that makes artifacts": {nil, v1alpha1.ImageBuildStatus{
			Phase: v1alpha1.BuildStarting, CurrentAttempt: 1, Attempts: []v1alpha1.BuildAttempt{{Number: 1, JobName: "job", StartTime: now}},
		}, []string{"status.attempts[0].tests"}},
		"nothing is to be tested": {func(b *v1alpha1.ImageBuild) { b.Spec.Tests = nil },
			v1alpha1.ImageBuildStatus{Phase: v1alpha1.BuildTesting, Artifacts: validationtest.Artifacts()}, nil},
		"a stop of nothing": {func(b *v1alpha1.ImageBuild) {
			b.Status = v1alpha1.ImageBuildStatus{Phase: v1alpha1.BuildTesting, Artifacts: validationtest.Artifacts(), Tests: tests}
		}, v1alpha1.ImageBuildStatus{Phase: v1alpha1.BuildCancelling, Artifacts: validationtest.Artifacts(), Tests: tests}, []string{"status.attempts"}},
		"a success without tests": {func(b *v1alpha1.ImageBuild) {
			b.Spec.Tests = nil
			b.Status = v1alpha1.ImageBuildStatus{Phase: v1alpha1.BuildTesting, Artifacts: validationtest.Artifacts()}
		}, v1alpha1.ImageBuildStatus{Phase: v1alpha1.BuildSucceeded, Artifacts: validationtest.Artifacts(), CompletionTime: &now}, nil},
	} {
		t.Run(what, func(t *testing.T) {
			old := testingBuild()
			old.Spec.Retests, old.Status = &v1alpha1.TestedBuild{Name: "debian-1", UID: "1", Artifacts: validationtest.Artifacts()}, v1alpha1.ImageBuildStatus{Phase: v1alpha1.BuildPending}
			if test.before != nil {
				test.before(old)
			}
			build := old.DeepCopy()
			build.Status = test.status
			validationtest.ExpectPaths(t, ValidateStatusUpdate(build, old), test.want)
		})
	}
}
