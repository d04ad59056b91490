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

	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/apiserver/internal/images"
	"goldsmith.dev/goldsmith/records"
)

// retryAfter is when to ask again while the database does not answer, in seconds. kubectl does so ten times before it says why.
const retryAfter = 1

// Error turns what the database says into an answer for the client: a bad request where that was wrong, otherwise 503 and
// when to try again. The resource is that of the request, such as images/history.
func Error(err error, resource, name string) error {
	if errors.Is(err, records.ErrInvalid) {
		return apierrors.NewBadRequest(fmt.Sprintf("%s of %q: %v", resource, name, err))
	}
	says := "does not answer now, try again"
	if errors.Is(err, context.DeadlineExceeded) {
		says = "did not answer in time, try again, or shorten the time range with since"
	}
	return builder.Unavailable(fmt.Sprintf("%s of %q: the database of records %s: %v", resource, name, says, err), metav1.StatusDetails{
		Group: images.SchemeGroupVersion.Group, Kind: resource, Name: name, RetryAfterSeconds: retryAfter,
		Causes: []metav1.StatusCause{{Type: "RecordsUnavailable", Message: err.Error()}},
	})
}

// WarnNoDatabase tells the client that there is nothing because there is no database.
func WarnNoDatabase(ctx context.Context) {
	warning.AddWarning(ctx, "", "this server has no database of records: configure one with --records")
}

// NoDatabaseError refuses what cannot be done without a database.
func NoDatabaseError(resource, name, verb string) error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{
		Status: metav1.StatusFailure, Code: http.StatusMethodNotAllowed, Reason: metav1.StatusReasonMethodNotAllowed,
		Message: fmt.Sprintf("%s of %q cannot be %s: this server has no database of records; configure one with --records", resource, name, verb),
		Details: &metav1.StatusDetails{Group: images.SchemeGroupVersion.Group, Kind: resource, Name: name},
	}}
}
