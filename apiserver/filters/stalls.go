// SPDX-License-Identifier: Apache-2.0

package filters

import (
	"net"
	"net/http"
	"slices"
	"time"

	apirequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/endpoints/responsewriter"
)

// stallChunk is how much of an answer a client has to read in the stall limit.
const stallChunk = 64 << 10

// CloseStalled returns a listener whose connections are closed when the client reads nothing for the limit.
func CloseStalled(listener net.Listener, limit time.Duration) net.Listener {
	return stallListener{listener, limit}
}

type stallListener struct {
	net.Listener
	limit time.Duration
}

// Accept waits for the next connection.
func (l stallListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return stallConn{conn, l.limit}, nil
}

type stallConn struct {
	net.Conn
	limit time.Duration
}

// Write fails if the client does not read. TLS writes at most 16 KiB at a time.
func (c stallConn) Write(data []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(c.limit)); err != nil {
		return 0, err
	}
	return c.Conn.Write(data)
}

// EndStalls resets a stream of HTTP/2 whose client has granted no window for as long as the limit. The write deadline of the connection does
// not cover this, because the client may read other streams. Streamed subresources have no limit: people read a log page by page,
// and it takes little memory.
func EndStalls(api http.Handler, streamed []string, limit time.Duration) http.Handler {
	return http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		info, found := apirequest.RequestInfoFrom(request.Context())
		if request.ProtoMajor != 2 || found && info.IsResourceRequest && slices.Contains(streamed, info.Subresource) {
			api.ServeHTTP(writer, request)
			return
		}
		stalls := &stallWriter{ResponseWriter: writer, limit: limit}
		api.ServeHTTP(responsewriter.WrapForHTTP1Or2(stalls), request)
	})
}

type stallWriter struct {
	http.ResponseWriter
	limit time.Duration
}

// Unwrap returns the writer of the stream.
func (w *stallWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Write writes the data in chunks, so that a slow client can read a large object.
func (w *stallWriter) Write(data []byte) (written int, err error) {
	for chunk := range slices.Chunk(data, stallChunk) {
		w.bound(func() {
			var n int
			n, err = w.ResponseWriter.Write(chunk)
			written += n
		})
		if err != nil {
			break
		}
	}
	return written, err
}

// Flush sends what is buffered.
func (w *stallWriter) Flush() {
	w.bound(func() { _ = http.NewResponseController(w.ResponseWriter).Flush() }) // the next write reports the error
}

// bound ends the stream if send takes longer than the limit. It never touches the stream after it has returned: the stream of a
// handler that has returned is not there any more, and the process would crash.
func (w *stallWriter) bound(send func()) {
	ended := make(chan struct{})
	timer := time.AfterFunc(w.limit, func() {
		defer close(ended)
		_ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(time.Now().Add(-time.Second)) // fails only after the end of the stream
	})
	send()
	if !timer.Stop() {
		<-ended
	}
}
