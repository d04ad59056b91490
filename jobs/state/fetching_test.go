// SPDX-License-Identifier: Apache-2.0

package state

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/inputs"
	"goldsmith.dev/goldsmith/jobs/render"
	"goldsmith.dev/goldsmith/jobs/result"
)

// fetches is a build that starts, whose base is published, and whose fetcher and builder are in a state.
func fetches(phase corev1.PodPhase, fetcher, builder corev1.ContainerState) *scenario {
	w := given(v1alpha1.BuildStarting)
	w.Build.Spec.Inputs.Base = v1alpha1.Base{ImageRef: &v1alpha1.BaseImageReference{Name: "base"}}
	w.Build.Status.Resolved = &v1alpha1.ResolvedInputs{InputsDigest: goodDigest, BaseDigest: goodDigest, Base: &v1alpha1.BaseBuild{Name: "base-1", Artifacts: []v1alpha1.Artifact{{
		Target: "linux/amd64/raw", Digest: goodDigest, Location: "registry.example.com/base@" + goodDigest, Verified: v1alpha1.ArtifactVerifiedContent,
	}}}}
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
	w.Pod.Spec.NodeName = "node"
	w.Pod.Status.Phase = phase
	w.Pod.Status.InitContainerStatuses = []corev1.ContainerStatus{{Name: render.FetcherName, State: fetcher}}
	w.Pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: render.ContainerName, State: builder}}
	w.Living = FindLiving([]*corev1.Pod{w.Pod}, "")
	return w
}

func waitingFor(reason, message string) corev1.ContainerState {
	return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
}

// The statuses are those of a kubelet 1.37.
func TestAPodFetchesItsBaseBeforeItsBuilder(t *testing.T) {
	const pending, failed = corev1.PodPending, corev1.PodFailed
	const start, run = v1alpha1.DefaultStartTimeout, v1alpha1.DefaultRunTimeout
	later := waitingFor("PodInitializing", "")
	fetching := corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(t0.Add(-time.Hour))}} // by the clock of its node
	fetched := terminatedWith(0, "")
	unpulled := waitingFor("ErrImagePull", "no such host")
	told := func(reason v1alpha1.FailureReason) corev1.ContainerState {
		return terminatedWith(1, result.NotFetched{Reason: reason, Message: "the registry said no"}.Text())
	}
	because := func(w *scenario) { w.Pod.Status.Reason = "DeadlineExceeded" }
	for name, test := range map[string]struct {
		given  *scenario
		after  time.Duration // since the attempt began; 10 s by default
		phase  v1alpha1.BuildPhase
		action Action
		why    string // the reason of the condition PodReady, or of the failure
		saying string // in its message
	}{
		"its image is being pulled":         {given: fetches(pending, later, later), phase: v1alpha1.BuildStarting, why: v1alpha1.ReasonImagePulling, saying: "that fetches the source or the base is being pulled"},
		"its image cannot be pulled":        {given: fetches(pending, unpulled, later), phase: v1alpha1.BuildStarting, why: v1alpha1.ReasonImagePulling, saying: "that fetches the source or the base has not started: ErrImagePull: no such host"},
		"its image is never pulled":         {given: fetches(pending, unpulled, later), after: start + rounding, phase: v1alpha1.BuildFailed, action: DeleteJob, why: "StartTimeout", saying: "that fetches the source or the base has not started: ErrImagePull: no such host"},
		"it fetches":                        {given: fetches(pending, fetching, later), phase: v1alpha1.BuildStarting, why: v1alpha1.ReasonFetchingBase, saying: "are being fetched"},
		"it fetches for long":               {given: fetches(pending, fetching, later), after: start + run, phase: v1alpha1.BuildStarting, why: v1alpha1.ReasonFetchingBase},
		"its node does not report the end":  {given: fetches(pending, fetching, later), after: start + run + rounding, phase: v1alpha1.BuildFailed, action: DeleteJob, why: "StartTimeout", saying: "FetchingBase: the artifacts of the base"},
		"the builder's image follows":       {given: fetches(pending, fetched, later), phase: v1alpha1.BuildStarting, why: v1alpha1.ReasonImagePulling, saying: "the builder's image"},
		"the builder's image has its time":  {given: fetches(pending, fetched, unpulled), after: start + 4*time.Second, phase: v1alpha1.BuildStarting, why: v1alpha1.ReasonImagePulling, saying: "ErrImagePull"},
		"the builder's image is not pulled": {given: fetches(pending, fetched, unpulled), after: start + 5*time.Second + rounding, phase: v1alpha1.BuildRetrying, action: DeleteJob, why: "ImagePullFailed"},
		"the builder runs":                  {given: fetches(corev1.PodRunning, fetched, fetching), phase: v1alpha1.BuildRunning, why: v1alpha1.ReasonContainerStarted},
		"the build has succeeded":           {given: fetches(corev1.PodSucceeded, fetched, terminatedWith(0, goodResult)), phase: v1alpha1.BuildSucceeded, why: v1alpha1.ReasonContainerStarted},
		"the builder fails":                 {given: fetches(failed, fetched, terminatedWith(1, "")), phase: v1alpha1.BuildFailed, why: "BuilderFailed"},
		"the build is cancelled":            {given: fetches(pending, fetching, later).cancelRequested(), phase: v1alpha1.BuildCancelling, action: StopPod},
		"the build is cancelled before it":  {given: fetches(pending, later, later).cancelRequested(), phase: v1alpha1.BuildCancelling, action: DeleteJob},
		"the build is cancelled after it":   {given: fetches(pending, fetched, unpulled).cancelRequested(), phase: v1alpha1.BuildCancelling, action: StopPod},
		"the artifact is not there":         {given: fetches(failed, told("BaseNotFound"), later), phase: v1alpha1.BuildFailed, why: "BaseNotFound", saying: "the registry said no"},
		"the registry denies":               {given: fetches(failed, told("RegistryDenied"), later), phase: v1alpha1.BuildFailed, why: "RegistryDenied", saying: "the registry said no"},
		"the registry refuses":              {given: fetches(failed, told("RegistryRefused"), later), phase: v1alpha1.BuildFailed, why: "RegistryRefused", saying: "the registry said no"},
		"the registry is away":              {given: fetches(failed, told("RegistryUnavailable"), later), phase: v1alpha1.BuildRetrying, why: "RegistryUnavailable", saying: "the registry said no"},
		"it says something else":            {given: fetches(failed, told("Stolen"), later), phase: v1alpha1.BuildRetrying, why: "NodeRejected", saying: "ended with exit code 1"},
		"it crashed":                        {given: fetches(failed, terminatedWith(2, "panic"), later), phase: v1alpha1.BuildRetrying, why: "NodeRejected", saying: "that fetches the source or the base of pod pod ended with exit code 2: panic"},
		"it was evicted":                    {given: fetches(failed, terminatedWith(137, ""), later).with(func(w *scenario) { w.Pod.Status.Reason = "Evicted" }), phase: v1alpha1.BuildRetrying, why: "Evicted"},
		"its node was restarted": {
			given: fetches(failed, corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 137, Reason: "ContainerStatusUnknown", Message: "it could not be located"}}, later),
			phase: v1alpha1.BuildRetrying, why: "NodeLost", saying: "lost the container that fetched the source or the base",
		},
		"it was slow": {given: fetches(failed, terminatedWith(143, ""), later).with(because), phase: v1alpha1.BuildFailed, why: "RunTimeout", saying: "were not fetched within 1h of the start"},
		"the builder's image was slow": {
			given: fetches(failed, fetched, later).with(because), phase: v1alpha1.BuildFailed, why: "StartTimeout", saying: "within the pod's deadline",
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := test.given
			if test.after != 0 {
				w.Now = t0.Add(test.after)
			}
			status := Next(w.Observed).Status
			w.Build.Status = status
			if next := Next(w.Observed); status.Phase != test.phase || next.Action != test.action {
				t.Errorf("phase %s and then action %q, want %s and %q", status.Phase, next.Action, test.phase, test.action)
			}
			why, message := reasonOf(status), ""
			if failure := status.AttemptFailure(&status.Attempts[0]); failure != nil {
				message = failure.Message
			} else if ready := meta.FindStatusCondition(status.Conditions, v1alpha1.BuildPodReady); ready != nil {
				why, message = v1alpha1.FailureReason(ready.Reason), ready.Message
			}
			if string(why) != test.why || !strings.Contains(message, test.saying) {
				t.Errorf("%s: %q, want %s: …%s…", why, message, test.why, test.saying)
			}
		})
	}
}

func TestAPodWithAFetcherIsRecordedOnceItHasALog(t *testing.T) {
	waiting, ran := waitingFor("PodInitializing", ""), corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(t0)}}
	for name, test := range map[string]struct {
		given *scenario
		want  types.UID
	}{
		"its image is being pulled": {fetches(corev1.PodPending, waiting, waiting), ""},
		"it could not be started":   {fetches(corev1.PodFailed, corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 128, Reason: "StartError"}}, waiting), ""},
		"it fetches":                {fetches(corev1.PodPending, ran, waiting), "pod-uid"},
		"it has failed":             {fetches(corev1.PodFailed, terminatedWith(1, ""), waiting), "pod-uid"},
	} {
		if attempt := Next(test.given.Observed).Status.Attempts[0]; attempt.PodUID != test.want {
			t.Errorf("%s: pod %q is recorded, want %q", name, attempt.PodUID, test.want)
		}
	}
}

// Nobody saw that the Job was suspended and resumed.
func TestASuspensionWhileTheBaseIsFetchedIsNoFailure(t *testing.T) {
	fetching := corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(t0)}}
	for name, change := range map[string]func(*scenario){
		"its pod is gone":  func(w *scenario) { w.Pod = nil },
		"its pod is going": func(w *scenario) { w.Pod.DeletionTimestamp = new(metav1.NewTime(t0.Add(time.Minute))) },
		"its pod has ended and is": func(w *scenario) {
			w.Pod.DeletionTimestamp = new(metav1.NewTime(t0.Add(time.Minute)))
			w.Pod.Status.Phase, w.Pod.Status.InitContainerStatuses[0].State = corev1.PodFailed, terminatedWith(143, "")
		},
	} {
		w := fetches(corev1.PodPending, fetching, waitingFor("PodInitializing", ""))
		w.Build.Status = Next(w.Observed).Status
		if w.Build.Status.Attempts[0].PodUID == "" {
			t.Fatal("the pod is not recorded")
		}
		resumed(w.Job)
		w.Job.Status.Conditions[0].LastTransitionTime = metav1.NewTime(t0.Add(time.Minute))
		change(w)
		if status := Next(w.Observed).Status; status.Phase != v1alpha1.BuildQueued || status.Attempts[0].Outcome != "" || status.Attempts[0].PodUID != "" {
			t.Errorf("%s: phase %s, attempt %+v", name, status.Phase, status.Attempts[0])
		}
	}
}
