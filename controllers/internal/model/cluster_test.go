// SPDX-License-Identifier: Apache-2.0

package model_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/render"
)

func (w *environment) changeJob(job *batchv1.Job, change func(*batchv1.Job)) {
	next := *job
	change(&next)
	put(w, &w.jobs, &next)
}

func (w *environment) changePod(pod *corev1.Pod, change func(*corev1.Pod)) {
	next := *pod
	change(&next)
	put(w, &w.pods, &next)
}

func jobHas(job *batchv1.Job, kind batchv1.JobConditionType) bool {
	return slices.ContainsFunc(job.Status.Conditions, func(c batchv1.JobCondition) bool { return c.Type == kind && c.Status == corev1.ConditionTrue })
}

// setJobCondition sets one of a Job's conditions.
func (w *environment) setJobCondition(job *batchv1.Job, kind batchv1.JobConditionType, status corev1.ConditionStatus) {
	job.Status.Conditions = slices.DeleteFunc(slices.Clone(job.Status.Conditions), func(c batchv1.JobCondition) bool { return c.Type == kind })
	job.Status.Conditions = append(job.Status.Conditions, batchv1.JobCondition{Type: kind, Status: status, LastTransitionTime: w.time()})
}

func jobOver(job *batchv1.Job) bool {
	return jobHas(job, batchv1.JobComplete) || jobHas(job, batchv1.JobFailed)
}

// ownerOf is the UID of a pod's Job; empty for a pod that its Job has left behind.
func ownerOf(pod *corev1.Pod) types.UID {
	if len(pod.OwnerReferences) == 0 {
		return ""
	}
	return pod.OwnerReferences[0].UID
}

// orphan deletes a Job, and leaves its pod behind.
func (w *environment) orphan(job *batchv1.Job) {
	if pod := w.podOf(job); pod != nil {
		w.changePod(pod, func(next *corev1.Pod) { next.OwnerReferences = nil })
		if !podOver(pod) {
			w.cover.point("a pod is left behind")
		}
	}
	remove(w, &w.jobs, job)
}

func (w *environment) podOf(job *batchv1.Job) *corev1.Pod {
	for _, pod := range w.pods.all {
		if ownerOf(pod) == job.UID {
			return pod
		}
	}
	return nil
}

// workOnJob does the next step of the Job controller or the garbage collector for a Job. It returns false if there is no step.
func (w *environment) workOnJob(job *batchv1.Job, how int) bool {
	if len(job.OwnerReferences) == 0 {
		return false // a stranger's: it is only there
	}
	if w.ownerOfJob(job) == nil && !w.ownedByImage(job) {
		if w.truth.restoredAway[job.OwnerReferences[0].UID] {
			return false // the garbage collector takes another build of that name for the lost one
		}
		remove(w, &w.jobs, job)
		return true
	}
	pod := w.podOf(job)
	switch {
	case jobOver(job):
		return false
	case suspended(job):
		if pod != nil && pod.DeletionTimestamp == nil && !podOver(pod) {
			w.truth.pods[pod.UID].suspended = true
			w.deletePod(pod, "")
			return true
		}
		return false
	case pod == nil && jobHas(job, batchv1.JobFailureTarget):
		w.changeJob(job, func(next *batchv1.Job) { w.setJobCondition(next, batchv1.JobFailed, corev1.ConditionTrue) })
		return true
	case pod == nil:
		return w.makePod(job, how)
	case pod.Status.Phase == corev1.PodSucceeded:
		w.changeJob(job, func(next *batchv1.Job) { w.setJobCondition(next, batchv1.JobComplete, corev1.ConditionTrue) })
		return true
	case pod.Status.Phase == corev1.PodFailed:
		w.changeJob(job, func(next *batchv1.Job) { w.setJobCondition(next, batchv1.JobFailed, corev1.ConditionTrue) })
		return true
	case pod.DeletionTimestamp != nil && !jobHas(job, batchv1.JobFailureTarget) && !jobHas(job, batchv1.JobSuspended) && !wasSuspended(job):
		w.changeJob(job, func(next *batchv1.Job) { w.setJobCondition(next, batchv1.JobFailureTarget, corev1.ConditionTrue) })
		return true
	}
	return false
}

// ownedByImage reports whether a Job checks the source of an Image that exists.
func (w *environment) ownedByImage(job *batchv1.Job) bool {
	image, ok := w.images.get(job.OwnerReferences[0].Name)
	return ok && checksSource(job) && metav1.IsControlledBy(job, image)
}

func wasSuspended(job *batchv1.Job) bool {
	return slices.ContainsFunc(job.Status.Conditions, func(c batchv1.JobCondition) bool { return c.Type == batchv1.JobSuspended })
}

// Messages of an API server about pods that it refuses.
const (
	overQuota = `pods "p" is forbidden: exceeded quota: q`
	forbidden = `pods "p" is forbidden: violates PodSecurity`
)

// makePod makes the pod of a Job, unless it is refused.
func (w *environment) makePod(job *batchv1.Job, how int) bool {
	switch {
	case w.peace:
	case how%9 == 7:
		w.refusals[job.UID] = overQuota
		return true
	case how%29 == 8:
		w.refusals[job.UID], w.forbids[job.UID], w.truth.forbidden[job.Name] = forbidden, true, true
		return true
	}
	delete(w.refusals, job.UID)
	delete(w.forbids, job.UID)
	uid := w.uid()
	labels := maps.Clone(job.Labels)
	labels[batchv1.JobNameLabel], labels[batchv1.ControllerUidLabel] = job.Name, string(job.UID)
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Name: job.Name + "-" + string(uid), Namespace: job.Namespace, UID: uid, Generation: 1, CreationTimestamp: w.time(), Labels: labels,
		Annotations:     job.Annotations,
		OwnerReferences: []metav1.OwnerReference{{APIVersion: "batch/v1", Kind: "Job", Name: job.Name, UID: job.UID, Controller: new(true)}},
	}, Spec: job.Spec.Template.Spec}
	pod.Status.Phase = corev1.PodPending
	w.truth.pods[uid] = &podTruth{job: job.UID, node: nodeUp, question: job.Spec.Template.Annotations[v1alpha1.AnnotationInput]}
	put(w, &w.pods, pod)
	return true
}

func podOver(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}

// publishes reports whether a pod has a publisher, which starts once the builder has succeeded.
func publishes(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Spec.Containers, func(c corev1.Container) bool { return c.Name == render.PublisherName })
}

// publishing reports whether the publisher of a pod is the next container to start, runs or has ended.
func publishing(pod *corev1.Pod) bool {
	builder := render.BuilderStatus(pod)
	return publishes(pod) && builder != nil && builder.State.Terminated != nil && builder.State.Terminated.ExitCode == 0
}

// stateOf is the state of the pod's publisher, if the builder has succeeded, otherwise the state of the builder.
func stateOf(pod *corev1.Pod) corev1.ContainerState {
	status := render.BuilderStatus(pod)
	if publishing(pod) {
		status = render.PublisherStatus(pod)
	}
	if status == nil {
		return corev1.ContainerState{}
	}
	return status.State
}

// setState sets the state that stateOf returns.
func setState(pod *corev1.Pod, state corev1.ContainerState) {
	pod.Status.ObservedGeneration = pod.Generation
	builder := []corev1.ContainerStatus{{Name: render.ContainerName, State: state}}
	if state.Waiting == nil {
		builder[0].ImageID = builderImage
	}
	switch {
	case publishing(pod):
		pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: render.PublisherName, State: state}}
	case publishes(pod):
		waiting := corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "PodInitializing"}}
		pod.Status.InitContainerStatuses = builder
		pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: render.PublisherName, State: waiting}}
	default:
		pod.Status.ContainerStatuses = builder
	}
}

func (w *environment) addCondition(pod *corev1.Pod, kind corev1.PodConditionType, status corev1.ConditionStatus, reason string) {
	pod.Status.Conditions = slices.DeleteFunc(slices.Clone(pod.Status.Conditions), func(c corev1.PodCondition) bool { return c.Type == kind })
	pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{Type: kind, Status: status, Reason: reason})
}

// suspendJob and resumeJob play Kueue.
func (w *environment) suspendJob(job *batchv1.Job) {
	if suspended(job) || jobOver(job) || jobHas(job, batchv1.JobFailureTarget) || job.Labels[v1alpha1.LabelKueueQueue] == "" {
		return
	}
	w.changeJob(job, func(next *batchv1.Job) {
		next.Spec.Suspend = new(true)
		w.setJobCondition(next, batchv1.JobSuspended, corev1.ConditionTrue)
	})
}

func (w *environment) resumeJob(job *batchv1.Job) bool {
	if !suspended(job) || jobOver(job) || w.queueGone {
		return false
	}
	w.changeJob(job, func(next *batchv1.Job) {
		next.Spec.Suspend = new(false)
		w.setJobCondition(next, batchv1.JobSuspended, corev1.ConditionFalse)
	})
	return true
}

// gracePeriod is that of a pod that is deleted while it runs.
const gracePeriod = 30 * time.Second

// deletePod plays a user who deletes a pod, or an eviction.
func (w *environment) deletePod(pod *corev1.Pod, condition string) {
	if pod.DeletionTimestamp != nil {
		return
	}
	grace := gracePeriod
	if podOver(pod) || pod.Spec.NodeName == "" {
		grace = 0
	}
	w.changePod(pod, func(next *corev1.Pod) {
		next.Generation++
		next.DeletionTimestamp, next.DeletionGracePeriodSeconds = new(metav1.NewTime(w.time().Add(grace))), new(int64(grace.Seconds()))
		if condition != "" && !podOver(pod) {
			w.addCondition(next, corev1.DisruptionTarget, corev1.ConditionTrue, condition)
		}
	})
}

// end is how a container ends.
type end struct {
	code    int32
	reason  string
	message string
	started bool
}

// ends are the ways in which containers end. The first is a success, of which there are as many as of all others.
var ends = [...]end{
	{code: 1, started: true},
	{code: 75, started: true},
	{code: 0, started: true},
	{code: 0, started: true, message: "{"},
	{code: 137, reason: "OOMKilled", started: true},
	{code: 128, reason: "StartError"},
	{code: 255, reason: "ContainerStatusUnknown", started: true},
	{code: 0, started: true, message: notPublished(v1alpha1.ReasonRegistryDenied)},
	{code: 0, started: true, message: notPublished(v1alpha1.ReasonRegistryRefused)},
	{code: 0, started: true, message: notPublished(v1alpha1.ReasonRegistryUnavailable)},
	{code: 0, started: true, message: `{"version":1,"outcome":"Succeeded","check":{"notStored":"no space left on device"},` +
		`"artifacts":[{"target":"linux/amd64/raw","file":"disk","digest":"sha256:` + strings.Repeat("0", 64) + `","sizeBytes":1}]}`},
	{code: 1, started: true, message: `{"version":1,"outcome":"Failed","failure":{"reason":"Flaky","retryable":true}}`},
	{code: 1, started: true, message: `{"version":1,"outcome":"Failed","failure":{"reason":"WrongKey","class":"Config"}}`},
}

// notPublished is the message of an agent that could not publish an artifact.
func notPublished(reason v1alpha1.FailureReason) string {
	return fmt.Sprintf(`{"version":1,"outcome":"Succeeded","check":{"notPublished":{"reason":%q,"message":"the registry said no"}},`+
		`"artifacts":[{"target":"linux/amd64/raw","file":"disk"}]}`, reason)
}

// digest is the digest of an artifact or of a manifest.
func digest(number int) string { return fmt.Sprintf("sha256:%064d", number) }

// terminate ends the container of a pod. Each pod that succeeds makes a different artifact, except for some that reproduce one.
func (w *environment) terminate(pod *corev1.Pod, how end, success bool) {
	truth := w.truth.pods[pod.UID]
	build, tests := w.testedBy(pod)
	switch {
	case success && publishing(pod):
		how.message = w.publish(pod)
	case success && tests != nil:
		how.message = w.runTests(pod, tests)
	case tests != nil && how.code == 1:
		w.failTests(pod, build, tests)
	case success && truth.answer != nil:
		how = *truth.answer
	case success:
		w.truth.results++
		truth.made = !publishes(pod)
		content := digest(w.truth.results)
		if build, ok := w.builds.get(pod.Labels[v1alpha1.LabelBuild]); ok && build.Spec.Reproduces != nil && w.truth.results%3 > 0 {
			content = build.Spec.Reproduces.Artifacts[0].Digest
		}
		how.message = fmt.Sprintf(`{"version":1,"outcome":"Succeeded","artifacts":[{"target":"linux/amd64/raw","file":"disk","digest":%q,"sizeBytes":1%s}`, content, w.lock(pod, content))
	}
	began := time.Unix(0, 0)
	if how.started {
		began = w.now.Add(w.nodeClock)
	}
	w.changePod(pod, func(next *corev1.Pod) {
		setState(next, corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
			ExitCode: how.code, Reason: how.reason, Message: how.message, StartedAt: metav1.NewTime(began), FinishedAt: metav1.NewTime(w.time().Add(w.nodeClock)),
		}})
		truth.ended = next
	})
}

// finishPod has the pod follow its container.
func (w *environment) finishPod(pod *corev1.Pod, reason string) {
	w.changePod(pod, func(next *corev1.Pod) {
		next.Status.Phase, next.Status.Reason = corev1.PodFailed, reason
		if end := stateOf(pod).Terminated; end != nil && end.ExitCode == 0 && reason == "" {
			next.Status.Phase = corev1.PodSucceeded
		}
	})
}

func suspended(job *batchv1.Job) bool { return job.Spec.Suspend != nil && *job.Spec.Suspend }
