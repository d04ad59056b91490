// SPDX-License-Identifier: Apache-2.0

package history

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/warning"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/requesterrors"
	"goldsmith.dev/goldsmith/records"
)

// retryAfter is when a client should try again while the database is unavailable, in seconds. kubectl tries ten times before
// it reports the error.
const retryAfter = 1

// Error turns an error of the database into an error for the client: a bad request if the request is invalid, otherwise 503
// with the time of the next try. The resource is the resource of the request, such as images/history.
func Error(err error, resource, name string) error {
	if errors.Is(err, records.ErrInvalid) {
		return apierrors.NewBadRequest(fmt.Sprintf("%s of %q: %v", resource, name, err))
	}
	says := "does not answer now, try again"
	if errors.Is(err, context.DeadlineExceeded) {
		says = "did not answer in time, try again, or shorten the time range with since"
	}
	return requesterrors.Unavailable(fmt.Sprintf("%s of %q: the database of records %s: %v", resource, name, says, err), metav1.StatusDetails{
		Group: v1alpha1.SchemeGroupVersion.Group, Kind: resource, Name: name, RetryAfterSeconds: retryAfter,
		Causes: []metav1.StatusCause{{Type: "RecordsUnavailable", Message: err.Error()}},
	})
}

// WarnNoDatabase warns the client that the answer is empty because there is no database.
func WarnNoDatabase(ctx context.Context) {
	warning.AddWarning(ctx, "", "this server has no database of records: configure one with --records")
}

// NoDatabaseError is the error of a request that requires a database.
func NoDatabaseError(resource, name, verb string) error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{
		Status: metav1.StatusFailure, Code: http.StatusMethodNotAllowed, Reason: metav1.StatusReasonMethodNotAllowed,
		Message: fmt.Sprintf("%s of %q cannot be %s: this server has no database of records; configure one with --records", resource, name, verb),
		Details: &metav1.StatusDetails{Group: v1alpha1.SchemeGroupVersion.Group, Kind: resource, Name: name},
	}}
}
