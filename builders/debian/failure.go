// SPDX-License-Identifier: Apache-2.0

package debian

import (
	"fmt"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/result"
)

// failure is why a build fails. Any other error is a bug of the builder, or a fault of its machine.
type failure struct{ result.Failure }

func (f *failure) Error() string { return f.Reason + ": " + f.Message }

// refuse returns a failure that the user of the image can correct.
func refuse(reason, format string, args ...any) error {
	return &failure{result.Failure{Reason: reason, Message: fmt.Sprintf(format, args...)}}
}

// misconfigured returns a failure that the operator can correct.
func misconfigured(reason, format string, args ...any) error {
	return &failure{result.Failure{Reason: reason, Message: fmt.Sprintf(format, args...), Class: v1alpha1.FailureConfig}}
}

// unavailable returns a failure for which another attempt can help.
func unavailable(reason, format string, args ...any) error {
	return &failure{result.Failure{Reason: reason, Message: fmt.Sprintf(format, args...), Retryable: true}}
}
