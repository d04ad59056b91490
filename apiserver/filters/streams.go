// SPDX-License-Identifier: Apache-2.0

package filters

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"sync/atomic"

	apirequest "k8s.io/apiserver/pkg/endpoints/request"
)

// EndStreams aborts streamed subresources, such as a followed log, when all other requests have ended, and when reading a
// Stream has failed. The generic server ends only watches, and drops the error of a stream. The client gets an error instead of
// the end of the stream, so that it knows that the log is incomplete: over HTTP/1.1 the last chunk is missing, over HTTP/2 the
// stream is reset. An aggregator passes both on.
func EndStreams(api http.Handler, streamed []string, drained <-chan struct{}) http.Handler {
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
		end := &streamEnd{}
		api.ServeHTTP(writer, request.WithContext(context.WithValue(ctx, streamEndKey{}, end)))
		if (ctx.Err() != nil || end.failed.Load()) && request.Context().Err() == nil {
			panic(http.ErrAbortHandler)
		}
	})
}

// streamEnd reports how the stream of a request ended.
type streamEnd struct{ failed atomic.Bool }

type streamEndKey struct{}

// Stream is a stream for rest.ResourceStreamer, with the context of InputStream. If reading it fails, the answer is aborted.
func Stream(ctx context.Context, stream io.ReadCloser) io.ReadCloser {
	end, found := ctx.Value(streamEndKey{}).(*streamEnd)
	if !found {
		return stream
	}
	return &observedStream{ReadCloser: stream, end: end}
}

type observedStream struct {
	io.ReadCloser
	end *streamEnd
}

// Read implements io.Reader.
func (s *observedStream) Read(p []byte) (int, error) {
	n, err := s.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		s.end.failed.Store(true)
	}
	return n, err
}

// MoveClients makes clients open new connections, which go to another server, while a stopping server still answers. A client
// that keeps a connection, such as an aggregator, would otherwise use it until the server has stopped. Over HTTP/2 the server
// sends a GOAWAY, which loses requests that are sent at the same moment. Over HTTP/1.1 (--disable-http2-serving) no request
// is lost.
func MoveClients(chain http.Handler, stopping <-chan struct{}) http.Handler {
	return http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		select {
		case <-stopping:
			writer.Header().Set("Connection", "close")
		default:
		}
		chain.ServeHTTP(writer, request)
	})
}
