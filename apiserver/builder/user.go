// SPDX-License-Identifier: Apache-2.0

package builder

import (
	"context"

	apirequest "k8s.io/apiserver/pkg/endpoints/request"
)

// UserName returns the name of the user who makes a request, "" if nobody does.
func UserName(ctx context.Context) string {
	user, ok := apirequest.UserFrom(ctx)
	if !ok {
		return ""
	}
	return user.GetName()
}
