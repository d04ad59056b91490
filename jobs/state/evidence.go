// SPDX-License-Identifier: Apache-2.0

package state

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/render"
	"goldsmith.dev/goldsmith/jobs/result"
)

// evidence is what the attempt's Job and pod report. At most one of succeeded, tested and failure is set.
type evidence struct {
	succeeded []v1alpha1.Artifact
	tested    *result.TestsOutcome // of an attempt that runs tests, and whose runner has ended with results
	ignored   string               // fields of the result of a success that the contract does not have
	failure   *v1alpha1.BuildFailure
	started   bool
	orphaned  bool       // the Job is deleted, and one of its pods may run
	held      startDelay // what the admitted attempt is queued for again; empty if it is not
	delay     startDelay
	passing   bool // the delay may end, or become a failure, without an observable change
}

// PodLabels select the pods of an attempt, also those that their Job has left behind.
func PodLabels(build *v1alpha1.ImageBuild, attempt *v1alpha1.BuildAttempt) labels.Set {
	return labels.Set{
		batchv1.JobNameLabel:    attempt.JobName,
		v1alpha1.LabelManagedBy: v1alpha1.ManagedBy,
		v1alpha1.LabelBuild:     build.Name,
		v1alpha1.LabelAttempt:   strconv.Itoa(int(attempt.Number)),
	}
}

// FindPod finds the pod of an attempt among the pods that PodLabels select: the recorded pod or, if no pod is recorded yet, a
// pod of the attempt's Job.
func FindPod(attempt *v1alpha1.BuildAttempt, job types.UID, pods []*corev1.Pod) *corev1.Pod {
	var found *corev1.Pod
	for _, pod := range pods {
		if attempt.PodUID != "" {
			if pod.UID == attempt.PodUID {
				return pod
			}
			continue
		}
		if job != "" && controlledBy(pod, job) && (found == nil || preferred(pod, found)) {
			found = pod
		}
	}
	return found
}

// controlledBy reports whether a Job controls a pod. Labels do not count, because a user can set them in any pod.
func controlledBy(pod *corev1.Pod, job types.UID) bool {
	owner := metav1.GetControllerOf(pod)
	return owner != nil && owner.UID == job
}

// FindLiving finds a pod that has not ended among the pods that PodLabels select, without those of a foreign Job. It prefers a pod that
// is not being deleted, then the pod that was deleted last, then a pod whose node is lost.
func FindLiving(pods []*corev1.Pod, foreign types.UID) *corev1.Pod {
	rank := func(pod *corev1.Pod) int {
		switch {
		case pod.DeletionTimestamp == nil:
			return 0
		case !onLostNode(pod):
			return 1
		}
		return 2
	}
	var found *corev1.Pod
	for _, pod := range pods {
		if Ended(pod) || foreign != "" && controlledBy(pod, foreign) {
			continue
		}
		if found == nil || rank(pod) < rank(found) || rank(pod) == rank(found) && found.DeletionTimestamp.Before(pod.DeletionTimestamp) {
			found = pod
		}
	}
	return found
}

// onLostNode reports whether a pod is being deleted because its node is lost. A lost node cannot confirm the end of a pod.
func onLostNode(pod *corev1.Pod) bool {
	disruption := disruptionOf(pod)
	return pod.DeletionTimestamp != nil && disruption != nil && disruption.Reason == v1alpha1.ReasonNodeLost
}

// preferred reports whether a Job keeps this pod and deletes the other. A Job has two pods if the Job controller created one
// without seeing the response, for example when kube-apiserver is killed. The Job controller then deletes the pod that has not
// started, otherwise the newer pod.
func preferred(pod, other *corev1.Pod) bool {
	switch {
	case (pod.DeletionTimestamp == nil) != (other.DeletionTimestamp == nil):
		return pod.DeletionTimestamp == nil
	case hasStarted(pod) != hasStarted(other):
		return hasStarted(pod)
	}
	return pod.CreationTimestamp.Before(&other.CreationTimestamp)
}

// isOurJob reports whether a Job belongs to the build's current attempt. Once a UID is recorded, only the Job with this UID does. Before, only
// a Job that the controller renders does.
func (t *transition) isOurJob(job *batchv1.Job) bool {
	attempt := t.attempt()
	return attempt != nil && (attempt.JobUID == job.UID || attempt.JobUID == "" && t.Origin == Rendered) && t.madeFor(attempt, job)
}

// madeFor reports whether a Job says that it was made for an attempt. An attempt has two Jobs if the first was deleted before its UID was
// recorded.
func (t *transition) madeFor(attempt *v1alpha1.BuildAttempt, job *batchv1.Job) bool {
	owner, number, ok := render.Attempt(job)
	return ok && owner == t.Build.UID && number == attempt.Number
}

// gatherEvidence reads the attempt's Job and pod, the pod first: a container that ended with a valid result is final, and the
// Job reports the end later.
func (t *transition) gatherEvidence() evidence {
	attempt := t.attempt()
	if t.deviant != nil {
		return evidence{failure: t.deviant}
	}
	if t.Pod != nil {
		seen, excused := t.podEvidence(t.Pod), t.deletedBySuspension() && (t.suspended() || t.resumed())
		if seen.failure != nil && seen.failure.Reason == v1alpha1.ReasonPodDeleted {
			seen.failure = cmp.Or(t.deletedJob(), seen.failure) // the Job's deletion deletes the pod
		}
		if seen.succeeded != nil || seen.tested != nil || seen.failure != nil && !excused {
			return seen
		}
	}
	if t.suspended() || t.resumed() && attempt.PodUID != "" && (t.Pod == nil || t.deletedBySuspension()) {
		return evidence{held: t.suspendedBy()}
	}
	switch {
	case t.Job == nil && t.Rejected != "":
		return t.refusedJob(t.Rejected)
	case attempt.JobUID == "" && t.Unresolved != nil && (t.Job == nil || t.Origin == Unknown):
		return evidence{failure: t.Unresolved}
	case t.deletedJob() != nil && t.lives():
		return evidence{orphaned: true}
	case t.deletedJob() != nil:
		return evidence{failure: t.deletedJob()}
	case t.Job == nil:
		return evidence{}
	case !t.isOurJob(t.Job) && t.Origin == Unknown && t.Uncompared != "":
		return t.uncomparedJob(t.Uncompared)
	case !t.isOurJob(t.Job):
		return evidence{failure: v1alpha1.ReasonJobConflict.Failure(
			"Job %s is not what this build describes: it is ignored, and can stay; find out who created it", attempt.JobName)}
	case t.Pod == nil && attempt.PodUID != "":
		return evidence{failure: v1alpha1.ReasonPodDeleted.Failure("pod %s was deleted", attempt.PodName)}
	case t.Pod == nil:
		return t.missingPodEvidence()
	}
	return t.podEvidence(t.Pod)
}

// deletedJob is the failure of an attempt whose Job is deleted or being deleted. It is nil while the Job exists, and if the Job
// was never seen.
func (t *transition) deletedJob() *v1alpha1.BuildFailure {
	attempt := t.attempt()
	switch {
	case t.Job == nil && attempt.JobUID != "":
		return v1alpha1.ReasonJobDeleted.Failure("Job %s was deleted", attempt.JobName)
	case t.Job == nil:
		return nil
	case attempt.JobUID != "" && attempt.JobUID != t.Job.UID:
		return v1alpha1.ReasonJobDeleted.Failure("Job %s was deleted, and a new Job has its name", attempt.JobName)
	case t.Job.DeletionTimestamp != nil && t.isOurJob(t.Job):
		return v1alpha1.ReasonJobDeleted.Failure("Job %s is being deleted", attempt.JobName)
	}
	return nil
}

// missingPodEvidence returns why the attempt's Job has no pod.
func (t *transition) missingPodEvidence() evidence {
	seen := evidence{delay: podNotStarted, passing: true}
	if t.Refused != "" {
		seen = t.refusedPod()
	}
	if Finished(t.Job) && seen.failure == nil {
		return evidence{failure: v1alpha1.ReasonPodDeleted.Failure("Job %s ended, but its pod was deleted before the result was read", t.attempt().JobName)}
	}
	return seen
}

func (t *transition) podEvidence(pod *corev1.Pod) evidence {
	end := terminated(pod)
	switch {
	case end == nil || end.ExitCode != 0:
	case t.runsTests():
		if found := t.testsOutcome(pod, end); found != nil && found.Failure == nil {
			return evidence{tested: found, started: true}
		}
	default:
		if outcome := t.outcome(pod, end); outcome.Failure == nil && outcome.Artifacts != nil {
			return evidence{succeeded: outcome.Artifacts, ignored: outcome.Ignored, started: true}
		}
	}
	started := hasStarted(pod)
	if terminal(pod) {
		if failure := t.classify(pod, end); failure != nil {
			return evidence{failure: failure, started: started}
		}
		return evidence{tested: t.testsOutcome(pod, end), started: started}
	}
	if pod.DeletionTimestamp != nil {
		if disruption := disruptionOf(pod); disruption != nil {
			return evidence{failure: disruption, started: started}
		}
		if t.Job != nil && Failing(t.Job) {
			return evidence{failure: v1alpha1.ReasonPodDeleted.Failure("pod %s is being deleted", pod.Name), started: started}
		}
	}
	if started {
		return evidence{started: true}
	}
	return t.startDelayOf(pod)
}

// outcome returns the outcome of a pod whose builder has ended. It is empty if the pod's publisher has not ended.
func (t *transition) outcome(pod *corev1.Pod, end *corev1.ContainerStateTerminated) result.Outcome {
	message, policy := end.Message, t.Results
	if t.Build.Spec.Inputs.Output != nil && render.Publishes(pod) && end.ExitCode == 0 {
		published := publisherEnd(pod)
		if published == nil {
			return result.Outcome{}
		}
		if published.ExitCode != 0 {
			return result.Outcome{Failure: publisherFailed(pod, published)}
		}
		message, policy.Checked = result.WithFindings(message, published.Message, t.Build.Spec.Inputs.Output.Repository, render.Tags(t.Build, t.attempt().Number)), true
	}
	return result.Parse(message, end.ExitCode, t.Build.Spec.Inputs.Targets, policy)
}

// publisherFailed returns the failure of a pod whose publisher ended without a message.
func publisherFailed(pod *corev1.Pod, end *corev1.ContainerStateTerminated) *v1alpha1.BuildFailure {
	return withExitCode(v1alpha1.ReasonArtifactNotStored.Failure(
		"the publisher of pod %s ended with exit code %d: %s", pod.Name, end.ExitCode, cmp.Or(end.Message, end.Reason)), end)
}

// classify returns the failure of a pod that has ended. It is nil if a runner of tests told by its exit code that they failed.
func (t *transition) classify(pod *corev1.Pod, end *corev1.ContainerStateTerminated) *v1alpha1.BuildFailure {
	if disruption := disruptionOf(pod); disruption != nil {
		return disruption
	}
	if pod.DeletionTimestamp != nil && (end == nil || endedByDeletion(pod)) {
		return v1alpha1.ReasonPodDeleted.Failure("pod %s was deleted", pod.Name)
	}
	reason, message := pod.Status.Reason, cmp.Or(pod.Status.Message, pod.Status.Reason)
	switch {
	case reason == "DeadlineExceeded" && fetching(pod):
		return v1alpha1.ReasonRunTimeout.Failure("the artifacts of the base were not fetched within %s of the start of pod %s: raise timeouts.run, or find out why their registry is slow",
			t.Build.Spec.Timeouts.Run, pod.Name)
	case reason == "DeadlineExceeded" && !hasStarted(pod):
		return v1alpha1.ReasonStartTimeout.Failure("container did not start within the pod's deadline of %s (timeouts.run): see the events of pod %s",
			t.Build.Spec.Timeouts.Run, pod.Name)
	case reason == "DeadlineExceeded" && publishing(pod):
		return t.latePublishFailure(pod)
	case reason == "DeadlineExceeded" && t.runsTests():
		return v1alpha1.ReasonTestMachineFailed.Failure("the runner of the tests did not end within %s, which their timeouts allow: read its log, or give it a faster machine", t.runLimit())
	case reason == "DeadlineExceeded":
		return withExitCode(v1alpha1.ReasonRunTimeout.Failure("the build ran longer than %s: raise timeouts.run, or make the build faster", t.Build.Spec.Timeouts.Run), end)
	case reason == "Evicted":
		return v1alpha1.ReasonEvicted.Failure("pod %s: %s", pod.Name, message)
	case reason == "NodeShutdown" || reason == "Shutdown" || reason == "Terminated":
		return v1alpha1.ReasonNodeShutdown.Failure("pod %s: %s", pod.Name, message)
	case reason == podPreempting:
		return v1alpha1.ReasonPreempted.Failure("pod %s: %s", pod.Name, message)
	case reason == "NodeLost":
		return v1alpha1.ReasonNodeLost.Failure("pod %s: %s", pod.Name, message)
	case end == nil && fetcherEnd(pod) != nil && fetcherEnd(pod).ExitCode != 0:
		return notFetched(pod)
	case end == nil:
		return v1alpha1.ReasonNodeRejected.Failure("pod %s failed before the container started: %s",
			pod.Name, cmp.Or(strings.TrimSpace(reason+" "+pod.Status.Message), noReason))
	case end.Reason == "OOMKilled":
		return withExitCode(v1alpha1.ReasonOOMKilled.Failure("the builder ran out of memory: raise template.resources.limits.memory"), end)
	case isEndUnknown(end):
		return v1alpha1.ReasonNodeLost.Failure("node %s lost the builder's container, for example by a restart: %s", pod.Spec.NodeName, cmp.Or(end.Message, end.Reason))
	case publishing(pod) && isEndUnknown(publisherEnd(pod)):
		return v1alpha1.ReasonNodeLost.Failure("node %s lost the publisher's container, for example by a restart: %s",
			pod.Spec.NodeName, cmp.Or(publisherEnd(pod).Message, publisherEnd(pod).Reason))
	case end.Reason == string(v1alpha1.ReasonBuilderNotFound): // from the agent of goldsmith up
		return v1alpha1.ReasonBuilderNotFound.Failure("%s", end.Message)
	case slices.Contains([]string{"StartError", "ContainerCannotRun", "CreateContainerError", "RunContainerError"}, end.Reason):
		return withExitCode(v1alpha1.ReasonBuilderNotRunnable.Failure("%s: %s", end.Reason, end.Message), end)
	}
	if t.runsTests() {
		if found := t.testsOutcome(pod, end); found != nil {
			return found.Failure
		}
		return v1alpha1.ReasonArtifactNotStored.Failure("pod %s ended before its publisher: %s", pod.Name, cmp.Or(message, noReason))
	}
	switch outcome := t.outcome(pod, end); {
	case outcome.Failure != nil:
		return suspectMemory(outcome.Failure, pod)
	case outcome.Artifacts == nil:
		return v1alpha1.ReasonArtifactNotStored.Failure("pod %s ended before its publisher: %s", pod.Name, cmp.Or(message, noReason))
	}
	return v1alpha1.ReasonNodeRejected.Failure("pod %s failed after the container succeeded: %s", pod.Name, cmp.Or(message, noReason))
}

// isEndUnknown reports whether a node does not know how a container ended, as after a reboot: the kubelet and containerd tell this differently.
func isEndUnknown(end *corev1.ContainerStateTerminated) bool {
	return end != nil && (end.Reason == "ContainerStatusUnknown" || end.Reason == "Unknown")
}

// suspectMemory names a likely cause in the failure of a builder that was killed and has a memory limit. The kernel kills a
// container that exceeds its limit, but containerd does not always report why
// (https://github.com/containerd/containerd/issues/12260).
func suspectMemory(killed *v1alpha1.BuildFailure, pod *corev1.Pod) *v1alpha1.BuildFailure {
	const exitKilled = 128 + 9 // of a process that signal 9 ended
	resources := render.BuilderStatus(pod).Resources
	if *killed.ExitCode != exitKilled || resources == nil {
		return killed
	}
	if limit, limited := resources.Limits[corev1.ResourceMemory]; limited {
		killed.Message += "; it may have exceeded its memory limit of " + limit.String()
	}
	return killed
}

// podPreempting is the reason of a pod that its kubelet ended to make room for a critical one.
const podPreempting = "Preempting"

// noReason stands for the message of a kubelet that sent none.
const noReason = "the kubelet sent no reason: see the events of the pod"

// disruptionOf is the failure that a pod's DisruptionTarget condition stands for.
func disruptionOf(pod *corev1.Pod) *v1alpha1.BuildFailure {
	condition := podCondition(pod, corev1.DisruptionTarget, corev1.ConditionTrue)
	if condition == nil {
		return nil
	}
	reason := v1alpha1.ReasonEvicted // by the Eviction API, by a kubelet, or by a cause that is not known here
	switch condition.Reason {
	case string(v1alpha1.ReasonProcessLost):
		reason = v1alpha1.ReasonProcessLost
	case corev1.PodReasonPreemptionByScheduler:
		reason = v1alpha1.ReasonPreempted
	case "DeletionByTaintManager", "DeletionByPodGC":
		reason = v1alpha1.ReasonNodeLost
	case corev1.PodReasonTerminationByKubelet:
		switch pod.Status.Reason {
		case "Terminated", "NodeShutdown":
			reason = v1alpha1.ReasonNodeShutdown
		case podPreempting:
			reason = v1alpha1.ReasonPreempted
		}
	}
	return reason.Failure("pod %s: %s", pod.Name, cmp.Or(condition.Message, pod.Status.Message, condition.Reason))
}

// endedByDeletion reports whether the container of a deleted pod ended after its kubelet knew of the deletion. The deletion
// request increments the pod's generation, and the kubelet reports the end with the generation that it knew. If the kubelet
// reports no generation, the deletion counts as the cause, and the build gets another attempt. Times cannot decide this: the
// node sets the time of the end, the API server sets the time of the deletion, and the kubelet's final delete request changes
// the latter.
func endedByDeletion(pod *corev1.Pod) bool {
	return pod.Status.ObservedGeneration == 0 || pod.Status.ObservedGeneration == pod.Generation
}

func withExitCode(f *v1alpha1.BuildFailure, end *corev1.ContainerStateTerminated) *v1alpha1.BuildFailure {
	if end != nil {
		f.ExitCode = &end.ExitCode
	}
	return f
}

func terminal(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}

func terminated(pod *corev1.Pod) *corev1.ContainerStateTerminated {
	if status := render.BuilderStatus(pod); status != nil {
		return status.State.Terminated
	}
	return nil
}

func containerWaiting(pod *corev1.Pod) *corev1.ContainerStateWaiting {
	if status := render.BuilderStatus(pod); status != nil {
		return status.State.Waiting
	}
	return nil
}

// hasStarted reports whether the container has run, even briefly. A container that could not be started has a time of its end, but
// its start is in 1970.
func hasStarted(pod *corev1.Pod) bool {
	return hasRun(render.BuilderStatus(pod))
}

// hasLog reports whether a container of the pod has run: the builder, or before it the fetcher.
func hasLog(pod *corev1.Pod) bool {
	return hasStarted(pod) || hasRun(render.FetcherStatus(pod))
}

func hasRun(status *corev1.ContainerStatus) bool {
	return status != nil && (status.State.Running != nil || status.State.Terminated != nil && status.State.Terminated.StartedAt.Unix() > 0)
}

// Ended reports whether nothing of a pod runs any more that belongs to the build: its builder and, if that succeeded, its publisher have
// ended, or the pod itself.
func Ended(pod *corev1.Pod) bool {
	end := terminated(pod)
	return terminal(pod) || end != nil && (!render.Publishes(pod) || end.ExitCode != 0 || publisherEnd(pod) != nil)
}

// ResultOf returns the result of a builder that has ended, as it is in the status of its pod.
func ResultOf(pod *corev1.Pod) string {
	if end := terminated(pod); end != nil {
		return end.Message
	}
	return ""
}

// Finished reports whether a Job has ended.
func Finished(job *batchv1.Job) bool {
	return hasCondition(job, batchv1.JobComplete, batchv1.JobFailed)
}

// Failing reports whether the Job has failed, or will fail once its pod is deleted.
func Failing(job *batchv1.Job) bool {
	return hasCondition(job, batchv1.JobFailureTarget, batchv1.JobFailed)
}

func hasCondition(job *batchv1.Job, kinds ...batchv1.JobConditionType) bool {
	return slices.ContainsFunc(job.Status.Conditions, func(c batchv1.JobCondition) bool {
		return slices.Contains(kinds, c.Type) && c.Status == corev1.ConditionTrue
	})
}
