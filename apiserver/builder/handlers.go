// SPDX-License-Identifier: Apache-2.0

package builder

import (
	"net/http"

	"k8s.io/apimachinery/pkg/util/sets"
	genericapiserver "k8s.io/apiserver/pkg/server"

	"goldsmith.dev/goldsmith/apiserver/authentication"
	"goldsmith.dev/goldsmith/apiserver/filters"
	"goldsmith.dev/goldsmith/apiserver/requesterrors"
)

// handlerChain is the generic server's handler chain with the filters of this module.
func (o *Options) handlerChain(streamed []string) func(http.Handler, *genericapiserver.Config) http.Handler {
	return func(api http.Handler, config *genericapiserver.Config) http.Handler {
		own := config.Authorization.Authorizer
		config.Authorization.Authorizer = authentication.AuthorizedBefore(o.forwardedGroups(), own)
		defer func() { config.Authorization.Authorizer = own }() // for everything but this chain
		origins := config.CorsAllowedOriginList
		config.CorsAllowedOriginList = nil // the library would allow credentials
		api = requesterrors.Check(api, config.Serializer)
		api = filters.EndWithUsers(api)
		api = filters.EndStreams(api, streamed, config.DrainedNotify())
		api = filters.EndStalls(api, streamed, o.stallLimit)
		api = filters.AnswerOldHashes(api)
		limits := filters.Limits{Streams: filters.MaxStreams}
		if config.FlowControl == nil { // else priority and fairness shares the other requests among users
			limits = filters.LimitsOf(config.MaxRequestsInFlight, config.MaxMutatingRequestsInFlight)
		}
		api = filters.LimitUsers(api, limits, config.LongRunningFunc, config.Serializer)
		api = filters.TellAuthenticated(api, o.listener.Authenticated)
		chain := filters.WithAuthenticated(filters.TakeSecrets(o.server.secrets, genericapiserver.DefaultBuildHandlerChain(api, config)))
		maxHeaders := filters.MaxHeaders
		if o.server.delegated != nil {
			maxHeaders = 0 // a kube-apiserver adds one for each group of a user
		}
		chain = filters.LimitHeads(chain, maxHeaders, config.Serializer)
		if landing := o.server.landing; landing != nil {
			chain = filters.GreetBrowsers(landing, chain)
		}
		return filters.MoveClients(filters.AnswerPages(origins, chain), config.ShutdownInitiatedNotify())
	}
}

// forwardedGroups are the API groups that a kube-apiserver forwards to this server. The core group has no name, and is
// always the kube-apiserver's own.
func (o *Options) forwardedGroups() sets.Set[string] {
	groups := sets.New[string]()
	for _, group := range o.server.dynamic {
		if o.server.delegated != nil {
			groups.Insert(group.Name())
		}
	}
	for _, provision := range o.server.provisions {
		for _, version := range provision.versions {
			if o.server.delegated != nil && version.Group != "" {
				groups.Insert(version.Group)
			}
		}
	}
	return groups
}
