// SPDX-License-Identifier: Apache-2.0

package filters

import (
	"context"
	"net/http"

	"k8s.io/apiserver/pkg/authentication/user"
	apirequest "k8s.io/apiserver/pkg/endpoints/request"
)

// EndWithUsers ends requests, such as watches, of users who are removed meanwhile. present returns a context that is done when a user is
// removed, or nil for a user who stays.
func EndWithUsers(api http.Handler, present func(user.Info) context.Context) http.Handler {
	return http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		if info, found := apirequest.UserFrom(request.Context()); found {
			if until := present(info); until != nil {
				ctx, cancel := context.WithCancel(request.Context())
				defer cancel()
				defer context.AfterFunc(until, cancel)()
				request = request.WithContext(ctx)
			}
		}
		api.ServeHTTP(writer, request)
	})
}
