// SPDX-License-Identifier: Apache-2.0

package client

import (
	"errors"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"goldsmith.dev/goldsmith/apis/notfound"
)

// IsNotFound says whether the server told that it has no such object. A 404 may also be about another object that the
// request needs, or come from a server that does not have the API.
func IsNotFound(err error, resource, name string) bool {
	var status apierrors.APIStatus
	if !notfound.Object(err) || !errors.As(err, &status) {
		return false
	}
	missing := status.Status().Details
	return missing != nil && missing.Kind == resource && missing.Name == name
}
