// SPDX-License-Identifier: Apache-2.0

package builder

import (
	"bytes"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"
)

// A client that stops to read ends its own answer: over HTTP/2 a stream, otherwise the connection.
func TestAnAnswerThatNobodyReadsEnds(t *testing.T) {
	t.Parallel()
	for name, http2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		const limit = 50 * time.Millisecond
		ended := make(chan error, 1)
		server := httptest.NewUnstartedServer(endStalls(http.HandlerFunc(func(out http.ResponseWriter, in *http.Request) {
			if in.URL.Path == "/short" {
				_, _ = io.WriteString(out, "read")
				return
			}
			chunk := bytes.Repeat([]byte("x"), 3*stallChunk)
			for {
				if _, err := out.Write(chunk); err != nil {
					ended <- err
					return
				}
				out.(http.Flusher).Flush()
			}
		}), nil, limit))
		server.Config.ErrorLog = log.New(io.Discard, "", 0)
		server.EnableHTTP2 = http2
		if !http2 {
			server.Listener = stallListener{server.Listener, limit}
		}
		server.StartTLS()
		answer, err := server.Client().Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-ended:
			if !http2 && !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%s: %v", name, err)
			}
		case <-time.After(10 * time.Second):
			t.Errorf("%s: the answer did not end", name)
			server.CloseClientConnections()
		}
		other, err := server.Client().Get(server.URL + "/short")
		if err != nil {
			t.Errorf("%s: another request: %v", name, err)
		} else {
			_ = other.Body.Close()
		}
		_ = answer.Body.Close()
		server.Close()
	}
}

// Each write has the whole time: a connection does not end because it is old.
func TestAConnectionThatIsReadStaysOpen(t *testing.T) {
	t.Parallel()
	server, client := net.Pipe()
	conn := stallConn{server, time.Hour}
	if err := server.SetWriteDeadline(time.Now().Add(-time.Second)); err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.Copy(io.Discard, client) }()
	if _, err := conn.Write([]byte("event")); err != nil {
		t.Error(err)
	}
	_ = server.Close()
}
