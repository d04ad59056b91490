// SPDX-License-Identifier: Apache-2.0

package filters

import (
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"testing/iotest"

	apirequest "k8s.io/apiserver/pkg/endpoints/request"

	"goldsmith.dev/goldsmith/e2e/require"
)

// A client, also behind an aggregator, can tell a log that breaks off from one that ends.
func TestAStreamThatFailsHasNoEnd(t *testing.T) {
	stopped := make(chan struct{})
	close(stopped)
	for name, c := range map[string]struct {
		stream  io.Reader
		drained chan struct{}
		whole   bool
	}{
		"a whole log":        {strings.NewReader("one\n"), nil, true},
		"a log that fails":   {io.MultiReader(strings.NewReader("one\n"), iotest.ErrReader(errors.New("the node is lost"))), nil, false},
		"a server that ends": {strings.NewReader("one\n"), stopped, false},
	} {
		for _, http2 := range []bool{false, true} {
			server := httptest.NewUnstartedServer(withLogInfo(EndStreams(http.HandlerFunc(func(out http.ResponseWriter, in *http.Request) {
				if c.drained != nil {
					<-in.Context().Done()
				}
				_, _ = io.Copy(out, Stream(in.Context(), io.NopCloser(c.stream))) // as the generic server does
				_ = http.NewResponseController(out).Flush()
			}), []string{"log"}, c.drained)))
			server.EnableHTTP2 = http2
			server.StartTLS()
			backend, err := url.Parse(server.URL)
			require.NoError(t, err)
			proxy := httputil.NewSingleHostReverseProxy(backend)
			proxy.ErrorLog = log.New(io.Discard, "", 0)
			proxy.Transport = server.Client().Transport
			aggregator := httptest.NewServer(proxy)
			for where, address := range map[string]string{"direct": server.URL, "aggregated": aggregator.URL} {
				if c.whole && where == "aggregated" {
					c.stream = strings.NewReader("one\n")
				}
				answer, err := server.Client().Get(address)
				if err == nil {
					_, err = io.ReadAll(answer.Body)
					_ = answer.Body.Close()
				}
				if (err == nil) != c.whole {
					t.Errorf("%s, %s, HTTP/2 %t: %v", name, where, http2, err)
				}
			}
			aggregator.Close()
			server.Close()
		}
	}
}

func withLogInfo(api http.Handler) http.Handler {
	return http.HandlerFunc(func(out http.ResponseWriter, in *http.Request) {
		info := &apirequest.RequestInfo{IsResourceRequest: true, Subresource: "log"}
		api.ServeHTTP(out, in.WithContext(apirequest.WithRequestInfo(in.Context(), info)))
	})
}
