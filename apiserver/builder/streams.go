// SPDX-License-Identifier: Apache-2.0

package builder

import (
	"context"
	"net/http"
	"slices"

	apirequest "k8s.io/apiserver/pkg/endpoints/request"
	genericapiserver "k8s.io/apiserver/pkg/server"
)

// endStreamsAtShutdown ends streamed subresources, such as a followed log, when the server stops. The generic server
// does so for watches only, and waits for everything else.
func endStreamsAtShutdown(streamed []string) func(http.Handler, *genericapiserver.Config) http.Handler {
	return func(api http.Handler, config *genericapiserver.Config) http.Handler {
		stopping := config.ShutdownInitiatedNotify()
		handler := http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
			info, found := apirequest.RequestInfoFrom(request.Context())
			if !found || !info.IsResourceRequest || !slices.Contains(streamed, info.Subresource) {
				api.ServeHTTP(writer, request)
				return
			}
			ctx, cancel := context.WithCancel(request.Context())
			defer cancel()
			go func() {
				select {
				case <-stopping:
					cancel()
				case <-ctx.Done():
				}
			}()
			api.ServeHTTP(writer, request.WithContext(ctx))
		})
		return genericapiserver.DefaultBuildHandlerChain(handler, config)
	}
}
