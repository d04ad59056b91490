// SPDX-License-Identifier: Apache-2.0

package state

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/inputs"
	"goldsmith.dev/goldsmith/jobs/render"
	"goldsmith.dev/goldsmith/jobs/result"
)

const fileResult = `{"version":1,"outcome":"Succeeded","artifacts":[{"target":"linux/amd64/raw","file":"disk"}]}`

// publishes is a build with an output whose builder has ended, and whose publisher, if there is one, is in a state.
func publishes(phase corev1.PodPhase, builder corev1.ContainerState, publisher *corev1.ContainerState) *scenario {
	w := given(v1alpha1.BuildRunning).recorded()
	w.Build.Spec.Inputs.Output = &v1alpha1.Output{Repository: "registry.example.com/debian", TagTemplate: "{build}"}
	job, err := render.Job(w.Build, 1, inputs.Builder{Image: "builder:1", Publisher: inputs.Publisher{Image: "controller:1"}})
	if err != nil {
		panic(err)
	}
	job.UID, w.Origin = "job-uid", Rendered
	w.Job = job
	w.Pod = &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Name: "pod", Namespace: "default", UID: "pod-uid", Annotations: job.Spec.Template.Annotations,
		OwnerReferences: []metav1.OwnerReference{{APIVersion: "batch/v1", Kind: "Job", Name: "job", UID: "job-uid", Controller: new(true)}},
	}, Spec: job.Spec.Template.Spec}
	w.Pod.Status.Phase = phase
	w.Pod.Status.InitContainerStatuses = []corev1.ContainerStatus{{Name: render.ContainerName, State: builder}}
	if publisher != nil {
		w.Pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: render.PublisherName, State: *publisher}}
	}
	w.Living = FindLiving([]*corev1.Pod{w.Pod}, "")
	return w
}

func terminatedWith(code int32, message string) corev1.ContainerState {
	return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
		ExitCode: code, Reason: "Error", Message: message, StartedAt: metav1.NewTime(t0), FinishedAt: metav1.NewTime(t0.Add(5 * time.Second)),
	}}
}

func findings(t *testing.T, change func(*result.Result)) string {
	t.Helper()
	read := result.Readable(fileResult, []v1alpha1.Target{{Platform: "linux/amd64", Format: "raw"}}, result.Policy{})
	read.Check = &result.Check{}
	content := &read.Artifacts[0].Content
	content.Digest, content.SizeBytes, content.Verified = goodDigest, new(int64(7)), v1alpha1.ArtifactVerifiedContent
	content.Location = "registry.example.com/debian@" + goodDigest
	change(read)
	message, _, err := result.Findings(read)
	if err != nil {
		t.Fatal(err)
	}
	return message
}

func TestAPodThatPublishesSucceedsWithItsPublisher(t *testing.T) {
	same := func(*result.Result) {}
	waiting := &corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}
	ended := func(code int32, message string) *corev1.ContainerState { return new(terminatedWith(code, message)) }
	passed := func(w *scenario) { w.Pod.Annotations[v1alpha1.AnnotationResult] = "" }
	for name, test := range map[string]struct {
		given   *scenario
		phase   v1alpha1.BuildPhase
		action  Action
		reason  v1alpha1.FailureReason
		message string
	}{
		"the builder runs":                      {given: publishes(corev1.PodPending, corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}, nil), phase: v1alpha1.BuildRunning},
		"the publisher's image is being pulled": {given: publishes(corev1.PodPending, terminatedWith(0, fileResult), nil), phase: v1alpha1.BuildRunning, action: PassResult},
		"the publisher waits":                   {given: publishes(corev1.PodRunning, terminatedWith(0, fileResult), waiting), phase: v1alpha1.BuildRunning, action: PassResult},
		"the publisher waits for no result":     {given: publishes(corev1.PodRunning, terminatedWith(0, ""), waiting), phase: v1alpha1.BuildRunning, action: PassResult},
		"the publisher has the result":          {given: publishes(corev1.PodRunning, terminatedWith(0, fileResult), waiting).with(passed), phase: v1alpha1.BuildRunning},
		"the builder failed":                    {given: publishes(corev1.PodFailed, terminatedWith(1, ""), nil), phase: v1alpha1.BuildFailed, reason: v1alpha1.ReasonBuilderFailed},
		"the publisher found no result":         {given: publishes(corev1.PodSucceeded, terminatedWith(0, ""), ended(0, "{}")), phase: v1alpha1.BuildFailed, reason: v1alpha1.ReasonNoResult},
		"the publisher found a fault of the builder": {
			given: publishes(corev1.PodSucceeded, terminatedWith(0, fileResult), ended(0, findings(t, func(r *result.Result) {
				r.Check.Invalid = "the file is a directory"
			}))), phase: v1alpha1.BuildFailed, reason: v1alpha1.ReasonInvalidResult, message: "the file is a directory",
		},
		"the registry denies": {
			given: publishes(corev1.PodSucceeded, terminatedWith(0, fileResult), ended(0, findings(t, func(r *result.Result) {
				r.Check.NotPublished = &result.NotPublished{Reason: v1alpha1.ReasonRegistryDenied, Message: "401"}
			}))), phase: v1alpha1.BuildFailed, reason: v1alpha1.ReasonRegistryDenied, message: "401",
		},
		"the registry is away": {
			given: publishes(corev1.PodSucceeded, terminatedWith(0, fileResult), ended(0, findings(t, func(r *result.Result) {
				r.Check.NotPublished = &result.NotPublished{Reason: v1alpha1.ReasonRegistryUnavailable, Message: "503"}
			}))), phase: v1alpha1.BuildRetrying, reason: v1alpha1.ReasonRegistryUnavailable, message: "503",
		},
		"the publisher crashed":             {given: publishes(corev1.PodFailed, terminatedWith(0, fileResult), ended(2, "panic")), phase: v1alpha1.BuildRetrying, reason: v1alpha1.ReasonArtifactNotStored, message: "exit code 2: panic"},
		"the publisher said nothing":        {given: publishes(corev1.PodSucceeded, terminatedWith(0, fileResult), ended(0, "")), phase: v1alpha1.BuildRetrying, reason: v1alpha1.ReasonArtifactNotStored, message: "cannot be read"},
		"the pod ended before its end":      {given: publishes(corev1.PodFailed, terminatedWith(0, fileResult), nil), phase: v1alpha1.BuildRetrying, reason: v1alpha1.ReasonArtifactNotStored, message: "ended before its publisher"},
		"a build that is being cancelled":   {given: publishes(corev1.PodRunning, terminatedWith(0, fileResult), waiting).cancelRequested(), phase: v1alpha1.BuildCancelling, action: StopPod},
		"everything is published":           {given: publishes(corev1.PodSucceeded, terminatedWith(0, fileResult), ended(0, findings(t, same))), phase: v1alpha1.BuildSucceeded},
		"published, and the pod still runs": {given: publishes(corev1.PodRunning, terminatedWith(0, fileResult), ended(0, findings(t, same))), phase: v1alpha1.BuildSucceeded},
	} {
		t.Run(name, func(t *testing.T) {
			w := test.given
			first := Next(w.Observed)
			w.Build.Status = first.Status
			next := Next(w.Observed) // the action comes once the status is stored
			if next.Status.Phase != test.phase || next.Action != test.action {
				t.Errorf("phase %s and action %q, want %s and %q", next.Status.Phase, next.Action, test.phase, test.action)
			}
			failure := next.Status.Failure
			if failure == nil {
				failure = next.Status.Attempts[0].Failure
			}
			switch {
			case (failure == nil) != (test.reason == ""):
				t.Errorf("the failure is %+v", failure)
			case failure != nil && (failure.Reason != test.reason || !strings.Contains(failure.Message, test.message)):
				t.Errorf("the failure is %+v, want %s: …%s…", failure, test.reason, test.message)
			}
			if test.phase != v1alpha1.BuildSucceeded {
				return
			}
			want := []v1alpha1.Artifact{{
				Target: "linux/amd64/raw", Digest: goodDigest, SizeBytes: 7, MediaType: "application/x-raw-disk-image", Tag: "debian-1",
				Location: "registry.example.com/debian@" + goodDigest, Verified: v1alpha1.ArtifactVerifiedContent,
			}}
			if diff := cmp.Diff(want, next.Status.Artifacts); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// The statuses are those of a kubelet 1.37.
func TestTheStatusTellsWhatAPublisherDoes(t *testing.T) {
	const limit = 20 * time.Second
	unpulled := &corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ErrImagePull", Message: "no such host"}}
	pushes := &corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}
	deadline := func(w *scenario) { w.Pod.Status.Reason = "DeadlineExceeded" }
	lost := &corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 137, Reason: "ContainerStatusUnknown", Message: "it could not be located"}}
	known := func(w *scenario) {
		w.Build.Status.Conditions = []metav1.Condition{{Type: v1alpha1.BuildPodReady, Status: metav1.ConditionTrue, Message: notPublishing + "no such host"}}
	}
	behind := func(w *scenario) {
		end := w.Pod.Status.InitContainerStatuses[0].State.Terminated
		end.StartedAt, end.FinishedAt = metav1.NewTime(end.StartedAt.Add(-time.Hour)), metav1.NewTime(end.FinishedAt.Add(-time.Hour))
	}
	ended := terminatedWith(0, fileResult)
	for name, test := range map[string]struct {
		given  *scenario
		after  time.Duration // since the builder's end
		action Action
		told   string // in the condition PodReady, or in the failure
		reason v1alpha1.FailureReason
	}{
		"it has a moment":                    {given: publishes(corev1.PodRunning, ended, pushes), after: time.Second, action: PassResult},
		"it publishes":                       {given: publishes(corev1.PodRunning, ended, pushes), after: 2 * limit, action: PassResult, told: "are being published"},
		"its image cannot be pulled":         {given: publishes(corev1.PodPending, ended, unpulled), after: limit, action: PassResult, told: "ErrImagePull: no such host"},
		"its image cannot be pulled in time": {given: publishes(corev1.PodPending, ended, unpulled), after: limit + 2*rounding, action: StopPod, told: "ErrImagePull: no such host"},
		"the clock of its node is behind": {
			given: publishes(corev1.PodPending, ended, unpulled).with(behind), after: limit, action: PassResult, told: "ErrImagePull: no such host",
		},
		"it did not start": {
			given: publishes(corev1.PodFailed, ended, lost).with(deadline).with(known), told: "timeouts.start (20s) of the builder's end, or within timeouts.run: no such host: the operator",
			reason: v1alpha1.ReasonArtifactNotStored,
		},
		"it was slow": {
			given: publishes(corev1.PodFailed, ended, new(terminatedWith(0, "{}"))).with(deadline), told: "were not published within 1h of the start",
			reason: v1alpha1.ReasonRunTimeout,
		},
		"its node was restarted": {given: publishes(corev1.PodFailed, ended, lost), told: "lost the publisher's container", reason: v1alpha1.ReasonNodeLost},
	} {
		t.Run(name, func(t *testing.T) {
			w := test.given
			w.Build.Spec.Timeouts.Start = &v1alpha1.Duration{Duration: limit}
			w.Now = t0.Add(5*time.Second + test.after)
			if len(w.Build.Status.Conditions) == 0 { // the builder was seen to start
				meta.SetStatusCondition(&w.Build.Status.Conditions, metav1.Condition{
					Type: v1alpha1.BuildPodReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonContainerStarted, LastTransitionTime: metav1.NewTime(t0),
				})
			}
			next := Next(w.Observed)
			if next.Action != test.action {
				t.Errorf("action %q, want %q", next.Action, test.action)
			}
			told := ""
			if ready := meta.FindStatusCondition(next.Status.Conditions, v1alpha1.BuildPodReady); ready != nil {
				told = ready.Message
			}
			if failure := next.Status.Attempts[0].Failure; test.reason != "" {
				if failure == nil || failure.Reason != test.reason || failure.ExitCode != nil {
					t.Fatalf("the failure is %+v, want %s without an exit code", failure, test.reason)
				}
				told = failure.Message
				if next.Status.Failure != nil {
					told = next.Status.Failure.Message
				}
			}
			if delay := next.Status.Delay(); (delay != nil && delay.Reason == v1alpha1.ReasonWaitingForPublisher) != (test.reason == "" && strings.Contains(test.told, "ErrImagePull")) {
				t.Errorf("the build waits for %+v", delay)
			}
			if !strings.Contains(told, test.told) || test.told == "" && told != "" {
				t.Errorf("told %q, want …%s…", told, test.told)
			}
		})
	}
}
