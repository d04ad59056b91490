// SPDX-License-Identifier: Apache-2.0

package state

import (
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

const (
	// firstLook is the age of an attempt from which a missing pod matters. lastLook is the longest interval between two
	// requests for the cause.
	firstLook = 3 * time.Second
	lastLook  = time.Minute
	// patience is how long an attempt waits for missing objects that its pod names, because objects that are applied together
	// arrive in any order.
	patience = 10 * time.Second
)

// Reasons of the events with which the Job controller reports that it created a pod, or why it did not.
const (
	eventPodCreated = "SuccessfulCreate"
	eventPodRefused = "FailedCreate"
)

// Refusal returns the API server's reason for refusing a Job's pod, from the events of the Job. It is empty if no event has a
// reason, or if a pod was created later.
//
// A forbidden pod leaves no other trace: the Job's status does not mention it, and the Job controller just tries again. Each try
// has a new pod name, so the events differ. From the tenth event on, they are combined.
func Refusal(events []corev1.Event) string {
	var created, refused time.Time
	message := ""
	for i := range events {
		event := &events[i]
		at := lastSeen(event)
		switch {
		case event.Reason == eventPodCreated && at.After(created):
			created = at
		case event.Reason == eventPodRefused && !at.Before(refused):
			refused, message = at, event.Message
		}
	}
	if !refused.After(created) {
		return ""
	}
	message = strings.TrimPrefix(message, "(combined from similar events): ")
	return strings.TrimPrefix(message, "Error creating: ")
}

// lastSeen returns the time of the last occurrence of an event. Which field contains it depends on the event's recorder.
func lastSeen(event *corev1.Event) time.Time {
	last := event.CreationTimestamp.Time
	for _, at := range []time.Time{event.FirstTimestamp.Time, event.LastTimestamp.Time, event.EventTime.Time} {
		if at.After(last) {
			last = at
		}
	}
	if event.Series != nil && event.Series.LastObservedTime.After(last) {
		last = event.Series.LastObservedTime.Time
	}
	return last
}

// NeedsRefusal reports whether Next needs to know why the attempt's Job has no pod.
func (o Observed) NeedsRefusal() bool {
	t := transition{Observed: o, status: &o.Build.Status}
	if o.Build.Status.Phase != v1alpha1.BuildStarting || o.Pod != nil || o.Job == nil || o.Job.DeletionTimestamp != nil || !t.isOurJob(o.Job) || t.suspended() {
		return false
	}
	return t.attempt().PodUID == "" && (Finished(o.Job) || t.age() >= firstLook)
}

// quotaMessages are parts of an API server's message about a quota that is exhausted, or has not been counted yet.
var quotaMessages = []string{"exceeded quota: ", "status unknown for quota: "}

// passingMessages are parts of the messages of temporary refusals: the API server has just started, does not know a role yet, or
// lacks the service account that Kubernetes creates in each namespace.
var passingMessages = []string{
	"not yet ready to handle request", "there was an error enforcing limit ranges", "because it is being terminated", " cannot create resource ",
	`serviceaccount "default" not found`,
}

// finalMessages are parts of the messages of final refusals: by admission, a webhook, an admission policy, or validation.
var finalMessages = []string{" is forbidden: ", " denied the request", " denied request: ", " is invalid: "}

// IsFinal reports whether the API server would repeat a refusal. Any other refusal is a delay: the API server may be overloaded, or a
// webhook may not answer.
func IsFinal(message string) bool {
	return contains(message, finalMessages) && !contains(message, passingMessages) && !contains(message, quotaMessages)
}

// refusedPod returns the evidence of a refused pod. The events of a Job only explain a delay, because users can forge events. The attempt
// fails if the API refuses a dry run, too.
func (t *transition) refusedPod() evidence {
	switch {
	case IsFinal(t.Forbidden) && !t.mayAppear(t.Forbidden):
		return evidence{failure: v1alpha1.ReasonPodForbidden.Failure("%s", t.Forbidden)}
	case contains(t.Refused, quotaMessages):
		return evidence{delay: startDelay{v1alpha1.ReasonQuotaExceeded, withoutName(t.Refused)}, passing: true}
	}
	return evidence{delay: startDelay{v1alpha1.ReasonWaitingForPod, t.Refused}, passing: true}
}

// refusedJob returns the evidence of the attempt's refused Job.
func (t *transition) refusedJob(message string) evidence {
	switch {
	case contains(message, quotaMessages):
		return evidence{delay: startDelay{v1alpha1.ReasonQuotaExceeded, withoutName(message)}, passing: true}
	case contains(message, passingMessages):
		return evidence{delay: startDelay{v1alpha1.ReasonWaitingForPod, message}, passing: true}
	}
	return evidence{failure: v1alpha1.ReasonJobRejected.Failure("Job %s was refused: %s", t.attempt().JobName, message)}
}

// uncomparedJob returns the evidence of a Job whose dry run was refused. That tells nothing about the Job: it may be the attempt's own Job,
// and fill a quota. So the next attempt gets a Job of another name.
func (t *transition) uncomparedJob(message string) evidence {
	if contains(message, passingMessages) {
		return evidence{delay: startDelay{v1alpha1.ReasonWaitingForPod, message}, passing: true}
	}
	return evidence{failure: v1alpha1.ReasonJobConflict.Failure(
		"Job %s is deleted, because no dry run tells whether it is what the build describes: %s", t.attempt().JobName, message)}
}

// mayAppear reports whether a message names a missing object, and the attempt is young enough to wait for the object.
func (t *transition) mayAppear(message string) bool {
	return t.age() < patience && contains(message, []string{" not found", "no PriorityClass with name ", "couldn't find key "})
}

// withoutName removes the pod's name from a message. Each try has a new name, and a changed message would cost a write.
func withoutName(message string) string {
	if _, why, found := strings.Cut(message, " is forbidden: "); found {
		return why
	}
	return message
}

func contains(message string, parts []string) bool {
	return slices.ContainsFunc(parts, func(part string) bool { return strings.Contains(message, part) })
}

// age is the time since the attempt could start its container.
func (t *transition) age() time.Duration { return t.Now.Sub(t.earliestStart()) }

// untilNextObservation is the time until the next request for the cause of a delay. It grows with the age of the attempt.
func untilNextObservation(age time.Duration) time.Duration {
	next := firstLook
	for next <= age {
		next += min(next, lastLook)
	}
	return next - age
}
