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
	// firstLook is how old an attempt is before it matters that its Job has no pod, and lastLook the longest time between
	// two looks at why: each asks the API.
	firstLook = 3 * time.Second
	lastLook  = time.Minute
	// patience is how old an attempt is before something that its pod names and that does not exist fails it: what is
	// applied together arrives in any order.
	patience = 10 * time.Second
)

// Reasons of the events with which the Job controller says that it made a pod, or why it did not.
const (
	eventPodCreated = "SuccessfulCreate"
	eventPodRefused = "FailedCreate"
)

// Refusal is why a Job has no pod, in the API server's words, as the events about the Job have it. Empty if they do not
// say so, or if a pod was created since.
//
// A pod that admission forbids leaves no other trace: the Job's status knows nothing of it, and the Job controller just
// tries again. It names each try's pod anew, so that events differ; from the tenth on they are combined.
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

// lastSeen is when an event happened, if several times for the last time. Its recorder decides which field says so.
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

// NeedsRefusal says whether to find out why the attempt's Job has no pod.
func (o Observed) NeedsRefusal() bool {
	t := transition{Observed: o, status: &o.Build.Status}
	if o.Build.Status.Phase != v1alpha1.BuildStarting || o.Pod != nil || o.Job == nil || o.Job.DeletionTimestamp != nil || !t.ours(o.Job) || t.suspended() {
		return false
	}
	return t.attempt().PodUID == "" && (finished(o.Job) || t.age() >= firstLook)
}

// What API servers say of a quota that has no room, or has not been counted yet.
var quotaMessages = []string{"exceeded quota: ", "status unknown for quota: "}

// What they say when they refuse something now that they may take later, although nobody changes it: they have just
// started, know nothing yet of a role, or lack the service account that Kubernetes itself creates in each namespace.
var passingMessages = []string{
	"not yet ready to handle request", "there was an error enforcing limit ranges", "because it is being terminated", " cannot create resource ",
	`serviceaccount "default" not found`,
}

// What they say when they refuse something for good: admission, a webhook, an admission policy, validation.
var finalMessages = []string{" is forbidden: ", " denied the request", " denied request: ", " is invalid: "}

// refusedPod is what follows from the refusal of a pod. What is not known to be final is waited out: it may be an API
// server that is overloaded, or a webhook that does not answer.
func (t *transition) refusedPod(message string) evidence {
	switch {
	case contains(message, quotaMessages):
		return evidence{delay: startDelay{v1alpha1.ReasonQuotaExceeded, withoutName(message)}, passing: true}
	case !contains(message, finalMessages), contains(message, passingMessages), t.mayAppear(message):
		return evidence{delay: startDelay{v1alpha1.ReasonWaitingForPod, message}, passing: true}
	}
	return evidence{failure: v1alpha1.ReasonPodForbidden.Failure("%s", message)}
}

// refusedJob is what follows from the refusal of the attempt's Job.
func (t *transition) refusedJob(message string) evidence {
	switch {
	case contains(message, quotaMessages):
		return evidence{delay: startDelay{v1alpha1.ReasonQuotaExceeded, withoutName(message)}, passing: true}
	case contains(message, passingMessages):
		return evidence{delay: startDelay{v1alpha1.ReasonWaitingForPod, message}, passing: true}
	}
	return evidence{failure: v1alpha1.ReasonJobRejected.Failure("Job %s was refused: %s", t.attempt().JobName, message)}
}

// mayAppear says that something named in a message does not exist, and that it is early enough to wait for it.
func (t *transition) mayAppear(message string) bool {
	return t.age() < patience && contains(message, []string{" not found", "no PriorityClass with name ", "couldn't find key "})
}

// withoutName leaves out which pod was forbidden: each try names it anew, and a message that stays is not written again.
func withoutName(message string) string {
	if _, why, found := strings.Cut(message, " is forbidden: "); found {
		return why
	}
	return message
}

func contains(message string, parts []string) bool {
	return slices.ContainsFunc(parts, func(part string) bool { return strings.Contains(message, part) })
}

// age is for how long the attempt could have started its container.
func (t *transition) age() time.Duration { return t.Now.Sub(t.begun()) }

// untilNextObservation is when to find out again what keeps an attempt of some age: sooner while it is young.
func untilNextObservation(age time.Duration) time.Duration {
	next := firstLook
	for next <= age {
		next += min(next, lastLook)
	}
	return next - age
}
