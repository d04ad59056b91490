// SPDX-License-Identifier: Apache-2.0

package state

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

func podIs(kind corev1.PodConditionType, status corev1.ConditionStatus) func(*corev1.Pod) {
	return func(pod *corev1.Pod) {
		pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{Type: kind, Status: status, Message: "because"})
	}
}

func waitsBecause(reason, message string) func(*corev1.Pod) {
	return containerState(corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}})
}

// The statuses are those that a kubelet 1.37 sets for a container that has not started.
func TestWhatAContainerWaitsFor(t *testing.T) {
	for name, test := range map[string]struct {
		pod     func(*corev1.Pod)
		reason  v1alpha1.FailureReason
		why     string
		timeout v1alpha1.FailureReason // what it becomes at timeouts.start
	}{
		"not scheduled":                 {podIs(corev1.PodScheduled, corev1.ConditionFalse), "", v1alpha1.ReasonUnschedulable, v1alpha1.ReasonStartTimeout},
		"no container status":           {podIs(corev1.PodScheduled, corev1.ConditionTrue), "", v1alpha1.ReasonWaitingForPod, v1alpha1.ReasonStartTimeout},
		"being created":                 {waitsBecause("ContainerCreating", ""), "", v1alpha1.ReasonImagePulling, v1alpha1.ReasonStartTimeout},
		"pull failed":                   {waitsBecause("ErrImagePull", "denied"), "", v1alpha1.ReasonImagePulling, v1alpha1.ReasonImagePullFailed},
		"pull backing off":              {waitsBecause("ImagePullBackOff", "denied"), "", v1alpha1.ReasonImagePulling, v1alpha1.ReasonImagePullFailed},
		"registry does not answer":      {waitsBecause("RegistryUnavailable", "503"), "", v1alpha1.ReasonImagePulling, v1alpha1.ReasonImagePullFailed},
		"not signed":                    {waitsBecause("SignatureValidationFailed", "x"), "", v1alpha1.ReasonImagePulling, v1alpha1.ReasonImagePullFailed},
		"image cannot be inspected":     {waitsBecause("ImageInspectError", "x"), "", v1alpha1.ReasonImagePulling, v1alpha1.ReasonImagePullFailed},
		"never to be pulled":            {waitsBecause("ErrImageNeverPull", "x"), "", v1alpha1.ReasonImagePulling, v1alpha1.ReasonImagePullFailed},
		"not the name of an image":      {waitsBecause("InvalidImageName", "x"), v1alpha1.ReasonInvalidImageName, "", v1alpha1.ReasonInvalidImageName},
		"cannot be configured":          {waitsBecause("CreateContainerConfigError", "x"), v1alpha1.ReasonBuilderNotRunnable, "", v1alpha1.ReasonBuilderNotRunnable},
		"Secrets are not read yet":      {waitsBecause("CreateContainerConfigError", "failed to sync secret cache: timed out waiting for the condition"), "", v1alpha1.ReasonWaitingForPod, v1alpha1.ReasonStartTimeout},
		"no such Secret yet":            {waitsBecause("CreateContainerConfigError", `secret "mirror" not found`), "", v1alpha1.ReasonWaitingForPod, v1alpha1.ReasonBuilderNotRunnable},
		"no such key of the Secret yet": {waitsBecause("CreateContainerConfigError", "couldn't find key token in Secret team/mirror"), "", v1alpha1.ReasonWaitingForPod, v1alpha1.ReasonBuilderNotRunnable},
		"cannot be created for now":     {waitsBecause("CreateContainerError", "context deadline exceeded"), "", v1alpha1.ReasonWaitingForPod, v1alpha1.ReasonStartTimeout},
		"about to end as StartError":    {waitsBecause("RunContainerError", "exec: no such file"), "", v1alpha1.ReasonWaitingForPod, v1alpha1.ReasonStartTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			w := given(v1alpha1.BuildStarting).job().pod(corev1.PodPending, test.pod)
			w.Now = t0.Add(firstLook)
			early := Next(w.Observed).Status
			if got := reasonOf(early); got != test.reason {
				t.Errorf("reason %q, want %q", got, test.reason)
			}
			if got := why(early); test.reason == "" && got != test.why {
				t.Errorf("why %q, want %q", got, test.why)
			}
			w.Now = t0.Add(v1alpha1.DefaultStartTimeout + rounding)
			if got := reasonOf(Next(w.Observed).Status); got != test.timeout {
				t.Errorf("at timeouts.start reason %q, want %q", got, test.timeout)
			}
		})
	}
}

func TestOnlyAPodWithItsVolumesPullsItsImage(t *testing.T) {
	creating := waitsBecause("ContainerCreating", "")
	for status, want := range map[corev1.ConditionStatus]string{
		corev1.ConditionFalse: v1alpha1.ReasonWaitingForPod, corev1.ConditionTrue: v1alpha1.ReasonImagePulling,
	} {
		w := given(v1alpha1.BuildStarting).job().pod(corev1.PodPending, creating, podIs(corev1.PodReadyToStartContainers, status))
		if got := why(Next(w.Observed).Status); got != want {
			t.Errorf("ready to start containers %s: why %q, want %q", status, got, want)
		}
	}
}

func TestAMissingSecretIsLookedAtAgain(t *testing.T) {
	w := given(v1alpha1.BuildStarting).job().pod(corev1.PodPending, waitsBecause("CreateContainerConfigError", `secret "mirror" not found`))
	w.Now = t0.Add(firstLook)
	decision := Next(w.Observed)
	for range 10 { // the pod's status does not change
		w.Build.Status, w.Now = decision.Status, w.Now.Add(decision.After)
		if decision = Next(w.Observed); decision.Status.Phase != v1alpha1.BuildStarting {
			break
		}
	}
	if age := w.Now.Sub(t0); reasonOf(decision.Status) != v1alpha1.ReasonBuilderNotRunnable || age < patience || age > 2*patience {
		t.Errorf("after %s: %+v", age, decision.Status.Failure)
	}
}

// The statuses are those that kubelets and controllers of 1.37 set for a pod that was not ended by its builder.
func TestHowAPodWasEnded(t *testing.T) {
	kubelet := corev1.PodReasonTerminationByKubelet
	untold := func(pod *corev1.Pod) { pod.Status.Message = "" }
	for name, test := range map[string]struct {
		pod    []func(*corev1.Pod)
		want   v1alpha1.FailureReason
		saying string
	}{
		"evicted by its kubelet":        {[]func(*corev1.Pod){exited(137, ""), podReason("Evicted"), disrupted(kubelet)}, v1alpha1.ReasonEvicted, "the kubelet says so"},
		"evicted without a message":     {[]func(*corev1.Pod){podReason("Evicted"), untold}, v1alpha1.ReasonEvicted, ": Evicted"},
		"rejected without a reason":     {[]func(*corev1.Pod){podReason(""), untold}, v1alpha1.ReasonNodeRejected, "see the events of the pod"},
		"evicted before it started":     {[]func(*corev1.Pod){podReason("Evicted")}, v1alpha1.ReasonEvicted, "pod pod: the kubelet says so"},
		"drained":                       {[]func(*corev1.Pod){exited(143, ""), disrupted("EvictionByEvictionAPI")}, v1alpha1.ReasonEvicted, "EvictionByEvictionAPI"},
		"its device was tainted":        {[]func(*corev1.Pod){exited(143, ""), disrupted("DeletionByDeviceTaintManager")}, v1alpha1.ReasonEvicted, ""},
		"preempted by the scheduler":    {[]func(*corev1.Pod){exited(143, ""), disrupted("PreemptionByScheduler")}, v1alpha1.ReasonPreempted, ""},
		"preempted by its kubelet":      {[]func(*corev1.Pod){exited(143, ""), podReason("Preempting"), disrupted(kubelet)}, v1alpha1.ReasonPreempted, ""},
		"preempted by an old kubelet":   {[]func(*corev1.Pod){exited(143, ""), podReason("Preempting")}, v1alpha1.ReasonPreempted, ""},
		"its node does not answer":      {[]func(*corev1.Pod){disrupted("DeletionByTaintManager")}, v1alpha1.ReasonNodeLost, ""},
		"its node was removed":          {[]func(*corev1.Pod){disrupted("DeletionByPodGC")}, v1alpha1.ReasonNodeLost, ""},
		"its node was restarted":        {[]func(*corev1.Pod){exitedFor(255, "Unknown", "")}, v1alpha1.ReasonNodeLost, "node node lost"},
		"its container is nowhere":      {[]func(*corev1.Pod){exitedFor(137, "ContainerStatusUnknown", "could not be located")}, v1alpha1.ReasonNodeLost, "could not be located"},
		"its node is shut down":         {[]func(*corev1.Pod){exited(143, ""), podReason("Terminated"), disrupted(kubelet)}, v1alpha1.ReasonNodeShutdown, ""},
		"its node was shutting down":    {[]func(*corev1.Pod){podReason("NodeShutdown")}, v1alpha1.ReasonNodeShutdown, ""},
		"no room on the node":           {[]func(*corev1.Pod){podReason("OutOfmemory")}, v1alpha1.ReasonNodeRejected, "OutOfmemory"},
		"not a node of its affinity":    {[]func(*corev1.Pod){podReason("NodeAffinity")}, v1alpha1.ReasonNodeRejected, "NodeAffinity"},
		"the node's admission failed":   {[]func(*corev1.Pod){podReason("UnexpectedAdmissionError")}, v1alpha1.ReasonNodeRejected, ""},
		"out of memory":                 {[]func(*corev1.Pod){exitedFor(137, "OOMKilled", "")}, v1alpha1.ReasonOOMKilled, ""},
		"a child out of memory":         {[]func(*corev1.Pod){exitedFor(1, "OOMKilled", "")}, v1alpha1.ReasonOOMKilled, ""},
		"an exit code that is its own":  {[]func(*corev1.Pod){exited(255, "")}, v1alpha1.ReasonBuilderFailed, ""},
		"deadline":                      {[]func(*corev1.Pod){exited(143, ""), podReason("DeadlineExceeded")}, v1alpha1.ReasonRunTimeout, ""},
		"deadline without a container":  {[]func(*corev1.Pod){podReason("DeadlineExceeded")}, v1alpha1.ReasonStartTimeout, ""},
		"deadline with a failing start": {[]func(*corev1.Pod){neverStarted("StartError"), podReason("DeadlineExceeded")}, v1alpha1.ReasonStartTimeout, ""},
		"no such program":               {[]func(*corev1.Pod){neverStarted("StartError")}, v1alpha1.ReasonBuilderNotRunnable, "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			status := Next(given(v1alpha1.BuildStarting).job().pod(corev1.PodFailed, test.pod...).Observed).Status
			if got := reasonOf(status); got != test.want {
				t.Errorf("reason %q, want %q", got, test.want)
			}
			if got := status.AttemptFailure(&status.Attempts[0]).Message; !strings.Contains(got, test.saying) || strings.HasSuffix(got, ": ") {
				t.Errorf("message %q, want it to contain %q", got, test.saying)
			}
		})
	}
}

func TestABuilderThatWasKilledMayHaveExceededItsMemoryLimit(t *testing.T) {
	for name, test := range map[string]struct {
		code   int32
		limits corev1.ResourceList
		want   string
	}{
		"killed, with a limit": {
			137, corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("64Mi")},
			"no result: builder ended with exit code 137 (signal 9); it may have exceeded its memory limit of 64Mi",
		},
		"killed, without one": {137, nil, "no result: builder ended with exit code 137 (signal 9)"},
		"not killed": {
			1, corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("64Mi")},
			"no result: builder ended with exit code 1",
		},
	} {
		t.Run(name, func(t *testing.T) {
			limited := func(pod *corev1.Pod) {
				pod.Status.ContainerStatuses[0].Resources = &corev1.ResourceRequirements{Limits: test.limits}
			}
			w := given(v1alpha1.BuildRunning).recorded().job().pod(corev1.PodFailed, exitedFor(test.code, "Error", ""), limited)
			failure := Next(w.Observed).Status.Failure
			if failure.Reason != v1alpha1.ReasonBuilderFailed || failure.Message != test.want {
				t.Errorf("%s: %s; want %s: %s", failure.Reason, failure.Message, v1alpha1.ReasonBuilderFailed, test.want)
			}
		})
	}
}

// neverStarted is the state of a container that containerd could not start.
func neverStarted(reason string) func(*corev1.Pod) {
	return containerState(corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
		ExitCode: 128, Reason: reason, Message: "no such file", StartedAt: metav1.NewTime(time.Unix(0, 0)), FinishedAt: metav1.NewTime(t0),
	}})
}

func TestASuccessCountsThoughAChildRanOutOfMemory(t *testing.T) {
	w := given(v1alpha1.BuildRunning).recorded().job().pod(corev1.PodSucceeded, exitedFor(0, "OOMKilled", goodResult))
	if got := Next(w.Observed).Status.Phase; got != v1alpha1.BuildSucceeded {
		t.Errorf("phase %s", got)
	}
}
