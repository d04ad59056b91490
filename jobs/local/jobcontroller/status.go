// SPDX-License-Identifier: Apache-2.0

package jobcontroller

import (
	"fmt"
	"slices"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	// reasonUnsupported is the reason of a Job with fields that this server does not support.
	reasonUnsupported = "NotSupported"
	// reasonPodInvalid is the reason of a Job whose pod the server refuses as invalid.
	reasonPodInvalid = "PodInvalid"
	// reasonPodNameTaken is the reason of a Job whose pod cannot be created because another pod has its name.
	reasonPodNameTaken = "PodNameTaken"

	// ReasonNotStarted is the reason of a pod whose process was not started for lack of resources. A Job whose pod has this reason, or none, has
	// the message of its pod.
	ReasonNotStarted = "ProcessNotStarted"

	// Of the Job controller, for the condition Suspended.
	reasonSuspended, messageSuspended = "JobSuspended", "Job suspended"
	reasonResumed, messageResumed     = "JobResumed", "Job resumed"

	messageCompletions  = "Reached expected number of succeeded pods"
	messageBackoffLimit = "Job has reached the specified backoff limit"
)

// Finished reports whether the Job has succeeded or failed.
func Finished(job *batchv1.Job) bool {
	return slices.ContainsFunc(job.Status.Conditions, func(c batchv1.JobCondition) bool {
		return (c.Type == batchv1.JobComplete || c.Type == batchv1.JobFailed) && c.Status == corev1.ConditionTrue
	})
}

// jobStatus is the status of a Job whose pod is as given.
func jobStatus(job *batchv1.Job, pod *corev1.Pod, created, now time.Time) batchv1.JobStatus {
	status := beginStatus(job, created, now)
	failing := slices.ContainsFunc(status.Conditions, func(c batchv1.JobCondition) bool { return c.Type == batchv1.JobFailureTarget })
	switch {
	case pod.Status.Phase == corev1.PodSucceeded && !failing:
		status.Succeeded = 1
		status.CompletionTime = new(metav1.NewTime(now))
		addCondition(&status, now, batchv1.JobSuccessCriteriaMet, batchv1.JobReasonCompletionsReached, messageCompletions)
		addCondition(&status, now, batchv1.JobComplete, batchv1.JobReasonCompletionsReached, messageCompletions)
	case terminal(pod):
		status.Failed = 1
		fail(&status, now, batchv1.JobReasonBackoffLimitExceeded, failureMessage(job, pod))
	case pod.DeletionTimestamp != nil:
		// A pod that is being deleted counts as failed, but the Job has failed only when none of its processes runs.
		status.Failed, status.Terminating = 1, new(int32(1))
		addCondition(&status, now, batchv1.JobFailureTarget, batchv1.JobReasonBackoffLimitExceeded, failureMessage(job, nil))
	default:
		status.Active = 1
		if ready(pod) {
			status.Ready = new(int32(1))
		}
	}
	return status
}

// failedWithoutPod is the status of a Job that has failed and has no pod.
func failedWithoutPod(job *batchv1.Job, now time.Time, reason, message string) batchv1.JobStatus {
	status := beginStatus(job, now, now)
	if reason == batchv1.JobReasonBackoffLimitExceeded {
		status.Failed = 1
	}
	fail(&status, now, reason, message)
	return status
}

// zeroStatus is a status with the Job's conditions and all counters at zero.
func zeroStatus(job *batchv1.Job) batchv1.JobStatus {
	return batchv1.JobStatus{
		Conditions:  slices.Clone(job.Status.Conditions),
		Terminating: new(int32), Ready: new(int32), UncountedTerminatedPods: &batchv1.UncountedTerminatedPods{},
	}
}

// beginStatus is the status of a Job that has started.
func beginStatus(job *batchv1.Job, created, now time.Time) batchv1.JobStatus {
	status := zeroStatus(job)
	status.StartTime = job.Status.StartTime
	if isSuspended(&status) {
		setSuspended(&status, now, corev1.ConditionFalse, reasonResumed, messageResumed)
	}
	if created.IsZero() {
		created = now
	}
	if status.StartTime == nil {
		status.StartTime = new(metav1.NewTime(created))
	}
	return status
}

// suspendedStatus is the status of a suspended Job. The Job starts when it is resumed.
func suspendedStatus(job *batchv1.Job, now time.Time) batchv1.JobStatus {
	status := zeroStatus(job)
	if !isSuspended(&status) {
		setSuspended(&status, now, corev1.ConditionTrue, reasonSuspended, messageSuspended)
	}
	return status
}

// isSuspended reports whether a status says that the Job is suspended.
func isSuspended(status *batchv1.JobStatus) bool {
	return slices.ContainsFunc(status.Conditions, func(c batchv1.JobCondition) bool {
		return c.Type == batchv1.JobSuspended && c.Status == corev1.ConditionTrue
	})
}

// setSuspended sets the condition Suspended, which unlike the others can change.
func setSuspended(status *batchv1.JobStatus, now time.Time, suspended corev1.ConditionStatus, reason, message string) {
	status.Conditions = slices.DeleteFunc(status.Conditions, func(c batchv1.JobCondition) bool { return c.Type == batchv1.JobSuspended })
	addCondition(status, now, batchv1.JobSuspended, reason, message)
	status.Conditions[len(status.Conditions)-1].Status = suspended
}

func fail(status *batchv1.JobStatus, now time.Time, reason, message string) {
	addCondition(status, now, batchv1.JobFailureTarget, reason, message)
	addCondition(status, now, batchv1.JobFailed, reason, message)
}

// addCondition adds a condition that is True. An existing condition is not changed, because it has the time and the first message.
func addCondition(status *batchv1.JobStatus, now time.Time, kind batchv1.JobConditionType, reason, message string) {
	if slices.ContainsFunc(status.Conditions, func(c batchv1.JobCondition) bool { return c.Type == kind }) {
		return
	}
	status.Conditions = append(status.Conditions, batchv1.JobCondition{
		Type: kind, Status: corev1.ConditionTrue, Reason: reason, Message: message,
		LastProbeTime: metav1.NewTime(now), LastTransitionTime: metav1.NewTime(now),
	})
}

// failureMessage is the message of a Job that has failed with its pod, which may be deleted.
func failureMessage(job *batchv1.Job, pod *corev1.Pod) string {
	switch {
	case pod != nil && (pod.Status.Reason == "" || pod.Status.Reason == ReasonNotStarted) && pod.Status.Message != "":
		return pod.Status.Message // why the pod was not started, which the Job controller would not report
	case job.Spec.BackoffLimit == nil || *job.Spec.BackoffLimit == 0:
		return messageBackoffLimit
	}
	return fmt.Sprintf("%s: this server makes one attempt, spec.backoffLimit %d is not used", messageBackoffLimit, *job.Spec.BackoffLimit)
}

func terminal(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}

func ready(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}
