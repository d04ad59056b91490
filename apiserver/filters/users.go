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
		if owner := OwnerOf(request.Context()); owner != "" {
			tell(request.RemoteAddr, owner)
		}
		api.ServeHTTP(writer, request)
	})
}

// OwnerOf returns for whom the authenticated request of a context counts: its user, or the namespace of a service account, because who makes one can make many. It is empty
// for other requests.
func OwnerOf(ctx context.Context) string {
	by, found := apirequest.UserFrom(ctx)
	if !found || slices.Contains(by.GetGroups(), user.AllUnauthenticated) {
		return ""
	}
	if namespace, _, err := serviceaccount.SplitUsername(by.GetName()); err == nil {
		return serviceaccount.MakeNamespaceGroupName(namespace)
	}
	return by.GetName()
}

// Limits are how many requests of a user are answered at the same time. Zero is no limit.
type Limits struct {
	// Streams are watches, logs and other requests that have no end of their own, which the limits of the generic server leave out.
	Streams int
	// Reads and Writes are the other requests, without those of the group system:masters, as for the limits of the generic server.
	Reads, Writes int
}

// MaxStreams is the limit of streams. A watch needs about 60 KiB, and 600 KiB with a selector of MaxQuery. The session of one person has fewer than 50, and a
// program that follows a build two for each.
const MaxStreams = 2048

// LimitsOf returns the limits of a user on a server that answers so many reads and writes at the same time: the user has a quarter of them. A client that
// neither reads its answers nor ends its requests would otherwise have them all.
func LimitsOf(reads, writes int) Limits {
	return Limits{Streams: MaxStreams, Reads: (reads + 3) / 4, Writes: (writes + 3) / 4}
}

// of returns the limit of a request, and what it counts as.
func (l Limits) of(request *http.Request, isStream apirequest.LongRunningRequestCheck) (limit int, kind string) {
	info, found := apirequest.RequestInfoFrom(request.Context())
	by, known := apirequest.UserFrom(request.Context())
	switch {
	case !found:
		return 0, ""
	case isStream(request, info):
		return l.Streams, "watches and other streams"
	case known && slices.Contains(by.GetGroups(), user.SystemPrivilegedGroup):
		return 0, ""
	case slices.Contains([]string{"get", "list", "watch"}, info.Verb):
		return l.Reads, "requests to read"
	}
	return l.Writes, "requests to write"
}

// retryAfter is when a client asks again after 429, in seconds.
const retryAfter = 5

// LimitUsers answers 429 to a request of an authenticated user who has as many requests of its kind that are not answered yet as the limits allow.
func LimitUsers(api http.Handler, limits Limits, isStream apirequest.LongRunningRequestCheck, serializer runtime.NegotiatedSerializer) http.Handler {
	type share struct{ owner, kind string }
	var mu sync.Mutex
	requests := map[share]int{}
	return http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		limit, kind := limits.of(request, isStream)
		of := share{OwnerOf(request.Context()), kind}
		if limit == 0 || of.owner == "" {
			api.ServeHTTP(writer, request)
			return
		}
		mu.Lock()
		full := requests[of] >= limit
		if !full {
			requests[of]++
		}
		mu.Unlock()
		if full {
			err := apierrors.NewTooManyRequests(fmt.Sprintf("%s has %d %s at the same time: end some, or ask again later", of.owner, limit, kind), retryAfter)
			responsewriters.ErrorNegotiated(err, serializer, schema.GroupVersion{}, writer, request)
			return
		}
		defer func() {
			mu.Lock()
			defer mu.Unlock()
			if requests[of]--; requests[of] == 0 {
				delete(requests, of)
			}
		}()
		api.ServeHTTP(writer, request)
	})
}
