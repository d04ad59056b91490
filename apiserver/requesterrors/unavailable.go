// SPDX-License-Identifier: Apache-2.0

package requesterrors

import (
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Unavailable returns the error of a request that cannot be answered now, with status 503. details.RetryAfterSeconds tells
// the client when to try again.
func Unavailable(message string, details metav1.StatusDetails) *apierrors.StatusError {
	err := apierrors.NewServiceUnavailable(message)
	err.ErrStatus.Details = &details
	return err
}
