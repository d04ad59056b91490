// SPDX-License-Identifier: Apache-2.0

package state

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/inputs"
	"goldsmith.dev/goldsmith/jobs/render"
)

const (
	goodDigest = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	goodResult = `{"version":1,"outcome":"Succeeded","artifacts":[{"target":"linux/amd64/raw","file":"disk","digest":"` + goodDigest + `","sizeBytes":7}]}`
)

var (
	t0       = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	resolved = &v1alpha1.ResolvedInputs{InputsDigest: goodDigest}
)

// legal is the phase table of the API.
var legal = map[v1alpha1.BuildPhase][]v1alpha1.BuildPhase{
	v1alpha1.BuildPending:    {v1alpha1.BuildQueued, v1alpha1.BuildStarting, v1alpha1.BuildFailed, v1alpha1.BuildCancelled},
	v1alpha1.BuildQueued:     {v1alpha1.BuildStarting, v1alpha1.BuildFailed, v1alpha1.BuildCancelled},
	v1alpha1.BuildStarting:   {v1alpha1.BuildRunning, v1alpha1.BuildQueued, v1alpha1.BuildSucceeded, v1alpha1.BuildFailed, v1alpha1.BuildRetrying, v1alpha1.BuildCancelling, v1alpha1.BuildCancelled},
	v1alpha1.BuildRunning:    {v1alpha1.BuildQueued, v1alpha1.BuildSucceeded, v1alpha1.BuildFailed, v1alpha1.BuildRetrying, v1alpha1.BuildCancelling, v1alpha1.BuildCancelled},
	v1alpha1.BuildRetrying:   {v1alpha1.BuildStarting, v1alpha1.BuildFailed, v1alpha1.BuildCancelled},
	v1alpha1.BuildCancelling: {v1alpha1.BuildCancelled, v1alpha1.BuildSucceeded},
}

// scenario is a build with its Job and pods, put together step by step.
type scenario struct{ Observed }

func given(phase v1alpha1.BuildPhase) *scenario {
	build := &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Name: "debian-1", Namespace: "default", UID: "build-uid", Generation: 1, CreationTimestamp: metav1.NewTime(t0)}}
	build.Spec.Inputs = v1alpha1.BuildInputs{
		Builder: v1alpha1.BuilderReference{Name: "mock"},
		Base:    v1alpha1.Base{Reference: "debian:bookworm"},
		Targets: []v1alpha1.Target{{Platform: "linux/amd64", Format: v1alpha1.ArtifactFormatRaw}},
	}
	v1alpha1.SetObjectDefaults_ImageBuild(build)
	build.Status.Phase = phase
	w := &scenario{Observed{Build: build, Now: t0.Add(10 * time.Second)}}
	switch phase {
	case v1alpha1.BuildPending, v1alpha1.BuildQueued:
	default:
		build.Status.Resolved = resolved
		w.attempt(1)
	}
	return w
}

func (w *scenario) attempt(number int32) {
	w.Build.Status.CurrentAttempt = number
	w.Build.Status.Attempts = append(w.Build.Status.Attempts, v1alpha1.BuildAttempt{
		Number: number, JobName: render.JobName(w.Build, number), StartTime: metav1.NewTime(t0),
	})
}

func (w *scenario) current() *v1alpha1.BuildAttempt {
	return &w.Build.Status.Attempts[len(w.Build.Status.Attempts)-1]
}

// recorded binds the attempt to the Job and the pod.
func (w *scenario) recorded() *scenario {
	w.current().JobUID, w.current().PodUID, w.current().PodName = "job-uid", "pod-uid", "pod"
	return w
}

// stopped is an attempt that is to end since a time.
func (w *scenario) stopped(at time.Time) *scenario {
	w.current().StopTime = new(metav1.NewTime(at))
	return w
}

// ranFor lets the container run for some time since it was seen to start.
func ranFor(long time.Duration) func(*scenario) {
	return func(w *scenario) {
		w.Now = t0.Add(long)
		meta.SetStatusCondition(&w.Build.Status.Conditions, metav1.Condition{
			Type: v1alpha1.BuildPodReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonContainerStarted, LastTransitionTime: metav1.NewTime(t0),
		})
	}
}

func (w *scenario) ended(outcome v1alpha1.AttemptOutcome, f *v1alpha1.BuildFailure) *scenario {
	at := metav1.NewTime(t0.Add(5 * time.Second))
	w.current().Outcome, w.current().Failure, w.current().CompletionTime = outcome, f, &at
	return w
}

func (w *scenario) rendered() *batchv1.Job {
	job, err := render.Job(w.Build, w.current().Number, inputs.Builder{Image: "builder:1"})
	if err != nil {
		panic(err)
	}
	job.UID = "job-uid"
	return job
}

// job is the Job that the controller renders, perhaps with changes that are not the controller's.
func (w *scenario) job(change ...func(*batchv1.Job)) *scenario {
	w.Job, w.Origin = w.rendered(), Rendered
	for _, c := range change {
		c(w.Job)
	}
	return w
}

// foreign is a Job that says to be the attempt's, and is not what the controller renders.
func (w *scenario) foreign() *scenario {
	w.job().Origin = Foreign
	return w
}

// uncompared is a Job whose origin is unknown, because a dry run of its creation was refused. Its pod says that all is well.
func (w *scenario) uncompared(why string) *scenario {
	w.job().pod(corev1.PodSucceeded, exited(0, goodResult)).Origin = Unknown
	w.Uncompared = why
	return w
}

func jobCondition(kind batchv1.JobConditionType) func(*batchv1.Job) {
	return func(job *batchv1.Job) {
		job.Status.Conditions = append(job.Status.Conditions, batchv1.JobCondition{Type: kind, Status: corev1.ConditionTrue})
	}
}

func (w *scenario) pod(phase corev1.PodPhase, change ...func(*corev1.Pod)) *scenario {
	controller := true
	w.Pod = &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "pod", Namespace: "default", UID: "pod-uid",
		OwnerReferences: []metav1.OwnerReference{{APIVersion: "batch/v1", Kind: "Job", Name: "job", UID: "job-uid", Controller: &controller}}}}
	template := w.rendered().Spec.Template
	w.Pod.Annotations, w.Pod.Spec = template.Annotations, template.Spec
	w.Pod.Spec.NodeName = "node"
	w.Pod.Status.Phase = phase
	for _, c := range change {
		c(w.Pod)
	}
	w.Living = FindLiving([]*corev1.Pod{w.Pod}, "")
	return w
}

func containerState(state corev1.ContainerState) func(*corev1.Pod) {
	return func(pod *corev1.Pod) {
		pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: render.ContainerName, State: state}}
	}
}

func running() func(*corev1.Pod) {
	return containerState(corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(t0)}})
}

func waitingState(reason string) func(*corev1.Pod) {
	return containerState(corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: "because"}})
}

func exited(code int32, message string) func(*corev1.Pod) {
	return exitedFor(code, "Error", message)
}

func exitedFor(code int32, reason, message string) func(*corev1.Pod) {
	return containerState(corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
		ExitCode: code, Reason: reason, Message: message, StartedAt: metav1.NewTime(t0), FinishedAt: metav1.NewTime(t0.Add(5 * time.Second))}})
}

func TestTheMessageForAChangedPodHasTheValuesAndTheRemedy(t *testing.T) {
	w := given(v1alpha1.BuildStarting).job().pod(corev1.PodSucceeded, exited(0, goodResult), otherImage)
	const want = `is not what the build describes: image is "mine:1", and "builder:1" in its Job. Let webhooks change Jobs instead of pods, or find the user who changed it`
	if failure := Next(w.Observed).Status.Attempts[0].Failure; !strings.HasSuffix(failure.Message, want) {
		t.Errorf("got %s", failure.Message)
	}
}

func otherImage(pod *corev1.Pod) {
	pod.Spec.Containers[0].Image = "mine:1"
}

func podReason(reason string) func(*corev1.Pod) {
	return func(pod *corev1.Pod) { pod.Status.Reason, pod.Status.Message = reason, "the kubelet says so" }
}

func disrupted(reason string) func(*corev1.Pod) {
	return func(pod *corev1.Pod) {
		pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue, Reason: reason})
	}
}

func deleted(at time.Time) func(*corev1.Pod) {
	return func(pod *corev1.Pod) {
		grace := int64(30)
		end := metav1.NewTime(at.Add(30 * time.Second))
		pod.DeletionTimestamp, pod.DeletionGracePeriodSeconds = &end, &grace
		pod.Generation, pod.Status.ObservedGeneration = 2, 2
		if ended := terminated(pod); ended != nil && ended.FinishedAt.Time.Before(at) {
			pod.Status.ObservedGeneration = 1
		}
	}
}

// deletedByKubelet adds the kubelet's final deletion request to a pod. because: the container ended due to an earlier request.
func deletedByKubelet(at time.Time, because bool) func(*corev1.Pod) {
	return func(pod *corev1.Pod) {
		pod.DeletionTimestamp, pod.DeletionGracePeriodSeconds = new(metav1.NewTime(at)), new(int64(0))
		pod.Generation, pod.Status.ObservedGeneration = 2, 1
		if because {
			pod.Status.ObservedGeneration = 2
		}
	}
}

func (w *scenario) cancelRequested() *scenario {
	w.Build.Spec.CancelRequested = &v1alpha1.CancelRequested{Time: metav1.NewTime(t0), By: "ada", Reason: "wrong base"}
	return w
}

// deleted has the build deleted, and a finalizer keep it.
func (w *scenario) deleted() *scenario {
	w.Build.DeletionTimestamp, w.Build.Finalizers = new(metav1.NewTime(t0)), []string{"example.com/keep"}
	return w
}

func (w *scenario) with(change func(*scenario)) *scenario {
	change(w)
	return w
}

func TestNext(t *testing.T) {
	const (
		pending    = v1alpha1.BuildPending
		queued     = v1alpha1.BuildQueued
		starting   = v1alpha1.BuildStarting
		run        = v1alpha1.BuildRunning
		retrying   = v1alpha1.BuildRetrying
		cancelling = v1alpha1.BuildCancelling
		succeeded  = v1alpha1.BuildSucceeded
		failed     = v1alpha1.BuildFailed
		cancelled  = v1alpha1.BuildCancelled
	)
	quick := func(w *scenario) { // short enough for the clock of the cases to pass it
		w.Build.Spec.Timeouts.Start = &v1alpha1.Duration{Duration: 9 * time.Second}
	}
	disruptions := func(n int32) func(*scenario) {
		return func(w *scenario) {
			for i := int32(1); i < n; i++ {
				w.ended(v1alpha1.AttemptDisrupted, &v1alpha1.BuildFailure{Class: v1alpha1.FailureInfrastructure, Reason: v1alpha1.ReasonEvicted}).attempt(i + 1)
			}
		}
	}
	failures := func(n int32) func(*scenario) {
		return func(w *scenario) {
			for i := int32(1); i < n; i++ {
				w.ended(v1alpha1.AttemptFailed, &v1alpha1.BuildFailure{Class: v1alpha1.FailureInfrastructure, Reason: v1alpha1.ReasonBuilderTempFail}).attempt(i + 1)
			}
		}
	}
	cases := []struct {
		name   string
		given  *scenario
		phase  v1alpha1.BuildPhase
		action Action
		reason v1alpha1.FailureReason // of the build if it has failed, else of the last attempt
		why    string                 // reason of the first of Admitted and PodReady that is False
	}{
		{name: "its turn: the intent is stored before there is a Job", given: given(pending).with(func(w *scenario) { w.Resolved, w.Admission.Admitted = resolved, true }), phase: starting, why: v1alpha1.ReasonWaitingForPod},
		{name: "not its turn: it waits", given: given(pending).with(func(w *scenario) { w.Resolved = resolved }), phase: queued, why: v1alpha1.ReasonWaitingForSlot},
		{name: "its turn has come", given: given(queued).with(func(w *scenario) { w.Build.Status.Resolved, w.Admission.Admitted = resolved, true }), phase: starting, why: v1alpha1.ReasonWaitingForPod},
		{name: "the inputs do not resolve", given: given(pending).with(func(w *scenario) {
			w.Unresolved = v1alpha1.ReasonSourceNotFound.Failure("ConfigMap x")
		}), phase: failed, reason: v1alpha1.ReasonSourceNotFound},
		{name: "the builder is gone while it waits", given: given(queued).with(func(w *scenario) {
			w.Build.Status.Resolved, w.Admission.Admitted = resolved, true
			w.Unresolved = v1alpha1.ReasonBuilderNotFound.Failure("mock")
		}), phase: failed, reason: v1alpha1.ReasonBuilderNotFound},
		{name: "cancelled before anybody looked", given: given(pending).cancelRequested(), phase: cancelled, reason: v1alpha1.ReasonCancelRequested},
		{name: "cancelled while it waits", given: given(queued).cancelRequested(), phase: cancelled, reason: v1alpha1.ReasonCancelRequested},

		{name: "intent written, Job not there: the Job is created", given: given(starting), phase: starting, action: CreateJob},
		{name: "the builder is gone before the Job is created", given: given(starting).with(func(w *scenario) {
			w.Unresolved = v1alpha1.ReasonBuilderNotFound.Failure("mock")
		}), phase: failed, reason: v1alpha1.ReasonBuilderNotFound},
		{name: "the Job is refused", given: given(starting).with(func(w *scenario) { w.Rejected = `jobs.batch "x" is forbidden: no` }), phase: failed, reason: v1alpha1.ReasonJobRejected},
		{name: "Job there and ours: adopted", given: given(starting).job().pod(corev1.PodRunning, running()), phase: run},
		{name: "a stranger's Job", given: given(starting).job(func(j *batchv1.Job) { j.OwnerReferences[0].UID = "stranger" }), phase: retrying, reason: v1alpha1.ReasonJobConflict, why: v1alpha1.ReasonBackingOff},
		{name: "a stranger's Job whose pod says that all is well", given: given(starting).job(func(j *batchv1.Job) { j.OwnerReferences[0].UID = "stranger" }).pod(corev1.PodSucceeded, exited(0, goodResult)), phase: retrying, reason: v1alpha1.ReasonJobConflict, why: v1alpha1.ReasonBackingOff},
		{name: "a Job of another attempt", given: given(starting).job(func(j *batchv1.Job) { j.Labels[v1alpha1.LabelAttempt] = "7" }), phase: retrying, reason: v1alpha1.ReasonJobConflict, why: v1alpha1.ReasonBackingOff},
		{name: "a Job that belongs to nobody", given: given(starting).job(func(j *batchv1.Job) { j.OwnerReferences = nil }), phase: retrying, reason: v1alpha1.ReasonJobConflict, why: v1alpha1.ReasonBackingOff},
		{name: "a Job that says to be ours and is not", given: given(starting).foreign().pod(corev1.PodSucceeded, exited(0, goodResult)), phase: retrying, reason: v1alpha1.ReasonJobConflict, why: v1alpha1.ReasonBackingOff},
		{name: "after such a Job, which stays, at once", given: given(retrying).foreign().ended(v1alpha1.AttemptDisrupted, &v1alpha1.BuildFailure{Reason: v1alpha1.ReasonJobConflict}), phase: starting, why: v1alpha1.ReasonWaitingForPod},
		{name: "such a Job in the place of the deleted Job stays", given: given(succeeded).recorded().foreign().with(func(w *scenario) { w.Job.UID = "other" }), phase: succeeded},
		{name: "the late Job of an earlier process, in the place of the deleted Job", given: given(succeeded).recorded().job(func(j *batchv1.Job) { j.UID = "other" }), phase: succeeded, action: DeleteJob},
		{name: "a recorded Job goes on, whatever this version renders", given: given(run).recorded().foreign().pod(corev1.PodSucceeded, exited(0, goodResult)), phase: succeeded},
		{name: "a Job that cannot be compared, because its builder is not registered", given: given(starting).job().pod(corev1.PodSucceeded, exited(0, goodResult)).with(func(w *scenario) {
			w.Origin, w.Unresolved = Unknown, v1alpha1.ReasonBuilderNotFound.Failure("mock")
		}), phase: failed, reason: v1alpha1.ReasonBuilderNotFound},
		{name: "a Job that cannot be compared, because a webhook refuses dry runs", given: given(starting).uncompared(noDryRun), phase: retrying, reason: v1alpha1.ReasonJobConflict, why: v1alpha1.ReasonBackingOff},
		{name: "a Job that cannot be compared, because it fills the quota", given: given(starting).uncompared(overJobQuota), phase: retrying, reason: v1alpha1.ReasonJobConflict, why: v1alpha1.ReasonBackingOff},
		{name: "such a Job is deleted", given: given(retrying).uncompared(overJobQuota).ended(v1alpha1.AttemptDisrupted, &v1alpha1.BuildFailure{Reason: v1alpha1.ReasonJobConflict}), phase: retrying, action: DeleteJob},
		{name: "a Job that cannot be compared yet", given: given(starting).uncompared(notReady).with(func(w *scenario) { w.Now = t0.Add(firstLook) }), phase: starting, why: v1alpha1.ReasonWaitingForPod},
		{name: "a Job that could not be compared, and was deleted", given: given(starting).with(func(w *scenario) { w.Uncompared = overJobQuota }), phase: starting, action: CreateJob},
		{name: "a Job that another process created after the refusal", given: given(starting).job().pod(corev1.PodRunning, running()).with(func(w *scenario) { w.Rejected = overJobQuota }), phase: run},
		{name: "a pod of the Job with another image", given: given(starting).job().pod(corev1.PodSucceeded, exited(0, goodResult), otherImage), phase: retrying, reason: v1alpha1.ReasonJobConflict, why: v1alpha1.ReasonBackingOff},
		{name: "the recorded pod got another image", given: given(run).recorded().job().pod(corev1.PodSucceeded, exited(0, goodResult), otherImage), phase: retrying, reason: v1alpha1.ReasonJobConflict, why: v1alpha1.ReasonBackingOff},
		{name: "the Job got another input while it was suspended", given: given(starting).job(resumed, func(j *batchv1.Job) { j.Spec.Template.Annotations[v1alpha1.AnnotationInput] = "{}" }).pod(corev1.PodSucceeded, exited(0, goodResult), func(p *corev1.Pod) { p.Annotations[v1alpha1.AnnotationInput] = "{}" }), phase: retrying, reason: v1alpha1.ReasonJobConflict, why: v1alpha1.ReasonBackingOff},
		{name: "the Job got another input between two looks of the Job controller", given: given(starting).job(func(j *batchv1.Job) { j.Generation, j.Spec.Template.Annotations[v1alpha1.AnnotationInput] = 4, "{}" }).pod(corev1.PodSucceeded, exited(0, goodResult), func(p *corev1.Pod) { p.Annotations[v1alpha1.AnnotationInput] = "{}" }), phase: retrying, reason: v1alpha1.ReasonJobConflict, why: v1alpha1.ReasonBackingOff},
		{name: "such a pod is deleted with its Job", given: given(retrying).job().pod(corev1.PodSucceeded, exited(0, goodResult), otherImage).ended(v1alpha1.AttemptDisrupted, &v1alpha1.BuildFailure{Reason: v1alpha1.ReasonJobConflict}), phase: retrying, action: DeleteJob},
		{name: "an unrecorded pod whose Job no longer exists", given: given(run).recorded().pod(corev1.PodSucceeded, exited(0, goodResult)).with(func(w *scenario) { w.current().PodUID = "" }), phase: retrying, reason: v1alpha1.ReasonJobDeleted, why: v1alpha1.ReasonBackingOff},
		{name: "no pod yet", given: given(starting).job(), phase: starting, why: v1alpha1.ReasonWaitingForPod},
		{name: "unschedulable", given: given(starting).job().pod(corev1.PodPending, func(p *corev1.Pod) {
			p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Message: "0 of 2 nodes are available"}}
		}), phase: starting, why: v1alpha1.ReasonUnschedulable},
		{name: "image being pulled", given: given(starting).job().pod(corev1.PodPending, waitingState("ImagePullBackOff")), phase: starting, why: v1alpha1.ReasonImagePulling},
		{name: "image not pulled in time", given: given(starting).with(quick).job().pod(corev1.PodPending, waitingState("ErrImagePull")), phase: retrying, reason: v1alpha1.ReasonImagePullFailed, why: v1alpha1.ReasonBackingOff},
		{name: "not scheduled in time", given: given(starting).with(quick).job().pod(corev1.PodPending), phase: failed, reason: v1alpha1.ReasonStartTimeout},
		{name: "no pod in time", given: given(starting).with(quick).job(), phase: failed, reason: v1alpha1.ReasonStartTimeout},
		{name: "not a legal image name", given: given(starting).job().pod(corev1.PodPending, waitingState("InvalidImageName")), phase: failed, reason: v1alpha1.ReasonInvalidImageName},
		{name: "container cannot be configured", given: given(starting).job().pod(corev1.PodPending, waitingState("CreateContainerConfigError")), phase: failed, reason: v1alpha1.ReasonBuilderNotRunnable},

		{name: "exit 0 with a good result is final though the pod still runs", given: given(run).recorded().job().pod(corev1.PodRunning, exited(0, goodResult)), phase: succeeded},
		{name: "started and ended between two looks", given: given(starting).job().pod(corev1.PodSucceeded, exited(0, goodResult)), phase: succeeded},
		{name: "a success counts though the Job was deleted", given: given(run).recorded().pod(corev1.PodRunning, exited(0, goodResult)), phase: succeeded},
		{name: "a failure waits for the pod's phase", given: given(run).recorded().job().pod(corev1.PodRunning, exited(1, "")), phase: run},
		{name: "a bad result waits for the pod's phase", given: given(run).recorded().job().pod(corev1.PodRunning, exited(0, "{")), phase: run},
		{name: "the builder failed", given: given(run).recorded().job().pod(corev1.PodFailed, exited(1, "")), phase: failed, reason: v1alpha1.ReasonBuilderFailed},
		{name: "no result", given: given(run).recorded().job().pod(corev1.PodSucceeded, exited(0, "")), phase: failed, reason: v1alpha1.ReasonNoResult},
		{name: "malformed result", given: given(run).recorded().job().pod(corev1.PodSucceeded, exited(0, "{")), phase: failed, reason: v1alpha1.ReasonInvalidResult},
		{name: "exit 75", given: given(run).recorded().job().pod(corev1.PodFailed, exited(75, "")), phase: retrying, reason: v1alpha1.ReasonBuilderTempFail, why: v1alpha1.ReasonBackingOff},
		{name: "exit 75 with the retries used up", given: given(run).with(failures(3)).recorded().job().pod(corev1.PodFailed, exited(75, "")), phase: failed, reason: v1alpha1.ReasonBuilderTempFail},
		{name: "a class that is not retried", given: given(run).with(func(w *scenario) { w.Build.Spec.Retry.Classes = []v1alpha1.FailureClass{v1alpha1.FailureRegistry} }).recorded().job().pod(corev1.PodFailed, exited(75, "")), phase: failed, reason: v1alpha1.ReasonBuilderTempFail},
		{name: "a user's failure is retried where asked for", given: given(run).with(func(w *scenario) { w.Build.Spec.Retry.Classes = []v1alpha1.FailureClass{v1alpha1.FailureUser} }).recorded().job().pod(corev1.PodFailed, exited(1, "")), phase: retrying, reason: v1alpha1.ReasonBuilderFailed, why: v1alpha1.ReasonBackingOff},
		{name: "out of memory", given: given(run).recorded().job().pod(corev1.PodFailed, exitedFor(137, "OOMKilled", "")), phase: failed, reason: v1alpha1.ReasonOOMKilled},
		{name: "builder cannot be started", given: given(starting).job().pod(corev1.PodFailed, exitedFor(128, "StartError", "no such file")), phase: failed, reason: v1alpha1.ReasonBuilderNotRunnable},
		{name: "builder is no longer registered when it could start", given: given(starting).job().pod(corev1.PodFailed, exitedFor(128, "BuilderNotFound", "removed")), phase: failed, reason: v1alpha1.ReasonBuilderNotFound},
		{name: "run timeout", given: given(run).recorded().job().pod(corev1.PodFailed, exited(143, ""), podReason("DeadlineExceeded")), phase: failed, reason: v1alpha1.ReasonRunTimeout},
		{name: "run timeout: the node has time to confirm the end", given: given(run).recorded().job().pod(corev1.PodRunning, running()).with(ranFor(v1alpha1.DefaultRunTimeout + render.GracePeriod + confirmationTime - time.Second)), phase: run},
		{name: "run timeout: the node does not confirm the end in time", given: given(run).recorded().job().pod(corev1.PodRunning, running()).with(ranFor(v1alpha1.DefaultRunTimeout + render.GracePeriod + confirmationTime)), phase: failed, reason: v1alpha1.ReasonRunTimeout},
		{name: "deadline with no container started", given: given(starting).job().pod(corev1.PodFailed, podReason("DeadlineExceeded")), phase: failed, reason: v1alpha1.ReasonStartTimeout},
		{name: "rejected by the node", given: given(starting).job().pod(corev1.PodFailed, podReason("OutOfcpu")), phase: retrying, reason: v1alpha1.ReasonNodeRejected, why: v1alpha1.ReasonBackingOff},

		{name: "evicted by the kubelet", given: given(run).recorded().job().pod(corev1.PodFailed, exited(137, ""), podReason("Evicted")), phase: retrying, reason: v1alpha1.ReasonEvicted, why: v1alpha1.ReasonBackingOff},
		{name: "preempted", given: given(run).recorded().job().pod(corev1.PodFailed, exited(143, ""), disrupted("PreemptionByScheduler")), phase: retrying, reason: v1alpha1.ReasonPreempted, why: v1alpha1.ReasonBackingOff},
		{name: "node shut down", given: given(run).recorded().job().pod(corev1.PodFailed, exited(143, ""), podReason("Terminated"), disrupted("TerminationByKubelet")), phase: retrying, reason: v1alpha1.ReasonNodeShutdown, why: v1alpha1.ReasonBackingOff},
		{name: "process lost with its server", given: given(run).recorded().job().pod(corev1.PodFailed, exited(137, ""), disrupted("ProcessLost")), phase: retrying, reason: v1alpha1.ReasonProcessLost, why: v1alpha1.ReasonBackingOff},
		{name: "node lost: the pod never ends", given: given(run).recorded().job().pod(corev1.PodRunning, running(), disrupted("DeletionByTaintManager"), deleted(t0)), phase: retrying, reason: v1alpha1.ReasonNodeLost, why: v1alpha1.ReasonBackingOff},
		{name: "Job deleted by hand: its pod, which may stay, is deleted", given: given(run).recorded().pod(corev1.PodRunning, running()), phase: run, action: DeletePod},
		{name: "Job deleted by hand, its pod ends", given: given(run).recorded().pod(corev1.PodRunning, running(), deleted(t0)), phase: run},
		{name: "Job deleted by hand, its pod's node is lost", given: given(run).recorded().pod(corev1.PodRunning, running(), disrupted("DeletionByTaintManager"), deleted(t0)), phase: retrying, reason: v1alpha1.ReasonNodeLost, why: v1alpha1.ReasonBackingOff},
		{name: "Job deleted by hand, its pod's node does not confirm the end", given: given(run).recorded().pod(corev1.PodRunning, running(), deleted(t0)).with(func(w *scenario) { w.Now = t0.Add(30*time.Second + confirmationTime) }), phase: retrying, reason: v1alpha1.ReasonJobDeleted, why: v1alpha1.ReasonBackingOff},
		{name: "Job deleted by hand, its pod no longer exists", given: given(run).recorded(), phase: retrying, reason: v1alpha1.ReasonJobDeleted, why: v1alpha1.ReasonBackingOff},
		{name: "Job deleted before it was recorded: its pod is deleted", given: given(starting).pod(corev1.PodRunning, running()), phase: starting, action: DeletePod},
		{name: "Job deleted before it was recorded, its pod has succeeded: nobody recorded it", given: given(starting).pod(corev1.PodSucceeded, exited(0, goodResult)), phase: starting, action: CreateJob},
		{name: "Job deleted by hand, and its pod with it", given: given(run).recorded().pod(corev1.PodFailed, exited(143, ""), deleted(t0.Add(2*time.Second))), phase: retrying, reason: v1alpha1.ReasonJobDeleted, why: v1alpha1.ReasonBackingOff},
		{name: "Job deleted in the foreground, after its pod", given: given(run).recorded().job(func(j *batchv1.Job) { j.DeletionTimestamp = new(metav1.NewTime(t0)) }).pod(corev1.PodFailed, exited(143, ""), deleted(t0.Add(2*time.Second))), phase: retrying, reason: v1alpha1.ReasonJobDeleted, why: v1alpha1.ReasonBackingOff},
		{name: "Job deleted by hand, and its pod's container had failed", given: given(run).recorded().pod(corev1.PodFailed, exited(1, ""), deleted(t0.Add(8*time.Second))), phase: failed, reason: v1alpha1.ReasonBuilderFailed},
		{name: "Job deleted and made again by somebody", given: given(run).recorded().job(func(j *batchv1.Job) { j.UID = "other" }), phase: retrying, reason: v1alpha1.ReasonJobDeleted, why: v1alpha1.ReasonBackingOff},
		{name: "pod deleted by hand", given: given(run).recorded().job(), phase: retrying, reason: v1alpha1.ReasonPodDeleted, why: v1alpha1.ReasonBackingOff},
		{name: "pod deleted by hand, its end still seen", given: given(run).recorded().job().pod(corev1.PodFailed, exited(143, ""), deleted(t0.Add(2*time.Second))), phase: retrying, reason: v1alpha1.ReasonPodDeleted, why: v1alpha1.ReasonBackingOff},
		{name: "pod deleted after it had failed", given: given(run).recorded().job().pod(corev1.PodFailed, exited(1, ""), deleted(t0.Add(8*time.Second))), phase: failed, reason: v1alpha1.ReasonBuilderFailed},
		{name: "pod deleted by hand, its end still seen when the kubelet deletes it too", given: given(run).recorded().job().pod(corev1.PodFailed, exited(143, ""), deletedByKubelet(t0.Add(8*time.Second), true)), phase: retrying, reason: v1alpha1.ReasonPodDeleted, why: v1alpha1.ReasonBackingOff},
		{name: "pod deleted after it had failed, at once", given: given(run).recorded().job().pod(corev1.PodFailed, exited(1, ""), deletedByKubelet(t0.Add(8*time.Second), false)), phase: failed, reason: v1alpha1.ReasonBuilderFailed},
		{name: "pod deleted by hand, on a node whose clock is behind", given: given(run).recorded().job().pod(corev1.PodFailed, exited(143, ""), deleted(t0.Add(2*time.Second)), func(p *corev1.Pod) { terminated(p).FinishedAt = metav1.NewTime(t0.Add(-time.Hour)) }), phase: retrying, reason: v1alpha1.ReasonPodDeleted, why: v1alpha1.ReasonBackingOff},
		{name: "pod being deleted may still succeed", given: given(run).recorded().job().pod(corev1.PodRunning, running(), deleted(t0)), phase: run},
		{name: "pod being deleted and the Job has given up", given: given(run).recorded().job(jobCondition(batchv1.JobFailureTarget)).pod(corev1.PodRunning, running(), deleted(t0)), phase: retrying, reason: v1alpha1.ReasonPodDeleted, why: v1alpha1.ReasonBackingOff},
		{name: "Job ended and its pod was never seen", given: given(starting).job(jobCondition(batchv1.JobFailed)), phase: retrying, reason: v1alpha1.ReasonPodDeleted, why: v1alpha1.ReasonBackingOff},
		{name: "the ninth disruption", given: given(run).with(disruptions(9)).recorded().job().pod(corev1.PodFailed, podReason("Evicted")), phase: retrying, reason: v1alpha1.ReasonEvicted, why: v1alpha1.ReasonBackingOff},
		{name: "the tenth disruption", given: given(run).with(disruptions(10)).recorded().job().pod(corev1.PodFailed, podReason("Evicted")), phase: failed, reason: v1alpha1.ReasonEvicted},
		{name: "disruptions do not use up the retries", given: given(run).with(disruptions(9)).recorded().job().pod(corev1.PodFailed, exited(75, "")), phase: retrying, reason: v1alpha1.ReasonBuilderTempFail, why: v1alpha1.ReasonBackingOff},

		{name: "backing off", given: given(retrying).recorded().ended(v1alpha1.AttemptFailed, &v1alpha1.BuildFailure{Class: v1alpha1.FailureInfrastructure}), phase: retrying},
		{name: "backoff over", given: given(retrying).recorded().ended(v1alpha1.AttemptFailed, &v1alpha1.BuildFailure{Class: v1alpha1.FailureInfrastructure}).with(func(w *scenario) { w.Now = t0.Add(18 * time.Second) }), phase: starting, why: v1alpha1.ReasonWaitingForPod},
		{name: "after a disruption at once", given: given(retrying).recorded().ended(v1alpha1.AttemptDisrupted, &v1alpha1.BuildFailure{Class: v1alpha1.FailureInfrastructure}), phase: starting, why: v1alpha1.ReasonWaitingForPod},
		{name: "what could still run of the attempt before is deleted", given: given(retrying).recorded().ended(v1alpha1.AttemptFailed, &v1alpha1.BuildFailure{Class: v1alpha1.FailureRegistry}).job().pod(corev1.PodPending), phase: retrying, action: DeleteJob},
		{name: "what could still run of the attempt before is deleted first, also when the backoff is over", given: given(retrying).recorded().ended(v1alpha1.AttemptFailed, &v1alpha1.BuildFailure{Class: v1alpha1.FailureTimeout}).job().pod(corev1.PodPending).with(func(w *scenario) { w.Now = t0.Add(time.Hour) }), phase: retrying, action: DeleteJob},
		{name: "and so is its pod, if that stays", given: given(retrying).recorded().ended(v1alpha1.AttemptFailed, &v1alpha1.BuildFailure{Class: v1alpha1.FailureTimeout}).pod(corev1.PodPending).with(func(w *scenario) { w.Now = t0.Add(time.Hour) }), phase: retrying, action: DeletePod},
		{name: "and the next attempt waits for the pod's end", given: given(retrying).recorded().ended(v1alpha1.AttemptFailed, &v1alpha1.BuildFailure{Class: v1alpha1.FailureTimeout}).pod(corev1.PodRunning, running(), deleted(t0.Add(time.Hour))).with(func(w *scenario) { w.Now = t0.Add(time.Hour) }), phase: retrying},
		{name: "and the next attempt starts once its Job is going", given: given(retrying).recorded().ended(v1alpha1.AttemptFailed, &v1alpha1.BuildFailure{Class: v1alpha1.FailureTimeout}).job(func(j *batchv1.Job) { j.DeletionTimestamp = &metav1.Time{Time: t0} }).with(func(w *scenario) { w.Now = t0.Add(time.Hour) }), phase: starting, why: v1alpha1.ReasonWaitingForPod},
		{name: "a Job that was made again, as its first was deleted before that was known, is deleted", given: given(retrying).recorded().ended(v1alpha1.AttemptFailed, &v1alpha1.BuildFailure{Class: v1alpha1.FailureTimeout}).job(func(j *batchv1.Job) { j.UID = "other" }).with(func(w *scenario) { w.Now = t0.Add(time.Hour) }), phase: retrying, action: DeleteJob},
		{name: "and what somebody else has made is not", given: given(retrying).recorded().ended(v1alpha1.AttemptFailed, &v1alpha1.BuildFailure{Class: v1alpha1.FailureTimeout}).job(func(j *batchv1.Job) { j.UID, j.OwnerReferences = "other", nil }).with(func(w *scenario) { w.Now = t0.Add(time.Hour) }), phase: starting, why: v1alpha1.ReasonWaitingForPod},
		{name: "cancelled between attempts", given: given(retrying).recorded().ended(v1alpha1.AttemptFailed, nil).cancelRequested(), phase: cancelled, reason: v1alpha1.ReasonCancelRequested},

		{name: "cancel is stored before anything is stopped", given: given(run).recorded().job().pod(corev1.PodRunning, running()).cancelRequested(), phase: cancelling},
		{name: "cancel: a container has started, so its log stays", given: given(cancelling).recorded().job().pod(corev1.PodRunning, running()).cancelRequested(), phase: cancelling, action: StopPod},
		{name: "cancel: no container has started", given: given(cancelling).recorded().job().pod(corev1.PodPending).cancelRequested(), phase: cancelling, action: DeleteJob},
		{name: "cancel: no Job was created", given: given(cancelling).cancelRequested(), phase: cancelled, reason: v1alpha1.ReasonCancelRequested},
		{name: "cancel: the pod has ended", given: given(cancelling).recorded().job().pod(corev1.PodFailed, exited(143, ""), podReason("DeadlineExceeded")).cancelRequested(), phase: cancelled, reason: v1alpha1.ReasonCancelRequested},
		{name: "cancel: the pod is lost, and its Job could make another", given: given(cancelling).recorded().job().cancelRequested(), phase: cancelling, action: DeleteJob},
		{name: "cancel: the pod ends", given: given(cancelling).recorded().pod(corev1.PodRunning, running(), deleted(t0)).cancelRequested(), phase: cancelling},
		{name: "cancel: the Job is deleted, and the pod stays", given: given(cancelling).recorded().pod(corev1.PodRunning, running()).cancelRequested(), phase: cancelling, action: DeletePod},
		{name: "cancelled between attempts, and the pod ends", given: given(retrying).recorded().ended(v1alpha1.AttemptFailed, nil).pod(corev1.PodRunning, running(), deleted(t0)).cancelRequested(), phase: retrying},
		{name: "finished: a pod whose Job was deleted is deleted", given: given(failed).recorded().pod(corev1.PodPending), phase: failed, action: DeletePod},
		{name: "cancel: the node is lost", given: given(cancelling).recorded().pod(corev1.PodRunning, running(), disrupted("DeletionByTaintManager"), deleted(t0)).cancelRequested(), phase: cancelled, reason: v1alpha1.ReasonCancelRequested},
		{name: "cancel: the node has time to confirm the end", given: given(cancelling).recorded().stopped(t0).job().pod(corev1.PodRunning, running()).cancelRequested().with(func(w *scenario) { w.Now = t0.Add(render.GracePeriod + confirmationTime - time.Second) }), phase: cancelling, action: StopPod},
		{name: "cancel: the node does not confirm the end in time", given: given(cancelling).recorded().stopped(t0).job().pod(corev1.PodRunning, running()).cancelRequested().with(func(w *scenario) { w.Now = t0.Add(render.GracePeriod + confirmationTime) }), phase: cancelling, action: DeleteJob},
		{name: "cancel: nor that of the pod that was deleted", given: given(cancelling).recorded().stopped(t0).pod(corev1.PodRunning, running(), deleted(t0)).cancelRequested().with(func(w *scenario) { w.Now = t0.Add(30*time.Second + confirmationTime) }), phase: cancelled, reason: v1alpha1.ReasonCancelRequested},
		{name: "cancel: it had finished first", given: given(cancelling).recorded().job().pod(corev1.PodSucceeded, exited(0, goodResult)).cancelRequested(), phase: succeeded},
		{name: "cancel: a stranger's Job is left alone", given: given(cancelling).job(func(j *batchv1.Job) { j.OwnerReferences = nil }).cancelRequested(), phase: cancelled, reason: v1alpha1.ReasonCancelRequested},

		{name: "deleted while it waits", given: given(queued).deleted(), phase: cancelled, reason: v1alpha1.ReasonCancelRequested},
		{name: "deleted while Kueue holds it", given: given(queued).with(func(w *scenario) { w.attempt(1) }).job(func(j *batchv1.Job) { j.Spec.Suspend = new(true) }).deleted(), phase: cancelled, reason: v1alpha1.ReasonCancelRequested},
		{name: "deleted before its Job is created", given: given(starting).deleted(), phase: cancelling},
		{name: "deleted while it runs", given: given(run).recorded().job().pod(corev1.PodRunning, running()).deleted(), phase: cancelling},
		{name: "deleted while it runs, and stored: its pod is stopped", given: given(cancelling).recorded().job().pod(corev1.PodRunning, running()).deleted(), phase: cancelling, action: StopPod},
		{name: "deleted between attempts", given: given(retrying).recorded().ended(v1alpha1.AttemptFailed, nil).deleted(), phase: cancelled, reason: v1alpha1.ReasonCancelRequested},
		{name: "deleted after it finished", given: given(succeeded).recorded().job().pod(corev1.PodSucceeded, exited(0, goodResult)).deleted(), phase: succeeded},

		{name: "finished: a Job that lags behind its container stays, with its log", given: given(succeeded).recorded().job().pod(corev1.PodRunning, exited(0, goodResult)), phase: succeeded},
		{name: "finished: a Job that never started is deleted", given: given(failed).recorded().job().pod(corev1.PodPending), phase: failed, action: DeleteJob},
		{name: "finished: a stranger's Job is left alone", given: given(failed).job(func(j *batchv1.Job) { j.OwnerReferences = nil }), phase: failed},
		{name: "finished: a Job that lags behind its pod, which is gone, stays", given: given(succeeded).recorded().job(jobCondition(batchv1.JobFailureTarget)), phase: succeeded},
		{name: "finished: a Job that could make another pod is deleted", given: given(failed).recorded().job(), phase: failed, action: DeleteJob},
		{name: "finished: an ended Job stays", given: given(failed).recorded().job(jobCondition(batchv1.JobFailed)), phase: failed},
		{name: "finished: cancelling it changes nothing", given: given(succeeded).recorded().cancelRequested(), phase: succeeded},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			before := c.given.Build.DeepCopy()
			decision := Next(c.given.Observed)
			if diff := cmp.Diff(before, c.given.Build); diff != "" {
				t.Errorf("the build was changed: %s", diff)
			}
			if decision.Status.Phase != c.phase {
				t.Fatalf("phase %s, want %s; failure %+v", decision.Status.Phase, c.phase, decision.Status.Failure)
			}
			if from := before.Status.Phase; from != c.phase && !slices.Contains(legal[from], c.phase) {
				t.Errorf("%s → %s is not a legal transition", from, c.phase)
			}
			if decision.Action != c.action {
				t.Errorf("action %q, want %q", decision.Action, c.action)
			}
			if decision.Action != NoAction && !cmp.Equal(decision.Status, before.Status) && before.Status.Phase != c.phase {
				t.Errorf("an action before its intent is stored")
			}
			if got := reasonOf(decision.Status); c.reason != "" && got != c.reason {
				t.Errorf("reason %q, want %q", got, c.reason)
			}
			if got := why(decision.Status); c.why != "" && got != c.why {
				t.Errorf("why %q, want %q", got, c.why)
			}
			consistent(t, c.given.Observed, decision.Status)
			again := c.given.Observed
			again.Build = before.DeepCopy()
			again.Build.Status = decision.Status
			if from := before.Status.Phase; from == c.phase && !cmp.Equal(Next(again).Status, decision.Status) {
				t.Errorf("asked again it decides something else: %s", cmp.Diff(Next(again).Status, decision.Status))
			}
		})
	}
}

// consistent holds what is true of every stored status.
func consistent(t *testing.T, o Observed, status v1alpha1.ImageBuildStatus) {
	t.Helper()
	if !o.Build.Status.Phase.Finished() && status.Phase.Finished() {
		if !status.Finished || status.CompletionTime == nil || !meta.IsStatusConditionTrue(status.Conditions, v1alpha1.BuildConditionFinished) {
			t.Errorf("finished, but not said so everywhere: %+v", status)
		}
		if (status.Phase == v1alpha1.BuildSucceeded) != (len(status.Artifacts) > 0 && status.Failure == nil) {
			t.Errorf("phase %s with artifacts %v and failure %v", status.Phase, status.Artifacts, status.Failure)
		}
		for _, attempt := range status.Attempts {
			if attempt.Outcome == "" {
				t.Errorf("attempt %d has no outcome", attempt.Number)
			}
		}
	}
	for i, attempt := range status.Attempts {
		if int(attempt.Number) != i+1 {
			t.Errorf("attempt %d is number %d", i, attempt.Number)
		}
		if i+1 < len(status.Attempts) && attempt.Outcome == "" {
			t.Errorf("attempt %d started before the outcome of attempt %d was stored", i+2, i+1)
		}
	}
}

func reasonOf(status v1alpha1.ImageBuildStatus) v1alpha1.FailureReason {
	if status.Failure != nil {
		return status.Failure.Reason
	}
	if n := len(status.Attempts); n > 0 && status.Attempts[n-1].Failure != nil {
		return status.Attempts[n-1].Failure.Reason
	}
	return ""
}

func why(status v1alpha1.ImageBuildStatus) string {
	for _, kind := range []string{v1alpha1.BuildAdmitted, v1alpha1.BuildPodReady} {
		if condition := meta.FindStatusCondition(status.Conditions, kind); condition != nil && condition.Status == metav1.ConditionFalse {
			return condition.Reason
		}
	}
	return ""
}

func TestRunningRecordsWhichJobAndPodAreBelieved(t *testing.T) {
	w := given(v1alpha1.BuildStarting).job().pod(corev1.PodRunning, running())
	attempt := Next(w.Observed).Status.Attempts[0]
	if attempt.JobUID != "job-uid" || attempt.PodUID != "pod-uid" || attempt.PodName != "pod" || attempt.NodeName != "node" {
		t.Errorf("recorded %+v", attempt)
	}
}

// What was verified is kept, so the API serves it. What a builder claims to be verified in a cluster is not.
func TestAKeptArtifactHasALocation(t *testing.T) {
	claimed := strings.Replace(strings.Replace(goodResult, `"version":1`, `"version":1,"check":{}`, 1), `"file":`, `"sbom":{"file":"sbom","digest":"`+goodDigest+`","sizeBytes":1,"mediaType":"a/b","verified":"Content"},"verified":"Content","file":`, 1)
	for checked, want := range map[bool]string{true: "/apis/images.goldsmith.dev/v1alpha1/namespaces/default/imagebuilds/debian-1/artifacts/" + goodDigest, false: ""} {
		w := given(v1alpha1.BuildRunning).recorded().job().pod(corev1.PodSucceeded, exited(0, claimed))
		w.Results.Checked = checked
		artifacts := Next(w.Observed).Status.Artifacts
		if len(artifacts) != 1 || artifacts[0].Location != want || artifacts[0].Document(v1alpha1.DocumentSBOM).Location != want || (artifacts[0].Verified != "") != checked {
			t.Errorf("checked %t: the artifacts are %+v", checked, artifacts)
		}
	}
}

func TestFieldsThatAreIgnoredAreToldByTheConditionSucceeded(t *testing.T) {
	misspelt := strings.Replace(goodResult, `"file":`, `"mediatype":"a/b","file":`, 1)
	for message, want := range map[string]string{goodResult: "", misspelt: `unknown field "artifacts[0].mediatype"`} {
		status := Next(given(v1alpha1.BuildRunning).recorded().job().pod(corev1.PodSucceeded, exited(0, message)).Observed).Status
		succeeded := meta.FindStatusCondition(status.Conditions, v1alpha1.BuildConditionSucceeded)
		if succeeded.Status != metav1.ConditionTrue || (succeeded.Message == "") != (want == "") || !strings.HasSuffix(succeeded.Message, want) {
			t.Errorf("%s: the condition is %+v, want the message %q", message, succeeded, want)
		}
	}
}

func TestAPodWhoseContainerNeverStartedIsNotRecorded(t *testing.T) {
	w := given(v1alpha1.BuildStarting).job().pod(corev1.PodPending)
	w.Now = t0.Add(v1alpha1.DefaultStartTimeout + rounding)
	attempt := Next(w.Observed).Status.Attempts[0]
	if attempt.Outcome != v1alpha1.AttemptFailed || attempt.JobUID != "job-uid" || attempt.PodUID != "" || attempt.PodName != "" || attempt.NodeName != "node" {
		t.Errorf("recorded %+v", attempt)
	}
}

func TestFindPodBelievesOnlyTheRecordedPod(t *testing.T) {
	w := given(v1alpha1.BuildRunning).pod(corev1.PodRunning)
	other := w.Pod.DeepCopy()
	other.UID = types.UID("other")
	attempt := &v1alpha1.BuildAttempt{}
	if got := FindPod(attempt, "job-uid", []*corev1.Pod{other}); got != other {
		t.Errorf("before a pod is recorded: %v, want the Job's", got)
	}
	if got := FindPod(attempt, "another-job", []*corev1.Pod{other}); got != nil {
		t.Errorf("another Job's pod: %v", got)
	}
	left := other.DeepCopy()
	left.OwnerReferences, left.Labels = nil, map[string]string{batchv1.ControllerUidLabel: "job-uid"}
	if got := FindPod(attempt, "job-uid", []*corev1.Pod{left}); got != nil {
		t.Errorf("before a pod is recorded, one that only its labels give to the Job: %v", got)
	}
	attempt.PodUID = "pod-uid"
	if got := FindPod(attempt, "job-uid", []*corev1.Pod{other}); got != nil {
		t.Errorf("another pod of the Job once one is recorded: %v", got)
	}
	if got := FindPod(attempt, "", []*corev1.Pod{other, w.Pod}); got != w.Pod {
		t.Errorf("the recorded pod: %v", got)
	}
}

func TestShortWaitsAreNotWritten(t *testing.T) {
	w := given(v1alpha1.BuildStarting).job().pod(corev1.PodPending, waitingState("ContainerCreating"))
	w.Now = t0.Add(time.Second)
	decision := Next(w.Observed)
	if !cmp.Equal(decision.Status, w.Build.Status) || decision.After != startDelayGrace-time.Second {
		t.Errorf("after a second: %s, next reconcile after %s", cmp.Diff(w.Build.Status, decision.Status), decision.After)
	}
}

func TestWhatWasCancelledBeforeItStartedWasAttempted(t *testing.T) {
	w := given(v1alpha1.BuildPending).cancelRequested()
	w.Resolved = resolved
	if got := Next(w.Observed).Status.Resolved; got != resolved {
		t.Errorf("resolved %v: the same inputs would be built again", got)
	}
}

func TestTimeoutsAreNotCutShortByTheSecondsOfStoredTimes(t *testing.T) {
	w := given(v1alpha1.BuildStarting).job()
	w.Build.Spec.Timeouts.Start = &v1alpha1.Duration{Duration: time.Second}
	w.Now = t0.Add(1900 * time.Millisecond) // the attempt may have started at t0 + 999 ms
	if got := Next(w.Observed).Status.Phase; got != v1alpha1.BuildStarting {
		t.Errorf("phase %s", got)
	}
}

func TestABuildThatADeletionEndedSaysSo(t *testing.T) {
	status := Next(given(v1alpha1.BuildQueued).deleted().Observed).Status
	if got := status.Failure.Message; got != "cancelled: the build is being deleted" {
		t.Errorf("message %q", got)
	}
}

func TestAnUnconfirmedEndNamesPodAndNode(t *testing.T) {
	late := given(v1alpha1.BuildRunning).recorded().job().pod(corev1.PodRunning, running()).with(ranFor(2 * time.Hour))
	cancelled := given(v1alpha1.BuildCancelling).recorded().stopped(t0).pod(corev1.PodRunning, running(), deleted(t0)).cancelRequested()
	cancelled.Now = t0.Add(time.Hour)
	for _, w := range []*scenario{late, cancelled} {
		if got := Next(w.Observed).Status.Failure.Message; !strings.Contains(got, "node node did not confirm the end of pod pod") {
			t.Errorf("message %q", got)
		}
	}
}

func TestCancelSaysWhoAndWhy(t *testing.T) {
	status := Next(given(v1alpha1.BuildQueued).cancelRequested().Observed).Status
	if got := status.Failure.Message; !strings.Contains(got, "ada") || !strings.Contains(got, "wrong base") {
		t.Errorf("message %q", got)
	}
}
