// SPDX-License-Identifier: Apache-2.0

// Package notfound tells the two meanings of a 404 apart: the API has no such object, or the server has no such API.
package notfound

import (
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Object says whether an API reported that it has no such object.
func Object(err error) bool { return apierrors.IsNotFound(err) && !isForeign(err) }

// API says whether a 404 came from a server that does not have the API, or from something in front of it. It says nothing
// about the object.
func API(err error) bool { return apierrors.IsNotFound(err) && isForeign(err) }

// isForeign says whether client-go made the error from a response that is not of an API.
func isForeign(err error) bool {
	return apierrors.HasStatusCause(err, metav1.CauseTypeUnexpectedServerResponse)
}
