// SPDX-License-Identifier: Apache-2.0

package filters

import (
	"context"
	"net/http"
	"slices"

	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/user"
	apirequest "k8s.io/apiserver/pkg/endpoints/request"
)

// presentKey is the key of the context of a request for a *context.Context, which is done when the authenticated user is removed.
type presentKey struct{}

// UntilRemoved lets EndWithUsers end the requests of the users of tokens, if tokens has a method Present(user.Info) context.Context. Present
// returns a context that is done when a user is removed, or nil if the user is removed already.
func UntilRemoved(tokens authenticator.Token) authenticator.Token {
	temporary, ok := tokens.(interface {
		Present(user.Info) context.Context
	})
	if !ok {
		return tokens
	}
	return authenticator.TokenFunc(func(ctx context.Context, token string) (*authenticator.Response, bool, error) {
		response, known, err := tokens.AuthenticateToken(ctx, token)
		if !known || err != nil {
			return response, known, err
		}
		present := temporary.Present(response.User)
		if present == nil {
			return nil, false, nil
		}
		if ends, found := ctx.Value(presentKey{}).(*context.Context); found {
			*ends = present
		}
		return tokens.AuthenticateToken(ctx, token) // again: since the first time, another user may have got the name
	})
}

// WithAuthenticated lets UntilRemoved tell EndWithUsers who is authenticated. It is the outer filter: the user of the context of an inner
// filter may be an impersonated one.
func WithAuthenticated(chain http.Handler) http.Handler {
	return http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		chain.ServeHTTP(writer, request.WithContext(context.WithValue(request.Context(), presentKey{}, new(context.Context))))
	})
}

// EndWithUsers ends requests, such as watches, whose authenticated users are removed meanwhile.
func EndWithUsers(api http.Handler) http.Handler {
	return http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		if present, found := request.Context().Value(presentKey{}).(*context.Context); found && *present != nil {
			ctx, cancel := context.WithCancel(request.Context())
			defer cancel()
			defer context.AfterFunc(*present, cancel)()
			request = request.WithContext(ctx)
		}
		api.ServeHTTP(writer, request)
	})
}

// TellAuthenticated calls tell with the remote address of each request of an authenticated user, before the request is answered.
func TellAuthenticated(api http.Handler, tell func(remote string)) http.Handler {
	return http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		if by, found := apirequest.UserFrom(request.Context()); found && !slices.Contains(by.GetGroups(), user.AllUnauthenticated) {
			tell(request.RemoteAddr)
		}
		api.ServeHTTP(writer, request)
	})
}
