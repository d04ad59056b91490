// SPDX-License-Identifier: Apache-2.0

package filters

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"goldsmith.dev/goldsmith/e2e/require"
)

// Each write has the whole time: a connection does not end because it is old.
func TestAConnectionThatIsReadStaysOpen(t *testing.T) {
	t.Parallel()
	server, client := net.Pipe()
	conn := stallConn{server, time.Hour}
	require.NoError(t, server.SetWriteDeadline(time.Now().Add(-time.Second)))
	go func() { _, _ = io.Copy(io.Discard, client) }()
	if _, err := conn.Write([]byte("event")); err != nil {
		t.Error(err)
	}
	_ = server.Close()
}

// An answer can end at the moment at which its time is over. net/http ends the process if a stream is touched after its handler
// has returned.
func TestAStreamIsNotTouchedAfterItsHandler(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		stream := &slowStream{ResponseWriter: httptest.NewRecorder(), touched: make(chan struct{})}
		(&stallWriter{ResponseWriter: stream, limit: time.Minute}).bound(func() { <-stream.touched })
		if !stream.ended {
			t.Error("the handler could return while its stream was being ended")
		}
	})
}

type slowStream struct {
	http.ResponseWriter
	touched chan struct{}
	ended   bool
}

func (s *slowStream) SetWriteDeadline(time.Time) error {
	close(s.touched)
	time.Sleep(time.Second) // of the test's own clock
	s.ended = true
	return nil
}
