// SPDX-License-Identifier: Apache-2.0

package state

import (
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// maxDisruptions is how many disrupted attempts end a build.
const maxDisruptions = 10

// disruptions are the reasons for which an attempt is not to blame: the pod or what it ran on went away.
var disruptions = []v1alpha1.FailureReason{
	v1alpha1.ReasonEvicted, v1alpha1.ReasonPreempted, v1alpha1.ReasonNodeLost, v1alpha1.ReasonNodeShutdown,
	v1alpha1.ReasonPodDeleted, v1alpha1.ReasonJobDeleted, v1alpha1.ReasonProcessLost,
}

// Disruption says whether a reason is a disruption: the next attempt starts at once and is not counted.
func Disruption(reason v1alpha1.FailureReason) bool {
	return slices.Contains(disruptions, reason)
}

// TimeoutLimits are a build's timeouts.
type TimeoutLimits struct {
	Start, Run time.Duration
}

// Timeouts of a build, with the defaults for what is not set.
func Timeouts(build *v1alpha1.ImageBuild) TimeoutLimits {
	limits := TimeoutLimits{Start: v1alpha1.DefaultStartTimeout, Run: v1alpha1.DefaultRunTimeout}
	if timeouts := build.Spec.Timeouts; timeouts != nil {
		limits.Start = duration(timeouts.Start, limits.Start)
		limits.Run = duration(timeouts.Run, limits.Run)
	}
	return limits
}

// NextAttemptTime is when the attempt after the current one may start: at once after a disruption, otherwise after a
// backoff that doubles with each failure.
func NextAttemptTime(build *v1alpha1.ImageBuild) time.Time {
	failures := 0
	for _, attempt := range build.Status.Attempts {
		if attempt.Outcome == v1alpha1.AttemptFailed {
			failures++
		}
	}
	last := build.Status.Attempts[len(build.Status.Attempts)-1]
	if last.CompletionTime == nil {
		return last.StartTime.Time
	}
	if last.Outcome == v1alpha1.AttemptDisrupted {
		return last.CompletionTime.Time
	}
	return last.CompletionTime.Add(backoff(build.Spec.Retry, failures))
}

func backoff(policy *v1alpha1.RetryPolicy, failures int) time.Duration {
	wait, longest := time.Duration(v1alpha1.DefaultBackoffInitial), time.Duration(v1alpha1.DefaultBackoffMax)
	if policy != nil && policy.Backoff != nil {
		wait = duration(policy.Backoff.Initial, wait)
		longest = duration(policy.Backoff.Max, max(longest, wait))
	}
	for range failures - 1 {
		if wait >= longest {
			break
		}
		wait *= 2
	}
	return min(wait, longest)
}

// another says whether the attempts that were made leave room for another one. The last of them has just ended.
func another(policy *v1alpha1.RetryPolicy, attempts []v1alpha1.BuildAttempt) bool {
	disrupted, failed := 0, 0
	for _, attempt := range attempts {
		switch attempt.Outcome {
		case v1alpha1.AttemptDisrupted:
			disrupted++
		case v1alpha1.AttemptFailed:
			failed++
		}
	}
	last := attempts[len(attempts)-1]
	if last.Outcome == v1alpha1.AttemptDisrupted {
		return disrupted < maxDisruptions
	}
	limit, on := int32(v1alpha1.DefaultRetryLimit), []v1alpha1.FailureClass{v1alpha1.FailureInfrastructure, v1alpha1.FailureRegistry}
	if policy != nil {
		if policy.Limit != nil {
			limit = *policy.Limit
		}
		if len(policy.On) > 0 {
			on = policy.On
		}
	}
	return failed <= int(limit) && slices.Contains(on, last.Failure.Class)
}

func duration(field *metav1.Duration, otherwise time.Duration) time.Duration {
	if field == nil {
		return otherwise
	}
	return field.Duration
}
