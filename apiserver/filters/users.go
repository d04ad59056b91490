// SPDX-License-Identifier: Apache-2.0

package filters

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/serviceaccount"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/endpoints/handlers/responsewriters"
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

// TellAuthenticated calls tell with the remote address of each request of an authenticated user, before the request is answered, and with its owner.
func TellAuthenticated(api http.Handler, tell func(remote, owner string)) http.Handler {
	return http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		if owner := ownerOf(request); owner != "" {
			tell(request.RemoteAddr, owner)
		}
		api.ServeHTTP(writer, request)
	})
}

// ownerOf returns for whom an authenticated request counts: its user, or the namespace of a service account, because who makes one can make many. It is empty
// for other requests.
func ownerOf(request *http.Request) string {
	by, found := apirequest.UserFrom(request.Context())
	if !found || slices.Contains(by.GetGroups(), user.AllUnauthenticated) {
		return ""
	}
	if namespace, _, err := serviceaccount.SplitUsername(by.GetName()); err == nil {
		return serviceaccount.MakeNamespaceGroupName(namespace)
	}
	return by.GetName()
}

// MaxRequestsOfUser is how many requests of a user are answered at the same time, with watches and logs that are followed, which the limits of the generic
// server leave out. A watch needs about 60 KiB. The session of one person has fewer than 50, and a program that follows a build two for each.
const MaxRequestsOfUser = 2048

// retryAfter is when a client asks again after 429, in seconds.
const retryAfter = 5

// LimitUsers answers 429 to a request of an authenticated user who has limit requests that are not answered yet.
func LimitUsers(api http.Handler, limit int, serializer runtime.NegotiatedSerializer) http.Handler {
	var mu sync.Mutex
	requests := map[string]int{} // by owner
	return http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		owner := ownerOf(request)
		if owner == "" {
			api.ServeHTTP(writer, request)
			return
		}
		mu.Lock()
		full := requests[owner] >= limit
		if !full {
			requests[owner]++
		}
		mu.Unlock()
		if full {
			err := apierrors.NewTooManyRequests(fmt.Sprintf("%s has %d requests at the same time, such as watches: end some, or ask again later", owner, limit), retryAfter)
			responsewriters.ErrorNegotiated(err, serializer, schema.GroupVersion{}, writer, request)
			return
		}
		defer func() {
			mu.Lock()
			defer mu.Unlock()
			if requests[owner]--; requests[owner] == 0 {
				delete(requests, owner)
			}
		}()
		api.ServeHTTP(writer, request)
	})
}
