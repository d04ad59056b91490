// SPDX-License-Identifier: Apache-2.0

package status

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/follow"
	"goldsmith.dev/goldsmith/jobs/trigger"
)

const (
	// longWait is how long a build may wait before it needs attention: half of the default of timeouts.start.
	longWait = 5 * time.Minute
	// unreported is how long the controller may take to report on a new Image.
	unreported = time.Minute
)

// severity orders findings. A lower severity is worse.
type severity int

const (
	stalled severity = iota
	notReady
	outdated
	retrying
	waiting
	suspended
)

// broken reports whether an image cannot be used, or does not progress.
func (s severity) broken() bool {
	return s <= outdated
}

// finding is an image, a build or a file that needs attention.
type finding struct {
	severity              severity
	kind, namespace, name string
	reason, message       string
	since                 time.Time // zero if unknown
	object                runtime.Object
}

// findings returns the images and builds that need attention, worst first. Within a severity, the oldest finding is
// first.
func findings(images []v1alpha1.Image, builds []v1alpha1.ImageBuild, now time.Time) []finding {
	var found []finding
	for i := range images {
		of := ofImage(&images[i], now)
		if of == nil || of.severity == suspended {
			of = cmp.Or(becauseChannelRevoked(&images[i], now), becauseBaseRevoked(images[i].Status.LatestSuccessful), becauseRuleUnmet(images[i].Status.Channels), of)
		}
		if of != nil {
			of.kind, of.namespace, of.name, of.object = "image", images[i].Namespace, images[i].Name, &images[i]
			found = append(found, *of)
		}
	}
	for i := range builds {
		if of := ofBuild(&builds[i], now); of != nil {
			of.kind, of.namespace, of.name, of.object = "build", builds[i].Namespace, builds[i].Name, &builds[i]
			found = append(found, *of)
		}
	}
	slices.SortStableFunc(found, func(a, b finding) int {
		return cmp.Or(cmp.Compare(a.severity, b.severity), a.since.Compare(b.since), cmp.Compare(a.namespace, b.namespace), cmp.Compare(a.name, b.name))
	})
	return found
}

// ofImage returns why an Image needs attention, or nil. An Image whose first build continues needs no attention.
func ofImage(image *v1alpha1.Image, now time.Time) *finding {
	conditions := image.Status.Conditions
	if condition := meta.FindStatusCondition(conditions, v1alpha1.ImageStalled); condition != nil && condition.Status == metav1.ConditionTrue {
		return becauseStalled(image, condition)
	}
	ready := meta.FindStatusCondition(conditions, v1alpha1.ImageReady)
	isSuspended := image.IsSuspended()
	switch {
	case ready == nil && now.Sub(image.CreationTimestamp.Time) > unreported:
		return &finding{
			severity: notReady, reason: "no status", since: image.CreationTimestamp.Time,
			message: "the image has no status: check whether the controller runs",
		}
	case ready == nil:
		return nil
	case ready.Status == metav1.ConditionTrue && isSuspended:
		return &finding{severity: suspended, reason: v1alpha1.ReasonSuspended, message: "no trigger starts a build"}
	case ready.Status == metav1.ConditionTrue:
		return becauseOutdated(conditions)
	case isSuspended && ready.Reason != v1alpha1.ReasonBuildFailed:
		return &finding{severity: suspended, reason: v1alpha1.ReasonSuspended, message: "no trigger starts a build, and " + ready.Message}
	case ready.Reason == v1alpha1.ReasonBuildQueued, ready.Reason == v1alpha1.ReasonBuildActive:
		return nil
	}
	if resolved := meta.FindStatusCondition(conditions, v1alpha1.ImageInputsResolved); resolved != nil && resolved.Status == metav1.ConditionFalse {
		return because(notReady, resolved)
	}
	return because(notReady, ready)
}

// HeldBack returns why no build of an Image starts until a user acts, with its reason, or "". It leaves out how the last build failed.
func HeldBack(image *v1alpha1.Image, now time.Time) string {
	of := ofImage(image, now)
	last := image.Status.LastFinished
	if of == nil || of.severity == notReady && of.reason == v1alpha1.ReasonBuildFailed || last != nil && string(last.Reason) == of.reason {
		return ""
	}
	return of.reason + ": " + of.message
}

// becauseStalled returns why an Image is stalled. If its last build failed, only the condition Ready has the message of the failure.
func becauseStalled(image *v1alpha1.Image, condition *metav1.Condition) *finding {
	of := because(stalled, condition)
	ready := meta.FindStatusCondition(image.Status.Conditions, v1alpha1.ImageReady)
	if last := image.Status.LastFinished; last != nil && string(last.Reason) == condition.Reason && ready != nil && ready.Reason == v1alpha1.ReasonBuildFailed {
		of.message = ready.Message
	}
	return of
}

// becauseOutdated returns why no build of an Image that is ready starts until a user acts, or nil: its inputs do not resolve, or the server
// refuses the build that is due.
func becauseOutdated(conditions []metav1.Condition) *finding {
	progress := meta.FindStatusCondition(conditions, v1alpha1.ImageReconciling)
	resolved := meta.FindStatusCondition(conditions, v1alpha1.ImageInputsResolved)
	switch {
	case progress == nil || progress.Status != metav1.ConditionTrue:
		return nil
	case resolved != nil && resolved.Status == metav1.ConditionFalse && resolved.Reason == progress.Reason:
		return because(outdated, resolved)
	case progress.Reason == v1alpha1.ReasonBuildRefused:
		return because(outdated, progress)
	}
	return nil
}

// becauseChannelRevoked returns that a channel names a revoked build, or nil.
func becauseChannelRevoked(image *v1alpha1.Image, now time.Time) *finding {
	for i := range image.Status.Channels {
		channel := &image.Status.Channels[i]
		if channel.Revoked.InEffect(now) {
			return &finding{
				severity: outdated, reason: string(v1alpha1.ReasonRevoked), since: channel.Revoked.Since(),
				message: fmt.Sprintf("channel %s names %s: promote another build. It was %s", channel.Name, channel.Build, channel.Revoked.Explain()),
			}
		}
	}
	return nil
}

// becauseBaseRevoked returns that the latest successful build is based on a revoked build, or nil.
func becauseBaseRevoked(latest *v1alpha1.SuccessfulBuild) *finding {
	message := trigger.OnRevokedBase(latest)
	if message == "" {
		return nil
	}
	return &finding{severity: outdated, reason: string(v1alpha1.ReasonBaseRevoked), message: message, since: latest.RevokedBase.Revocation.Since()}
}

// becauseRuleUnmet returns that a channel names a build that lacks what its rule requires, without an override, or nil.
func becauseRuleUnmet(channels []v1alpha1.ImageChannel) *finding {
	for i := range channels {
		if channel := &channels[i]; len(channel.Missing) > 0 && channel.Override == nil {
			message := fmt.Sprintf("channel %s names %s, which lacks what its rule requires: %s", channel.Name, channel.Build, channel.Missing[0])
			return &finding{severity: outdated, reason: "rule not met", message: message, since: channel.Time.Time}
		}
	}
	return nil
}

func because(severity severity, condition *metav1.Condition) *finding {
	return &finding{severity: severity, reason: condition.Reason, message: condition.Message, since: condition.LastTransitionTime.Time}
}

func isReady(image *v1alpha1.Image) bool {
	return meta.IsStatusConditionTrue(image.Status.Conditions, v1alpha1.ImageReady)
}

// ofBuild returns why an unfinished build needs attention, or nil.
func ofBuild(build *v1alpha1.ImageBuild, now time.Time) *finding {
	if of := ofRetry(build); of != nil {
		return of
	}
	switch delay := build.Status.Delay(); {
	case delay == nil:
	case delay.Reason == v1alpha1.ReasonWaitingForPublisher: // the status has no time of the builder's end
		return &finding{severity: waiting, reason: delay.Reason, message: delay.Message}
	case delay.Reason == v1alpha1.ReasonWaitingForSigner && now.Sub(delay.LastTransitionTime.Time) > longWait:
		return because(waiting, delay)
	}
	kind, since := v1alpha1.BuildAdmitted, build.Status.QueuedTime
	if again := build.Status.RequeuedSince(); again != nil {
		since = again
	}
	switch build.Status.Phase {
	case v1alpha1.BuildPending, v1alpha1.BuildQueued, "":
	case v1alpha1.BuildStarting:
		kind, since = v1alpha1.BuildPodReady, build.Status.StartTime
		// A build that was queued again was admitted after its start.
		if admitted := meta.FindStatusCondition(build.Status.Conditions, v1alpha1.BuildAdmitted); since != nil && admitted != nil && since.Before(&admitted.LastTransitionTime) {
			since = &admitted.LastTransitionTime
		}
	case v1alpha1.BuildTesting:
		kind, since = v1alpha1.BuildPodReady, nil
		if delay := build.Status.Delay(); delay != nil {
			kind, since = delay.Type, &delay.LastTransitionTime
		}
		if since == nil {
			return nil
		}
	default:
		return nil
	}
	if since == nil {
		since = &build.CreationTimestamp
	}
	if now.Sub(since.Time) <= longWait {
		return nil
	}
	of := &finding{severity: waiting, reason: string(build.Status.Phase), since: since.Time}
	if condition := meta.FindStatusCondition(build.Status.Conditions, kind); condition != nil && condition.Status != metav1.ConditionTrue {
		of.reason, of.message = condition.Reason, condition.Message
	}
	return of
}

// ofRetry returns why the last failed attempt of an unfinished build failed. It returns nil for a build without a retry.
func ofRetry(build *v1alpha1.ImageBuild) *finding {
	attempts := build.Status.Attempts
	for i := range slices.Backward(attempts) {
		attempt := &attempts[i]
		if attempt.Failure == nil {
			continue
		}
		of := &finding{severity: retrying, reason: string(attempt.Failure.Reason)}
		if attempt.CompletionTime != nil {
			of.since = attempt.CompletionTime.Time
		}
		of.message = fmt.Sprintf("%s failed: %s", follow.AttemptName(attempt), attempt.Failure.Message)
		backoff := meta.FindStatusCondition(build.Status.Conditions, v1alpha1.BuildPodReady)
		if build.Status.Phase == v1alpha1.BuildRetrying && backoff != nil && backoff.Message != "" {
			of.message = backoff.Message
		}
		return of
	}
	return nil
}
