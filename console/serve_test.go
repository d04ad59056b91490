// SPDX-License-Identifier: Apache-2.0

package console

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"goldsmith.dev/goldsmith/e2e/require"
)

func TestTheEndOfTheConsoleEndsItsStreams(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	listener := require.Value(net.Listen("tcp", "127.0.0.1:0"))(t)
	ended, left := make(chan error, 1), make(chan struct{})
	go func() {
		ended <- Serve(ctx, listener, http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
			defer close(left)
			_, _ = io.WriteString(writer, "started\n") // the client tells
			_ = http.NewResponseController(writer).Flush()
			<-request.Context().Done()
		}))
	}()
	request := require.Value(http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+listener.Addr().String(), nil))(t)
	answer, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	lines := bufio.NewScanner(answer.Body)
	if !lines.Scan() || lines.Text() != "started" {
		t.Fatalf("got %q: %v", lines.Text(), lines.Err())
	}
	stop()
	for name, done := range map[string]<-chan struct{}{"the console": closedBy(t, ended), "its stream": left} {
		select {
		case <-done:
		case <-time.After(patience):
			t.Errorf("%s did not end", name)
		}
	}
	if lines.Scan() {
		t.Errorf("the browser got %q after the end", lines.Text())
	}
	_ = answer.Body.Close() // its connection has ended
	if _, err := net.Dial("tcp", listener.Addr().String()); err == nil {
		t.Error("somebody listens")
	}
}

// closedBy returns a channel that is closed when an end without an error was received.
func closedBy(t *testing.T, ended <-chan error) <-chan struct{} {
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		if err := <-ended; err != nil {
			t.Errorf("got error %v", err)
		}
	}()
	return closed
}

func TestAListenerThatFailsIsReported(t *testing.T) {
	t.Parallel()
	err := Serve(t.Context(), broken{}, http.NotFoundHandler())
	if err == nil || !strings.Contains(err.Error(), "serve the console: too many open files") {
		t.Errorf("got error %v", err)
	}
}

// broken is a listener that accepts nothing.
type broken struct{ net.Listener }

func (broken) Accept() (net.Conn, error) { return nil, errors.New("too many open files") }
func (broken) Close() error              { return nil }
