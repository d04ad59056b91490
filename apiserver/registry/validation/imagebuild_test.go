// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/validation/validationtest"
)

func TestDirectImageBuild(t *testing.T) {
	trigger := &v1alpha1.BuildTrigger{Reason: v1alpha1.TriggerManual, RequestedBy: "ada"}
	for what, test := range map[string]struct {
		change func(*v1alpha1.ImageBuild)
		want   []string
	}{
		"a build of a person":    {func(*v1alpha1.ImageBuild) {}, nil},
		"the longest name":       {func(b *v1alpha1.ImageBuild) { b.Name = strings.Repeat("a", 55) }, nil},
		"a name too long":        {func(b *v1alpha1.ImageBuild) { b.Name = strings.Repeat("a", 56) }, []string{"metadata.name"}},
		"an image":               {func(b *v1alpha1.ImageBuild) { b.Spec.ImageRef = &v1alpha1.ImageReference{} }, []string{"spec.imageRef"}},
		"a number":               {func(b *v1alpha1.ImageBuild) { b.Spec.Number = new(int64(1)) }, []string{"spec.number"}},
		"a generation":           {func(b *v1alpha1.ImageBuild) { b.Spec.ImageGeneration = new(int64(1)) }, []string{"spec.imageGeneration"}},
		"pinned inputs":          {func(b *v1alpha1.ImageBuild) { b.Spec.Pinned = &v1alpha1.PinnedInputs{} }, []string{"spec.pinned"}},
		"that it is no one-off":  {func(b *v1alpha1.ImageBuild) { b.Spec.OneOff = new(false) }, []string{"spec.oneOff"}},
		"a run policy":           {func(b *v1alpha1.ImageBuild) { b.Spec.RunPolicy = v1alpha1.RunPolicyParallel }, []string{"spec.runPolicy"}},
		"a rerun":                {func(b *v1alpha1.ImageBuild) { b.Spec.Trigger.RerunOf = "debian-1" }, []string{"spec.trigger"}},
		"its own parameters":     {func(b *v1alpha1.ImageBuild) { b.Spec.Trigger.Parameters = []v1alpha1.Parameter{{Name: "a"}} }, []string{"spec.trigger"}},
		"somebody else's origin": {func(b *v1alpha1.ImageBuild) { b.Spec.Trigger.RequestedBy = "grace" }, []string{"spec.trigger"}},
		"cancelled at birth":     {func(b *v1alpha1.ImageBuild) { b.Spec.CancelRequested = &v1alpha1.CancelRequested{} }, []string{"spec.cancelRequested"}},
	} {
		t.Run(what, func(t *testing.T) {
			build := validationtest.ImageBuild()
			build.Spec.Trigger = trigger.DeepCopy()
			test.change(build)
			validationtest.ExpectPaths(t, DirectImageBuild(build, trigger), test.want)
		})
	}
}

func TestInstantiatedImageBuild(t *testing.T) {
	build := validationtest.ImageBuild()
	validationtest.ExpectPaths(t, InstantiatedImageBuild(build), []string{"spec.imageRef", "spec.number"})
	build.Spec.ImageRef, build.Spec.Number = &v1alpha1.ImageReference{Name: "debian", UID: "1"}, new(int64(1))
	build.Name = strings.Repeat("a", 45) + "-1234567890123456"
	validationtest.ExpectPaths(t, InstantiatedImageBuild(build), nil)
	build.Spec.Number = new(int64(0))
	validationtest.ExpectPaths(t, InstantiatedImageBuild(build), []string{"spec.number"})
	build.Spec.Number, build.Spec.RunPolicy = new(int64(1)), "Random"
	validationtest.ExpectPaths(t, InstantiatedImageBuild(build), []string{"spec.runPolicy"})
}

func TestImageBuildUpdateNamesEveryChangedField(t *testing.T) {
	for path, change := range map[string]func(*v1alpha1.ImageBuildSpec){
		"spec.imageRef":          func(s *v1alpha1.ImageBuildSpec) { s.ImageRef = &v1alpha1.ImageReference{} },
		"spec.number":            func(s *v1alpha1.ImageBuildSpec) { s.Number = new(int64(1)) },
		"spec.imageGeneration":   func(s *v1alpha1.ImageBuildSpec) { s.ImageGeneration = new(int64(1)) },
		"spec.trigger":           func(s *v1alpha1.ImageBuildSpec) { s.Trigger = &v1alpha1.BuildTrigger{} },
		"spec.inputs.builder":    func(s *v1alpha1.ImageBuildSpec) { s.Inputs.Builder.Name = "x" },
		"spec.inputs.base":       func(s *v1alpha1.ImageBuildSpec) { s.Inputs.Base.Reference = "x" },
		"spec.inputs.source":     func(s *v1alpha1.ImageBuildSpec) { s.Inputs.Source = nil },
		"spec.inputs.parameters": func(s *v1alpha1.ImageBuildSpec) { s.Inputs.Parameters = nil },
		"spec.inputs.targets":    func(s *v1alpha1.ImageBuildSpec) { s.Inputs.Targets = nil },
		"spec.inputs.template":   func(s *v1alpha1.ImageBuildSpec) { s.Inputs.Template = &v1alpha1.BuildTemplate{} },
		"spec.timeouts":          func(s *v1alpha1.ImageBuildSpec) { s.Timeouts.Run = validationtest.Seconds(1) },
		"spec.retry":             func(s *v1alpha1.ImageBuildSpec) { s.Retry.Limit = new(int32(1)) },
		"spec.pinned":            func(s *v1alpha1.ImageBuildSpec) { s.Pinned = &v1alpha1.PinnedInputs{} },
		"spec.priority":          func(s *v1alpha1.ImageBuildSpec) { s.Priority = new(int32(1)) },
		"spec.runPolicy":         func(s *v1alpha1.ImageBuildSpec) { s.RunPolicy = v1alpha1.RunPolicyParallel },
		"spec.oneOff":            func(s *v1alpha1.ImageBuildSpec) { s.OneOff = new(true) },
	} {
		build := validationtest.ImageBuild()
		change(&build.Spec)
		validationtest.ExpectPaths(t, ImageBuildUpdate(build, validationtest.ImageBuild()), []string{path})
	}
	validationtest.ExpectPaths(t, ImageBuildUpdate(validationtest.ImageBuild(), validationtest.ImageBuild()), nil)

	rewritten := validationtest.ImageBuild()
	rewritten.Spec.Timeouts.Run.Written = fmt.Sprintf("%dns", rewritten.Spec.Timeouts.Run.Duration)
	stored := rewritten.DeepCopy()
	stored.Spec.Inputs.Template = &v1alpha1.BuildTemplate{Resources: &v1alpha1.ResourceRequirements{Limits: list("cpu", "500m", "memory", "1Gi")}}
	rewritten.Spec.Inputs.Template = &v1alpha1.BuildTemplate{Resources: &v1alpha1.ResourceRequirements{Limits: list("cpu", "0.5", "memory", "1024Mi")}}
	validationtest.ExpectPaths(t, ImageBuildUpdate(rewritten, stored), nil)
	rewritten.Spec.Inputs.Template = nil
	validationtest.ExpectPaths(t, ImageBuildUpdate(rewritten, validationtest.ImageBuild()), nil)
}

func TestAnUpdateCancelsABuildOnce(t *testing.T) {
	request := func(reason string) *v1alpha1.CancelRequested { return &v1alpha1.CancelRequested{Reason: reason} }
	for what, test := range map[string]struct {
		phase           v1alpha1.BuildPhase
		stored, written *v1alpha1.CancelRequested
		want            []string
	}{
		"requested":             {v1alpha1.BuildRunning, nil, request("not needed"), nil},
		"without a reason":      {v1alpha1.BuildPending, nil, request(""), nil},
		"of two lines":          {v1alpha1.BuildRunning, nil, request("not\nneeded"), []string{"spec.cancelRequested.reason"}},
		"by a newer build":      {v1alpha1.BuildQueued, nil, &v1alpha1.CancelRequested{SupersededBy: "debian-2"}, []string{"spec.cancelRequested.supersededBy"}},
		"after the end":         {v1alpha1.BuildSucceeded, nil, request("too late"), []string{"spec.cancelRequested"}},
		"again":                 {v1alpha1.BuildCancelling, request("first"), request("second"), []string{"spec.cancelRequested"}},
		"the same":              {v1alpha1.BuildCancelled, request("first"), request("first"), nil},
		"withdrawn":             {v1alpha1.BuildCancelling, request("first"), nil, []string{"spec.cancelRequested"}},
		"not, and has finished": {v1alpha1.BuildSucceeded, nil, nil, nil},
	} {
		t.Run(what, func(t *testing.T) {
			old, build := validationtest.ImageBuild(), validationtest.ImageBuild()
			old.Status.Phase = test.phase
			old.Spec.CancelRequested, build.Spec.CancelRequested = test.stored, test.written
			validationtest.ExpectPaths(t, ImageBuildUpdate(build, old), test.want)
		})
	}
}

func TestRequestedImageBuild(t *testing.T) {
	defaults := &v1alpha1.ImageBuildSpec{Timeouts: &v1alpha1.BuildTimeouts{Run: validationtest.Seconds(60)}, Retry: &v1alpha1.RetryPolicy{Limit: new(int32(2))}}
	for what, test := range map[string]struct {
		change func(*v1alpha1.ImageBuild)
		want   []string
	}{
		"a build":                {func(*v1alpha1.ImageBuild) {}, nil},
		"a build with a message": {func(b *v1alpha1.ImageBuild) { b.Spec.Trigger = &v1alpha1.BuildTrigger{Message: "new kernel"} }, nil},
		"a rerun": {func(b *v1alpha1.ImageBuild) {
			b.Spec.Trigger = &v1alpha1.BuildTrigger{Reason: "Rerun", RerunOf: "debian-1"}
		}, nil},
		"a rerun by another name": {func(b *v1alpha1.ImageBuild) {
			b.Spec.Trigger = &v1alpha1.BuildTrigger{Reason: "Manual", RerunOf: "debian-1"}
		}, []string{"spec.trigger.reason"}},
		"a rerun of no build": {func(b *v1alpha1.ImageBuild) { b.Spec.Trigger = &v1alpha1.BuildTrigger{RerunOf: "Debian_1"} }, []string{"spec.trigger.rerunOf"}},
		"a rerun with parameters": {func(b *v1alpha1.ImageBuild) {
			b.Spec.Trigger = &v1alpha1.BuildTrigger{RerunOf: "debian-1", Parameters: []v1alpha1.Parameter{{Name: "a"}}}
		}, []string{"spec.trigger.parameters"}},
		"by somebody else": {func(b *v1alpha1.ImageBuild) { b.Spec.Trigger = &v1alpha1.BuildTrigger{RequestedBy: "grace"} }, []string{"spec.trigger.requestedBy"}},
		"with changes": {func(b *v1alpha1.ImageBuild) {
			b.Spec.Trigger = &v1alpha1.BuildTrigger{Changes: []v1alpha1.InputChange{{}}}
		}, []string{"spec.trigger.changes"}},
		"with another name": {func(b *v1alpha1.ImageBuild) { b.GenerateName = "web-" }, []string{"metadata.generateName"}},
		"of no image":       {func(b *v1alpha1.ImageBuild) { b.GenerateName, b.Spec.ImageRef.Name = "-", "" }, []string{"spec.imageRef.name"}},
		"with inputs":       {func(b *v1alpha1.ImageBuild) { b.Spec.Inputs.Builder.Name = "mock" }, []string{"spec"}},
		"with a number":     {func(b *v1alpha1.ImageBuild) { b.Spec.Number = new(int64(7)) }, []string{"spec"}},
		"with a timeout": {func(b *v1alpha1.ImageBuild) {
			b.Spec.Timeouts = &v1alpha1.BuildTimeouts{Run: validationtest.Seconds(1)}
		}, []string{"spec"}},
		"that is cancelled":        {func(b *v1alpha1.ImageBuild) { b.Spec.CancelRequested = &v1alpha1.CancelRequested{} }, []string{"spec"}},
		"with the files of others": {func(b *v1alpha1.ImageBuild) { b.Spec.Pinned = &v1alpha1.PinnedInputs{} }, []string{"spec"}},
	} {
		t.Run(what, func(t *testing.T) {
			build := &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{GenerateName: "debian-"}, Spec: *defaults.DeepCopy()}
			build.Spec.ImageRef = &v1alpha1.ImageReference{Name: "debian"}
			test.change(build)
			validationtest.ExpectPaths(t, RequestedImageBuild(build, defaults), test.want)
		})
	}
}

// TestPhaseTable holds the table of the documentation against every pair of phases.
func TestPhaseTable(t *testing.T) {
	table := map[v1alpha1.BuildPhase]string{
		"Pending":    "Pending Queued Starting Failed Cancelled",
		"Queued":     "Queued Starting Failed Cancelled",
		"Starting":   "Starting Running Queued Succeeded Failed Retrying Cancelling Cancelled",
		"Running":    "Running Queued Succeeded Failed Retrying Cancelling Cancelled",
		"Retrying":   "Retrying Starting Failed Cancelled",
		"Cancelling": "Cancelling Cancelled Succeeded",
		"Succeeded":  "Succeeded", // only without another change, or of LogArchived and Recorded
		"Failed":     "Failed",
		"Cancelled":  "Cancelled",
	}
	for from, allowed := range table {
		for to := range table {
			legal := slices.Contains(strings.Fields(allowed), string(to))
			old, build := validationtest.ImageBuild(), validationtest.ImageBuild()
			old.Status = statusIn(from)
			build.Status = old.Status
			if from != to {
				build.Status = statusAfter(&old.Status, to)
			}
			errs := ImageBuildStatusUpdate(build, old)
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
			if errs := ImageBuildStatusUpdate(build, old); len(errs) == 0 || errs[0].Field != "status.phase" {
				t.Errorf("%s to %q: %v, want it refused at status.phase", from, unknown, errs)
			}
		}
	}
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
		"Succeeded": v1alpha1.AttemptSucceeded, "Cancelled": v1alpha1.AttemptCancelled,
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
	case v1alpha1.BuildSucceeded:
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
		"Cancelling": {[]string{attempts}, map[v1alpha1.AttemptOutcome][]string{"": nil, "Failed": {outcome}, "Succeeded": {outcome}, "Cancelled": {outcome}}},
		"Retrying":   {[]string{attempts}, map[v1alpha1.AttemptOutcome][]string{"": {outcome}, "Failed": nil, "Disrupted": nil, "Succeeded": {outcome}, "Cancelled": {outcome}}},
		"Succeeded":  {[]string{attempts}, map[v1alpha1.AttemptOutcome][]string{"": {outcome}, "Failed": {outcome}, "Succeeded": nil}},
		"Failed":     {nil, map[v1alpha1.AttemptOutcome][]string{"": {outcome}, "Failed": nil, "Disrupted": nil}},
		"Cancelled":  {nil, map[v1alpha1.AttemptOutcome][]string{"": {outcome}, "Failed": nil, "Cancelled": nil}},
	} {
		t.Run(string(phase), func(t *testing.T) {
			old, build := validationtest.ImageBuild(), validationtest.ImageBuild()
			old.Status.Phase = phase
			if phase.Finished() {
				old.Status.Phase = v1alpha1.BuildStarting
			}
			build.Status = statusIn(phase)
			build.Status.Attempts, build.Status.CurrentAttempt = nil, 0
			validationtest.ExpectPaths(t, ImageBuildStatusUpdate(build, old), test.without)

			for outcome, want := range test.outcomes {
				attempt := v1alpha1.BuildAttempt{Number: 1, JobName: "job", StartTime: now, Outcome: outcome}
				if outcome != "" {
					attempt.CompletionTime, attempt.Failure = &now, failure()
				}
				build.Status.Attempts, build.Status.CurrentAttempt = []v1alpha1.BuildAttempt{attempt}, 1
				validationtest.ExpectPaths(t, ImageBuildStatusUpdate(build, old), want)
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
			{Number: 2, JobName: "job-2", JobUID: "j", PodName: "p", PodUID: "q", StartTime: now},
		},
	}
}

func buildStatusExamples() map[string]example[v1alpha1.ImageBuildStatus] {
	now := metav1.Unix(1, 0)
	end := func(s *v1alpha1.ImageBuildStatus, phase v1alpha1.BuildPhase) { *s = statusAfter(s, phase) }
	attempt := func(n int) string { return fmt.Sprintf("status.attempts[%d]", n) }
	return map[string]example[v1alpha1.ImageBuildStatus]{
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
	for what, test := range buildStatusExamples() {
		t.Run(what, func(t *testing.T) {
			old, build := validationtest.ImageBuild(), validationtest.ImageBuild()
			old.Status, build.Status = runningStatus(), runningStatus()
			test.change(&build.Status)
			validationtest.ExpectPaths(t, ImageBuildStatusUpdate(build, old), test.want)
		})
	}
}

func TestAttemptsAreAtMostTwenty(t *testing.T) {
	now := metav1.Unix(1, 0)
	old := validationtest.ImageBuild()
	old.Status.Phase = v1alpha1.BuildRetrying
	for n := int32(1); n <= 20; n++ {
		old.Status.CurrentAttempt = n
		old.Status.Attempts = append(old.Status.Attempts, v1alpha1.BuildAttempt{
			Number: n, JobName: "job", StartTime: now, CompletionTime: &now, Outcome: v1alpha1.AttemptFailed, Failure: failure(),
		})
	}
	validationtest.ExpectPaths(t, ImageBuildStatusUpdate(old, old), nil)
	build := old.DeepCopy()
	build.Status.Phase, build.Status.CurrentAttempt = v1alpha1.BuildStarting, 21
	build.Status.Attempts = append(build.Status.Attempts, v1alpha1.BuildAttempt{Number: 21, JobName: "job", StartTime: now})
	validationtest.ExpectPaths(t, ImageBuildStatusUpdate(build, old), []string{"status.attempts"})
}

func TestAFinalStatusStays(t *testing.T) {
	for _, phase := range []v1alpha1.BuildPhase{v1alpha1.BuildSucceeded, v1alpha1.BuildFailed, v1alpha1.BuildCancelled} {
		old, build := validationtest.ImageBuild(), validationtest.ImageBuild()
		old.Status, build.Status = statusIn(phase), statusIn(phase)
		build.Status.Conditions = []metav1.Condition{
			{Type: "LogArchived", Status: "True", Reason: "Archived", LastTransitionTime: metav1.Now()},
			{Type: "Recorded", Status: "True", Reason: "Recorded", LastTransitionTime: metav1.Now()},
		}
		validationtest.ExpectPaths(t, ImageBuildStatusUpdate(build, old), nil)
		build.Status.Conditions[0].Type = "Finished"
		validationtest.ExpectPaths(t, ImageBuildStatusUpdate(build, old), []string{"status"})
	}
}

func cancelled() *v1alpha1.BuildFailure {
	return &v1alpha1.BuildFailure{Class: v1alpha1.FailureCancelled, Reason: v1alpha1.ReasonCancelRequested}
}

func failure() *v1alpha1.BuildFailure {
	return &v1alpha1.BuildFailure{Class: v1alpha1.FailureInfrastructure, Reason: v1alpha1.ReasonEvicted}
}

func TestBuildRequest(t *testing.T) {
	long := strings.Repeat("ä", 1025)
	for what, test := range map[string]struct {
		request v1alpha1.BuildRequest
		want    []string
	}{
		"the least":            {v1alpha1.BuildRequest{Reason: v1alpha1.TriggerManual}, nil},
		"the most":             {v1alpha1.BuildRequest{ObjectMeta: metav1.ObjectMeta{Name: "debian"}, RequestID: long[:256], Reason: v1alpha1.TriggerCreated, Message: long[:2048]}, nil},
		"another image":        {v1alpha1.BuildRequest{ObjectMeta: metav1.ObjectMeta{Name: "x"}, Reason: v1alpha1.TriggerManual}, []string{"metadata.name"}},
		"too long":             {v1alpha1.BuildRequest{RequestID: long[:258], Reason: v1alpha1.TriggerManual, Message: long}, []string{"message", "requestID"}},
		"an unprintable ID":    {v1alpha1.BuildRequest{RequestID: "a\x00", Reason: v1alpha1.TriggerManual}, []string{"requestID"}},
		"an unknown reason":    {v1alpha1.BuildRequest{Reason: "Because"}, []string{"reason"}},
		"a new base":           {v1alpha1.BuildRequest{Reason: v1alpha1.TriggerBaseChange}, nil},
		"a schedule":           {v1alpha1.BuildRequest{Reason: v1alpha1.TriggerSchedule}, nil},
		"a rerun":              {v1alpha1.BuildRequest{Reason: v1alpha1.TriggerRerun}, []string{"reason"}},
		"the Image's own":      {v1alpha1.BuildRequest{RequestID: validationtest.Digest("a") + ":7", Reason: v1alpha1.TriggerManual}, nil},
		"its parameters' ID":   {v1alpha1.BuildRequest{RequestID: validationtest.Digest("a") + ":7", Reason: v1alpha1.TriggerManual, Parameters: []v1alpha1.Parameter{{Name: "a"}}}, []string{"requestID"}},
		"its schedule's ID":    {v1alpha1.BuildRequest{RequestID: "schedule:2030-01-02T03:04:00Z", Reason: v1alpha1.TriggerManual, Parameters: []v1alpha1.Parameter{{Name: "a"}}}, []string{"requestID"}},
		"almost such an ID":    {v1alpha1.BuildRequest{RequestID: validationtest.Digest("a") + ":7a", Reason: v1alpha1.TriggerManual, Parameters: []v1alpha1.Parameter{{Name: "a"}}}, nil},
		"parameters":           {v1alpha1.BuildRequest{Reason: v1alpha1.TriggerManual, Parameters: []v1alpha1.Parameter{{Name: "a", Value: "b"}}}, nil},
		"bad parameters":       {v1alpha1.BuildRequest{Reason: v1alpha1.TriggerManual, Parameters: []v1alpha1.Parameter{{Name: "a b"}, {Name: "c"}, {Name: "c"}, {Name: "d", Value: strings.Repeat("x", 4097)}}}, []string{"parameters[0].name", "parameters[2].name", "parameters[3].value"}},
		"too many changes":     {v1alpha1.BuildRequest{Reason: v1alpha1.TriggerManual, Changes: slices.Repeat([]v1alpha1.InputChange{{Path: "a"}}, 33)}, []string{"changes"}},
		"a change of nothing":  {v1alpha1.BuildRequest{Reason: v1alpha1.TriggerManual, Changes: []v1alpha1.InputChange{{}}}, []string{"changes[0].path"}},
		"a change without end": {v1alpha1.BuildRequest{Reason: v1alpha1.TriggerManual, Changes: []v1alpha1.InputChange{{Path: long[:1026], From: long[:258], To: long[:258]}}}, []string{"changes[0].path", "changes[0].from", "changes[0].to"}},
		"the longest change":   {v1alpha1.BuildRequest{Reason: v1alpha1.TriggerManual, Changes: []v1alpha1.InputChange{{Path: long[:1024], From: long[:256], To: long[:256]}}}, nil},
	} {
		t.Run(what, func(t *testing.T) { validationtest.ExpectPaths(t, BuildRequest(&test.request, "debian"), test.want) })
	}
}

func TestMergedParameters(t *testing.T) {
	validationtest.ExpectPaths(t, MergedParameters(validationtest.Parameters(64<<10, "x")), nil)
	validationtest.ExpectPaths(t, MergedParameters(validationtest.Parameters(64<<10+1, "x")), []string{"parameters"})
	many := make([]v1alpha1.Parameter, 65)
	for i := range many {
		many[i].Name = fmt.Sprint(i)
	}
	errs := MergedParameters(many)
	validationtest.ExpectPaths(t, errs, []string{"parameters"})
	if !strings.Contains(errs[0].Detail, "the parameters of the Image count too") {
		t.Errorf("the message does not say of whom they are: %v", errs)
	}
}

func TestRerunRequest(t *testing.T) {
	validationtest.ExpectPaths(t, RerunRequest(&v1alpha1.RerunRequest{}, "debian-1"), nil)
	validationtest.ExpectPaths(t, RerunRequest(&v1alpha1.RerunRequest{
		ObjectMeta: metav1.ObjectMeta{Name: "x", UID: "../y"}, RequestID: "a\nb", Message: strings.Repeat("x", 1025),
	}, "debian-1"), []string{"metadata.name", "metadata.uid", "requestID", "message"})
	for _, reserved := range []string{validationtest.Digest("a") + ":0", "schedule:2030-01-02T03:04:00Z"} {
		errs := RerunRequest(&v1alpha1.RerunRequest{RequestID: reserved}, "debian-1")
		validationtest.ExpectPaths(t, errs, []string{"requestID"})
		if !strings.Contains(errs[0].Detail, "choose another requestID") {
			t.Errorf("the message does not say why: %v", errs)
		}
	}
	validationtest.ExpectPaths(t, RerunRequest(&v1alpha1.RerunRequest{RequestID: "my-schedule:1"}, "debian-1"), nil)
}

func TestImageChannels(t *testing.T) {
	channel := func(name, build string) v1alpha1.ImageChannel { return v1alpha1.ImageChannel{Name: name, Build: build} }
	many := make([]v1alpha1.ImageChannel, 17)
	for i := range many {
		many[i] = channel(fmt.Sprintf("c%d", i), "debian-1")
	}
	for what, test := range map[string]struct {
		channels []v1alpha1.ImageChannel
		want     []string
	}{
		"none":                      {nil, nil},
		"two of a build":            {[]v1alpha1.ImageChannel{channel("stable", "debian-1"), channel("testing", "debian-1")}, nil},
		"16":                        {many[:16], nil},
		"17":                        {many, []string{"channels"}},
		"one twice":                 {[]v1alpha1.ImageChannel{channel("stable", "debian-1"), channel("stable", "debian-2")}, []string{"channels[1].name"}},
		"a nameless one":            {[]v1alpha1.ImageChannel{channel("", "debian-1")}, []string{"channels[0].name"}},
		"a bad name":                {[]v1alpha1.ImageChannel{channel("Stable", "debian-1")}, []string{"channels[0].name"}},
		"a name too long":           {[]v1alpha1.ImageChannel{channel(strings.Repeat("a", 64), "debian-1")}, []string{"channels[0].name"}},
		"one without a build":       {[]v1alpha1.ImageChannel{channel("stable", "")}, []string{"channels[0].build"}},
		"one of a build's bad name": {[]v1alpha1.ImageChannel{channel("stable", "debian_1")}, []string{"channels[0].build"}},
	} {
		t.Run(what, func(t *testing.T) {
			validationtest.ExpectPaths(t, ImageChannels(&v1alpha1.ImageChannels{Channels: test.channels}, "debian"), test.want)
		})
	}
	validationtest.ExpectPaths(t, ImageChannels(&v1alpha1.ImageChannels{ObjectMeta: metav1.ObjectMeta{Name: "ubuntu"}}, "debian"), []string{"metadata.name"})
}

func TestCancelRequest(t *testing.T) {
	validationtest.ExpectPaths(t, CancelRequest(&v1alpha1.CancelRequest{SupersededBy: "debian-2"}, "debian-1"), nil)
	validationtest.ExpectPaths(t, CancelRequest(&v1alpha1.CancelRequest{SupersededBy: "Debian 2"}, "debian-1"), []string{"supersededBy"})
	validationtest.ExpectPaths(t, CancelRequest(&v1alpha1.CancelRequest{}, "debian-1"), nil)
	validationtest.ExpectPaths(t, CancelRequest(&v1alpha1.CancelRequest{ObjectMeta: metav1.ObjectMeta{Name: "x"}, Reason: strings.Repeat("x", 1025)}, "debian-1"),
		[]string{"metadata.name", "reason"})
}

func TestTextsForPeopleArePrintable(t *testing.T) {
	for name, text := range map[string]string{
		"the title of a terminal": "a\x1b]0;b\a", "a bell": "a\a", "a C1 control": "a\u009b2J", "another line": "a\nb", "a tab": "a\tb",
		"an override of direction": "a\u202eb", "an isolate": "a\u2066b", "a mark": "a\u200fb", "no UTF-8": "a\xff",
	} {
		t.Run(name, func(t *testing.T) {
			validationtest.ExpectPaths(t, CancelRequest(&v1alpha1.CancelRequest{Reason: text}, "debian-1"), []string{"reason"})
			validationtest.ExpectPaths(t, BuildRequest(&v1alpha1.BuildRequest{Reason: v1alpha1.TriggerManual, Message: text}, "debian"), []string{"message"})
			validationtest.ExpectPaths(t, RerunRequest(&v1alpha1.RerunRequest{Message: text}, "debian-1"), []string{"message"})
		})
	}
	validationtest.ExpectPaths(t, CancelRequest(&v1alpha1.CancelRequest{Reason: "Grüße 👩‍💻, שלום — „ja“"}, "debian-1"), nil)
}

func TestImageBuildLogOptions(t *testing.T) {
	validationtest.ExpectPaths(t, ImageBuildLogOptions(&v1alpha1.ImageBuildLogOptions{TailLines: new(int64(0)), LimitBytes: new(int64(1)), Attempt: new(int32(1)), UID: "0b81f4a5-7e8e"}), nil)
	for _, uid := range []string{"../x", "a/b", "a b", strings.Repeat("a", 64)} {
		validationtest.ExpectPaths(t, ImageBuildLogOptions(&v1alpha1.ImageBuildLogOptions{UID: uid}), []string{"uid"})
	}
	validationtest.ExpectPaths(t, ImageBuildLogOptions(&v1alpha1.ImageBuildLogOptions{TailLines: new(int64(-1)), LimitBytes: new(int64(0)), Attempt: new(int32(0))}),
		[]string{"attempt", "limitBytes", "tailLines"})
}
