// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	openapispec "k8s.io/kube-openapi/pkg/validation/spec"

	"goldsmith.dev/goldsmith/apis/generated/openapi"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/install"
	"goldsmith.dev/goldsmith/apiserver/registry/validation"
	"goldsmith.dev/goldsmith/apiserver/registry/validation/validationtest"
	"goldsmith.dev/goldsmith/apiserver/resources"
	"goldsmith.dev/goldsmith/e2e/require"
)

// TestPhaseTable holds the table of the documentation against every pair of phases.
func TestPhaseTable(t *testing.T) {
	table := map[v1alpha1.BuildPhase]string{
		"Pending":    "Pending Queued Starting Testing Failed Cancelled",
		"Queued":     "Queued Starting Testing Failed Cancelled",
		"Starting":   "Starting Running Queued Testing Succeeded Failed Retrying Cancelling Cancelled",
		"Running":    "Running Queued Testing Succeeded Failed Retrying Cancelling Cancelled",
		"Retrying":   "Retrying Starting Failed Cancelled",
		"Testing":    "Testing Succeeded Failed Cancelling Cancelled",
		"Cancelling": "Cancelling Cancelled Succeeded",
		"Succeeded":  "Succeeded", // only without another change, or of the conditions in afterwards
		"Failed":     "Failed",
		"Cancelled":  "Cancelled",
	}
	for from, allowed := range table {
		for to := range table {
			legal := slices.Contains(strings.Fields(allowed), string(to))
			old, build := testedBuild(), testedBuild()
			if to == v1alpha1.BuildTesting && (from == v1alpha1.BuildPending || from == v1alpha1.BuildQueued) {
				build.Spec.Retests = &v1alpha1.TestedBuild{Artifacts: validationtest.Artifacts()}
			}
			old.Status = statusIn(from)
			old.Status.Tests = testsOf(&old.Status)
			build.Status = old.Status
			if from != to {
				build.Status = statusAfter(&old.Status, to)
				build.Status.Tests = testsOf(&build.Status)
			}
			if build.Spec.Retests != nil {
				build.Status.Attempts, build.Status.CurrentAttempt = nil, 0
			}
			errs := ValidateStatusUpdate(build, old)
			if legal && len(errs) > 0 {
				t.Errorf("%s to %s is refused: %v", from, to, errs)
			}
			if !legal && (len(errs) != 1 || errs[0].Field != "status.phase" || !strings.Contains(errs[0].Detail, fmt.Sprintf("from %s to %s", from, to))) {
				t.Errorf("%s to %s: %v, want it refused at status.phase", from, to, errs)
			}
		}
		for _, unknown := range []v1alpha1.BuildPhase{"", "Resting"} {
			old, build := validationtest.ImageBuild(), validationtest.ImageBuild()
			old.Status.Phase, build.Status.Phase = from, unknown
			if errs := ValidateStatusUpdate(build, old); len(errs) == 0 || errs[0].Field != "status.phase" {
				t.Errorf("%s to %q: %v, want it refused at status.phase", from, unknown, errs)
			}
		}
	}
}

// testedBuild returns a build with a test that does not gate.
func testedBuild() *v1alpha1.ImageBuild {
	build := validationtest.ImageBuild()
	build.Spec.Tests = []v1alpha1.ImageTest{{Name: "boots", Boot: &v1alpha1.TestBoot{}, Required: new(false)}}
	return build
}

// testsOf returns the results that a status of testedBuild must have.
func testsOf(status *v1alpha1.ImageBuildStatus) []v1alpha1.TestStatus {
	if status.Artifacts == nil {
		return nil
	}
	return []v1alpha1.TestStatus{{Name: "boots", Target: "linux/amd64/raw", Outcome: v1alpha1.TestError}}
}

// statusIn is a status that is valid in a phase.
func statusIn(phase v1alpha1.BuildPhase) v1alpha1.ImageBuildStatus {
	return statusAfter(&v1alpha1.ImageBuildStatus{}, phase)
}

// statusAfter is a status that is valid in a phase. Apart from the phase, a build may have the status after any earlier
// status.
func statusAfter(before *v1alpha1.ImageBuildStatus, phase v1alpha1.BuildPhase) v1alpha1.ImageBuildStatus {
	now := metav1.Unix(1, 0)
	after := *before.DeepCopy()
	after.Phase, after.Finished, after.StartTime = phase, phase.Finished(), &now
	last := len(after.Attempts) - 1
	if (phase.Active() || phase == v1alpha1.BuildSucceeded) && (last < 0 || after.Attempts[last].Outcome != "") {
		after.CurrentAttempt++
		after.Attempts = append(after.Attempts, v1alpha1.BuildAttempt{Number: after.CurrentAttempt, JobName: "job", StartTime: now})
		last++
	}
	outcomes := map[v1alpha1.BuildPhase]v1alpha1.AttemptOutcome{
		"Retrying": v1alpha1.AttemptFailed, "Failed": v1alpha1.AttemptFailed,
		"Succeeded": v1alpha1.AttemptSucceeded, "Cancelled": v1alpha1.AttemptCancelled, "Testing": v1alpha1.AttemptSucceeded,
	}
	if outcome := outcomes[phase]; outcome != "" && last >= 0 && after.Attempts[last].Outcome == "" {
		after.Attempts[last].Outcome, after.Attempts[last].CompletionTime = outcome, &now
		if outcome == v1alpha1.AttemptFailed {
			after.Attempts[last].Failure = failure()
		}
	}
	if phase.Finished() {
		after.CompletionTime = &now
	}
	switch phase {
	case v1alpha1.BuildSucceeded, v1alpha1.BuildTesting:
		after.Artifacts = validationtest.Artifacts()
	case v1alpha1.BuildFailed:
		after.Failure = failure()
	case v1alpha1.BuildCancelled:
		after.Failure = cancelled()
	}
	return after
}

func TestWhatAPhaseSpeaksOfIsThere(t *testing.T) {
	const attempts, outcome = "status.attempts", "status.attempts[0].outcome"
	now := metav1.Unix(1, 0)
	for phase, test := range map[v1alpha1.BuildPhase]struct {
		without  []string                             // what is missing without attempts
		outcomes map[v1alpha1.AttemptOutcome][]string // what is wrong if the last attempt ended that way
	}{
		"Pending":    {nil, map[v1alpha1.AttemptOutcome][]string{"": nil}},
		"Queued":     {nil, map[v1alpha1.AttemptOutcome][]string{"": nil}},
		"Starting":   {[]string{attempts}, map[v1alpha1.AttemptOutcome][]string{"": nil, "Failed": {outcome}, "Succeeded": {outcome}, "Cancelled": {outcome}}},
		"Running":    {[]string{attempts}, map[v1alpha1.AttemptOutcome][]string{"": nil, "Disrupted": {outcome}, "Succeeded": {outcome}, "Cancelled": {outcome}}},
		"Testing":    {[]string{attempts}, map[v1alpha1.AttemptOutcome][]string{"": {attempts}, "Failed": {attempts}, "Succeeded": nil, "Cancelled": {outcome, attempts}}},
		"Cancelling": {[]string{attempts}, map[v1alpha1.AttemptOutcome][]string{"": nil, "Failed": {outcome}, "Succeeded": {outcome}, "Cancelled": {outcome}}},
		"Retrying":   {[]string{attempts}, map[v1alpha1.AttemptOutcome][]string{"": {outcome}, "Failed": nil, "Disrupted": nil, "Succeeded": {outcome}, "Cancelled": {outcome}}},
		"Succeeded":  {[]string{attempts}, map[v1alpha1.AttemptOutcome][]string{"": {outcome}, "Failed": {outcome}, "Succeeded": nil}},
		"Failed":     {nil, map[v1alpha1.AttemptOutcome][]string{"": {outcome}, "Failed": nil, "Disrupted": nil}},
		"Cancelled":  {nil, map[v1alpha1.AttemptOutcome][]string{"": {outcome}, "Failed": nil, "Cancelled": nil}},
	} {
		t.Run(string(phase), func(t *testing.T) {
			old, build := testedBuild(), testedBuild()
			old.Status.Phase = phase
			if phase.Finished() {
				old.Status.Phase = v1alpha1.BuildStarting
			}
			build.Status = statusIn(phase)
			build.Status.Tests = testsOf(&build.Status)
			build.Status.Attempts, build.Status.CurrentAttempt = nil, 0
			validationtest.ExpectPaths(t, ValidateStatusUpdate(build, old), test.without)

			for outcome, want := range test.outcomes {
				attempt := v1alpha1.BuildAttempt{Number: 1, JobName: "job", StartTime: now, Outcome: outcome}
				if outcome != "" {
					attempt.CompletionTime, attempt.Failure = &now, failure()
				}
				build.Status.Attempts, build.Status.CurrentAttempt = []v1alpha1.BuildAttempt{attempt}, 1
				validationtest.ExpectPaths(t, ValidateStatusUpdate(build, old), want)
			}
		})
	}
}

func runningStatus() v1alpha1.ImageBuildStatus {
	now := metav1.Unix(1, 0)
	return v1alpha1.ImageBuildStatus{
		Phase: v1alpha1.BuildRunning, CurrentAttempt: 2, Resolved: &v1alpha1.ResolvedInputs{InputsDigest: validationtest.Digest("a")},
		Attempts: []v1alpha1.BuildAttempt{
			{Number: 1, JobName: "job-1", StartTime: now, CompletionTime: &now, Outcome: v1alpha1.AttemptDisrupted, Failure: failure()},
			{Number: 2, JobName: "job-2", JobUID: "j", PodName: "p", PodUID: "q", BuilderImage: "b", StartTime: now},
		},
	}
}

// example changes a running status, and lists the fields that are then invalid.
type example struct {
	change func(*v1alpha1.ImageBuildStatus)
	want   []string
}

func statusExamples() map[string]example {
	now := metav1.Unix(1, 0)
	end := func(s *v1alpha1.ImageBuildStatus, phase v1alpha1.BuildPhase) { *s = statusAfter(s, phase) }
	attempt := func(n int) string { return fmt.Sprintf("status.attempts[%d]", n) }
	return map[string]example{
		"nothing":              {func(*v1alpha1.ImageBuildStatus) {}, nil},
		"success":              {func(s *v1alpha1.ImageBuildStatus) { end(s, v1alpha1.BuildSucceeded) }, nil},
		"failure":              {func(s *v1alpha1.ImageBuildStatus) { end(s, v1alpha1.BuildFailed) }, nil},
		"cancellation":         {func(s *v1alpha1.ImageBuildStatus) { end(s, v1alpha1.BuildCancelled) }, nil},
		"an unexplained end":   {func(s *v1alpha1.ImageBuildStatus) { end(s, v1alpha1.BuildFailed); s.Failure = nil }, []string{"status.failure"}},
		"an unexplained stop":  {func(s *v1alpha1.ImageBuildStatus) { end(s, v1alpha1.BuildCancelled); s.Failure = nil }, []string{"status.failure"}},
		"success with nothing": {func(s *v1alpha1.ImageBuildStatus) { end(s, v1alpha1.BuildSucceeded); s.Artifacts = nil }, []string{"status.artifacts"}},
		"success at once":      {func(s *v1alpha1.ImageBuildStatus) { end(s, v1alpha1.BuildSucceeded); s.StartTime = nil }, []string{"status.startTime"}},
		"success without end":  {func(s *v1alpha1.ImageBuildStatus) { end(s, v1alpha1.BuildSucceeded); s.CompletionTime = &metav1.Time{} }, []string{"status.completionTime"}},
		"an explained success": {func(s *v1alpha1.ImageBuildStatus) { end(s, v1alpha1.BuildSucceeded); s.Failure = failure() }, []string{"status.failure"}},
		"artifacts of failure": {func(s *v1alpha1.ImageBuildStatus) {
			end(s, v1alpha1.BuildFailed)
			s.Artifacts = validationtest.Artifacts()
		}, []string{"status.artifacts"}},
		"an endless end": {func(s *v1alpha1.ImageBuildStatus) { end(s, v1alpha1.BuildCancelled); s.CompletionTime = nil }, []string{"status.completionTime"}},
		"an early end":   {func(s *v1alpha1.ImageBuildStatus) { s.CompletionTime = &now }, []string{"status.completionTime"}},
		"an attempt that goes on after the end": {
			func(s *v1alpha1.ImageBuildStatus) {
				s.Phase, s.CompletionTime, s.Failure = v1alpha1.BuildCancelled, &now, cancelled()
			},
			[]string{attempt(1) + ".outcome"},
		},
		"another digest":  {func(s *v1alpha1.ImageBuildStatus) { s.Resolved.InputsDigest = validationtest.Digest("b") }, []string{"status.resolved"}},
		"an attempt less": {func(s *v1alpha1.ImageBuildStatus) { s.Attempts, s.CurrentAttempt = nil, 0 }, []string{"status.attempts"}},
		"an attempt more": {func(s *v1alpha1.ImageBuildStatus) {
			s.Attempts, s.CurrentAttempt = append(s.Attempts, v1alpha1.BuildAttempt{Number: 3, JobName: "x", StartTime: now}), 3
		}, []string{attempt(2)}},
		"an old attempt":     {func(s *v1alpha1.ImageBuildStatus) { s.Attempts[0].NodeName = "n" }, []string{attempt(0)}},
		"another Job's name": {func(s *v1alpha1.ImageBuildStatus) { s.Attempts[1].JobName = "x" }, []string{attempt(1) + ".jobName"}},
		"another Job":        {func(s *v1alpha1.ImageBuildStatus) { s.Attempts[1].JobUID = "x" }, []string{attempt(1) + ".jobUID"}},
		"another pod":        {func(s *v1alpha1.ImageBuildStatus) { s.Attempts[1].PodName, s.Attempts[1].PodUID = "x", "x" }, []string{attempt(1) + ".podName", attempt(1) + ".podUID"}},
		"another builder":    {func(s *v1alpha1.ImageBuildStatus) { s.Attempts[1].BuilderImage = "x" }, []string{attempt(1) + ".builderImage"}},
		"a pod less":         {func(s *v1alpha1.ImageBuildStatus) { s.Attempts[1].PodName, s.Attempts[1].PodUID = "", "" }, []string{attempt(1) + ".podName", attempt(1) + ".podUID"}},
		"a suspension": {func(s *v1alpha1.ImageBuildStatus) {
			s.Phase, s.Attempts[1].PodName, s.Attempts[1].PodUID = v1alpha1.BuildQueued, "", ""
		}, nil},
		"another pod while suspended": {func(s *v1alpha1.ImageBuildStatus) {
			s.Phase, s.Attempts[1].PodName, s.Attempts[1].PodUID = v1alpha1.BuildQueued, "x", "x"
		}, []string{attempt(1) + ".podName", attempt(1) + ".podUID"}},
		"another Job after a suspension": {func(s *v1alpha1.ImageBuildStatus) {
			s.Phase, s.Attempts[1].JobUID, s.Attempts[1].PodName, s.Attempts[1].PodUID = v1alpha1.BuildQueued, "x", "", ""
		}, []string{attempt(1) + ".jobUID"}},
		"another base's digest":  {func(s *v1alpha1.ImageBuildStatus) { s.Resolved.BaseDigest = validationtest.Digest("b") }, []string{"status.resolved"}},
		"a pod without UID":      {func(s *v1alpha1.ImageBuildStatus) { s.Attempts[1].PodUID = "" }, []string{attempt(1) + ".podUID"}},
		"another number":         {func(s *v1alpha1.ImageBuildStatus) { s.Attempts[1].Number = 3 }, []string{attempt(1) + ".number"}},
		"another current one":    {func(s *v1alpha1.ImageBuildStatus) { s.CurrentAttempt = 1 }, []string{"status.currentAttempt"}},
		"an unknown outcome":     {func(s *v1alpha1.ImageBuildStatus) { s.Attempts[1].Outcome, s.Attempts[1].CompletionTime = "Lost", &now }, []string{attempt(1) + ".outcome"}},
		"an outcome at no time":  {func(s *v1alpha1.ImageBuildStatus) { end(s, v1alpha1.BuildRetrying); s.Attempts[1].CompletionTime = nil }, []string{attempt(1) + ".completionTime"}},
		"an unexplained outcome": {func(s *v1alpha1.ImageBuildStatus) { end(s, v1alpha1.BuildRetrying); s.Attempts[1].Failure = nil }, []string{attempt(1) + ".failure"}},
		"an unexplained disruption": {func(s *v1alpha1.ImageBuildStatus) {
			end(s, v1alpha1.BuildRetrying)
			s.Attempts[1].Outcome, s.Attempts[1].Failure = v1alpha1.AttemptDisrupted, nil
		}, []string{attempt(1) + ".failure"}},
		"a time of no outcome": {func(s *v1alpha1.ImageBuildStatus) { s.Attempts[1].CompletionTime = &now }, []string{attempt(1) + ".completionTime"}},
		"no start":             {func(s *v1alpha1.ImageBuildStatus) { s.Attempts[1].StartTime = metav1.Time{} }, []string{attempt(1) + ".startTime"}},
		"a class of its own": {func(s *v1alpha1.ImageBuildStatus) {
			s.Attempts[1].Failure = &v1alpha1.BuildFailure{Class: "Weather", Reason: "Rain"}
		}, []string{attempt(1) + ".failure.reason"}},
		"a reason of its own": {func(s *v1alpha1.ImageBuildStatus) {
			s.Attempts[1].Failure = &v1alpha1.BuildFailure{Class: "User", Reason: "Rain"}
		}, []string{attempt(1) + ".failure.reason"}},
		"another class's reason": {func(s *v1alpha1.ImageBuildStatus) {
			s.Attempts[1].Failure = &v1alpha1.BuildFailure{Class: "User", Reason: "NoResult"}
		}, []string{attempt(1) + ".failure.class"}},
		"a long log": {func(s *v1alpha1.ImageBuildStatus) {
			s.Attempts[1].Failure = failure()
			s.Attempts[1].Failure.LogTail = strings.Repeat("x", 2049)
		}, []string{attempt(1) + ".failure.logTail"}},
		"a malformed condition": {func(s *v1alpha1.ImageBuildStatus) {
			s.Conditions = []metav1.Condition{{Type: "X", Status: "True", LastTransitionTime: now}}
		}, []string{"status.conditions[0].reason"}},
	}
}

func TestImageBuildStatusUpdate(t *testing.T) {
	for what, test := range statusExamples() {
		t.Run(what, func(t *testing.T) {
			old, build := validationtest.ImageBuild(), validationtest.ImageBuild()
			old.Status, build.Status = runningStatus(), runningStatus()
			test.change(&build.Status)
			validationtest.ExpectPaths(t, ValidateStatusUpdate(build, old), test.want)
		})
	}
}

// TestARuleThatTheStatusBrokeBeforeStopsNoChange adds a condition to each invalid status, which an earlier version of the server may have
// stored.
func TestARuleThatTheStatusBrokeBeforeStopsNoChange(t *testing.T) {
	scheme := runtime.NewScheme()
	require.NoError(t, install.Install(scheme))
	scope := &resources.Scope{
		Scheme: scheme, Equalities: validation.Unchanged,
		Schemas: func() map[string]*openapispec.Schema { return resources.Schemas(openapi.GetOpenAPIDefinitions) },
	}
	for what, test := range statusExamples() {
		old := validationtest.ImageBuild()
		old.Status = runningStatus()
		test.change(&old.Status)
		build := old.DeepCopy()
		build.Status.Conditions = append(build.Status.Conditions, metav1.Condition{
			Type: v1alpha1.BuildRecorded, Status: metav1.ConditionTrue, Reason: "Recorded", LastTransitionTime: metav1.Now(),
		})
		errs := scope.Ratchet(build, old, func(object runtime.Object) field.ErrorList {
			return newStatusStrategy(scheme).ValidateUpdate(t.Context(), object, old)
		})
		if len(errs) > 0 {
			t.Errorf("%s: add a condition: %v", what, errs)
		}
	}
}

func TestAttemptsAreLimited(t *testing.T) {
	now := metav1.Unix(1, 0)
	old := validationtest.ImageBuild()
	old.Status.Phase = v1alpha1.BuildRetrying
	for n := int32(1); n <= maxAttempts; n++ {
		old.Status.CurrentAttempt = n
		old.Status.Attempts = append(old.Status.Attempts, v1alpha1.BuildAttempt{
			Number: n, JobName: "job", StartTime: now, CompletionTime: &now, Outcome: v1alpha1.AttemptFailed, Failure: failure(),
		})
	}
	validationtest.ExpectPaths(t, ValidateStatusUpdate(old, old), nil)
	build := old.DeepCopy()
	build.Status.Phase, build.Status.CurrentAttempt = v1alpha1.BuildStarting, maxAttempts+1
	build.Status.Attempts = append(build.Status.Attempts, v1alpha1.BuildAttempt{Number: maxAttempts + 1, JobName: "job", StartTime: now})
	validationtest.ExpectPaths(t, ValidateStatusUpdate(build, old), []string{"status.attempts"})
}

func TestAFinalStatusStays(t *testing.T) {
	for _, phase := range []v1alpha1.BuildPhase{v1alpha1.BuildSucceeded, v1alpha1.BuildFailed, v1alpha1.BuildCancelled} {
		old, build := validationtest.ImageBuild(), validationtest.ImageBuild()
		old.Status, build.Status = statusIn(phase), statusIn(phase)
		build.Status.Conditions = []metav1.Condition{
			{Type: "LogArchived", Status: "True", Reason: "Archived", LastTransitionTime: metav1.Now()},
			{Type: "Recorded", Status: "True", Reason: "Recorded", LastTransitionTime: metav1.Now()},
			{Type: "Reproduced", Status: "True", Reason: "SameContent", LastTransitionTime: metav1.Now()},
		}
		validationtest.ExpectPaths(t, ValidateStatusUpdate(build, old), nil)
		build.Status.Conditions[0].Type = "Finished"
		validationtest.ExpectPaths(t, ValidateStatusUpdate(build, old), []string{"status"})
	}
}

func cancelled() *v1alpha1.BuildFailure {
	return &v1alpha1.BuildFailure{Class: v1alpha1.FailureCancelled, Reason: v1alpha1.ReasonCancelRequested}
}

func failure() *v1alpha1.BuildFailure {
	return &v1alpha1.BuildFailure{Class: v1alpha1.FailureInfrastructure, Reason: v1alpha1.ReasonEvicted}
}
