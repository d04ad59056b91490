// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// Limits of timeouts and retries.
const (
	maxQueueTimeout   = 720 * time.Hour
	maxStartTimeout   = 24 * time.Hour
	maxRunTimeout     = 168 * time.Hour
	maxBackoffInitial = time.Hour
	maxBackoffMax     = 24 * time.Hour
)

// retryable are the classes that a policy may name. A cancelled build is never retried.
var retryable = []v1alpha1.FailureClass{
	v1alpha1.FailureUser, v1alpha1.FailureConfig, v1alpha1.FailureInfrastructure, v1alpha1.FailureRegistry, v1alpha1.FailureTimeout,
}

// Timeouts validates the timeouts of a build.
func Timeouts(timeouts *v1alpha1.BuildTimeouts, path *field.Path) field.ErrorList {
	if timeouts == nil {
		return nil
	}
	errs := WholeSeconds(timeouts.Queue, time.Second, maxQueueTimeout, path.Child("queue"))
	errs = append(errs, WholeSeconds(timeouts.Start, time.Second, maxStartTimeout, path.Child("start"))...)
	return append(errs, WholeSeconds(timeouts.Run, time.Second, maxRunTimeout, path.Child("run"))...)
}

// Retry validates the retry policy of a build.
func Retry(retry *v1alpha1.RetryPolicy, path *field.Path) field.ErrorList {
	if retry == nil {
		return nil
	}
	var errs field.ErrorList
	for i, class := range retry.Classes {
		errs = append(errs, Enum(class, retryable, path.Child("classes").Index(i))...)
	}
	if retry.Backoff != nil {
		errs = append(errs, validateBackoff(retry.Backoff, path.Child("backoff"))...)
	}
	return errs
}

func validateBackoff(backoff *v1alpha1.Backoff, path *field.Path) field.ErrorList {
	errs := Duration(backoff.Initial, 0, maxBackoffInitial, path.Child("initial"))
	errs = append(errs, Duration(backoff.Max, 0, maxBackoffMax, path.Child("max"))...)
	if backoff.Initial != nil && backoff.Max != nil && backoff.Max.Duration < backoff.Initial.Duration {
		errs = append(errs, field.Invalid(path.Child("max"), backoff.Max.String(),
			fmt.Sprintf("must be at least %s, the value of initial", backoff.Initial)))
	}
	return errs
}
