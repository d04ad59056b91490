// SPDX-License-Identifier: Apache-2.0

package builder

import (
	"context"
	"net/http"
	"slices"

	"k8s.io/apimachinery/pkg/util/sets"
	apirequest "k8s.io/apiserver/pkg/endpoints/request"
	genericapiserver "k8s.io/apiserver/pkg/server"
)

// handlerChain is the generic server's own, with an end that clients and streams can live with, and without a second look
// at what was authorized before it was forwarded: see authorizedBefore. Browsers get the landing page, if there is one.
func handlerChain(streamed []string, forwarded sets.Set[string], landing []byte) func(http.Handler, *genericapiserver.Config) http.Handler {
	return func(api http.Handler, config *genericapiserver.Config) http.Handler {
		own := config.Authorization.Authorizer
		config.Authorization.Authorizer = authorizedBefore(forwarded, own)
		defer func() { config.Authorization.Authorizer = own }() // for everything but this chain
		chain := genericapiserver.DefaultBuildHandlerChain(endStreams(keepPatches(api), streamed, config.DrainedNotify()), config)
		if landing != nil {
			chain = greetBrowsers(landing, chain)
		}
		return moveClients(chain, config.ShutdownInitiatedNotify())
	}
}

// endStreams breaks off streamed subresources, such as a followed log, when everything else has ended. The generic server
// ends watches only. A client sees an error, and not the end of the stream, so that it can tell a log that is whole.
func endStreams(api http.Handler, streamed []string, drained <-chan struct{}) http.Handler {
	return http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		info, found := apirequest.RequestInfoFrom(request.Context())
		if !found || !info.IsResourceRequest || !slices.Contains(streamed, info.Subresource) {
			api.ServeHTTP(writer, request)
			return
		}
		ctx, cancel := context.WithCancel(request.Context())
		defer cancel()
		go func() {
			select {
			case <-drained:
				cancel()
			case <-ctx.Done():
			}
		}()
		api.ServeHTTP(writer, request.WithContext(ctx))
		if ctx.Err() != nil && request.Context().Err() == nil {
			panic(http.ErrAbortHandler)
		}
	})
}

// moveClients has clients open new connections once the server is stopping, while it still answers: new ones go to
// another server, but whoever keeps an old one, as an aggregator does, would use it until it is too late. Over HTTP/2 that is a
// GOAWAY, which loses what is sent at the same moment: nothing is lost over HTTP/1.1 only (--disable-http2-serving).
func moveClients(chain http.Handler, stopping <-chan struct{}) http.Handler {
	return http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		select {
		case <-stopping:
			writer.Header().Set("Connection", "close")
		default:
		}
		chain.ServeHTTP(writer, request)
	})
}
