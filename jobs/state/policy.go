// SPDX-License-Identifier: Apache-2.0

package state

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// maxDisruptions is the number of disrupted attempts after which a build fails.
const maxDisruptions = 10

// nextAttemptTime is when the attempt after the current one may start: at once after a disruption, otherwise after a
// backoff that doubles with each failure, and a jitter.
func nextAttemptTime(build *v1alpha1.ImageBuild, attempts []v1alpha1.BuildAttempt) time.Time {
	last := attempts[len(attempts)-1]
	if last.CompletionTime == nil {
		return last.StartTime.Time
	}
	if last.Outcome == v1alpha1.AttemptSucceeded || !retryAllowed(build.Spec.Retry, attempts) { // the next attempt tests something else
		return last.CompletionTime.Time
	}
	wait := backoff(build.Spec.Retry.Backoff, count(alike(attempts), v1alpha1.AttemptFailed))
	if last.Outcome == v1alpha1.AttemptDisrupted || wait == 0 {
		return last.CompletionTime.Time
	}
	return last.CompletionTime.Add(wait + jitter(build.UID, last.Number, wait/5) + rounding)
}

// jitter returns a duration of whole milliseconds up to limit. It is the same for an attempt each time, also after a restart.
func jitter(build types.UID, attempt int32, limit time.Duration) time.Duration {
	sum := sha256.Sum256([]byte(string(build) + "/" + strconv.Itoa(int(attempt)) + "/backoff"))
	share := time.Duration(binary.BigEndian.Uint64(sum[:]) % uint64(limit+1)) //nolint:gosec // a backoff is not negative
	return share.Truncate(time.Millisecond)
}

func backoff(policy *v1alpha1.Backoff, failures int) time.Duration {
	wait := policy.Initial.Duration
	for range failures - 1 {
		if wait >= policy.Max.Duration {
			break
		}
		wait *= 2
	}
	return min(wait, policy.Max.Duration)
}

// retryAllowed reports whether the build gets another attempt, after the last attempt has ended. An attempt that was not admitted in time ends the build,
// or its tests: each attempt after it would wait as long.
func retryAllowed(policy *v1alpha1.RetryPolicy, attempts []v1alpha1.BuildAttempt) bool {
	attempts = alike(attempts)
	last := attempts[len(attempts)-1]
	if last.Outcome == v1alpha1.AttemptDisrupted {
		return count(attempts, v1alpha1.AttemptDisrupted) < maxDisruptions
	}
	return last.Failure.Reason != v1alpha1.ReasonQueueTimeout && count(attempts, v1alpha1.AttemptFailed) <= int(*policy.Limit) && slices.Contains(policy.Classes, last.Failure.Class)
}

func count(attempts []v1alpha1.BuildAttempt, outcome v1alpha1.AttemptOutcome) (n int) {
	for _, attempt := range attempts {
		if attempt.Outcome == outcome {
			n++
		}
	}
	return n
}
