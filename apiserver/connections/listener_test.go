// SPDX-License-Identifier: Apache-2.0

package connections

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"testing"
	"time"

	"goldsmith.dev/goldsmith/e2e/require"
)

const (
	longer = time.Hour
	// deadline ends a test that waits in vain.
	deadline = time.Minute
)

// serve serves on a limited listener. Requests with credentials are authenticated. The others are answered slowly: never.
func serve(t *testing.T, limits Limits) *Listener {
	t.Helper()
	listener := Limit(require.Value(net.Listen("tcp", "127.0.0.1:0"))(t), limits)
	server := &http.Server{ReadHeaderTimeout: longer, Handler: http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		if request.Header.Get("Authorization") == "" {
			_, _ = io.Copy(io.Discard, request.Body) // a slow client decides how long
			<-request.Context().Done()
			return
		}
		listener.Authenticated(request.RemoteAddr, request.Header.Get("Authorization"))
		_, _ = io.WriteString(writer, "hello") // the client tells
	})}
	go func() { _ = server.Serve(listener) }() // until it is closed
	t.Cleanup(func() { _ = server.Close() })
	return listener
}

// client is a connection to a listener.
type client struct {
	net.Conn
	answers *bufio.Reader
}

func dial(t *testing.T, to *Listener) *client {
	t.Helper()
	conn := require.Value(net.Dial("tcp", to.Addr().String()))(t)
	t.Cleanup(func() { _ = conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(deadline)))
	return &client{conn, bufio.NewReader(conn)}
}

// ask sends an authenticated request.
func (c *client) ask() error { return c.askAs("a") }

func (c *client) askAs(user string) error {
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\nAuthorization: "+user+"\r\n\r\n"); err != nil {
		return err
	}
	answer, err := http.ReadResponse(c.answers, nil)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, answer.Body)
	return errors.Join(err, answer.Body.Close())
}

// closed reports whether the server closes the connection without an answer.
func (c *client) closed() bool {
	_, err := c.answers.ReadByte()
	return err != nil && !errors.Is(err, os.ErrDeadlineExceeded)
}

func TestStrangersDoNotKeepUsersOut(t *testing.T) {
	t.Parallel()
	const strangers = 4
	listener := serve(t, Limits{Authenticated: 2, Strangers: strangers, Patience: longer})
	before := dial(t, listener)
	require.NoError(t, before.ask())
	var silent []*client
	for range 10 * strangers {
		silent = append(silent, dial(t, listener))
	}
	for i, one := range silent[:len(silent)-strangers] {
		if !one.closed() {
			t.Fatalf("connection %d of a stranger is open", i)
		}
	}
	require.NoError(t, before.ask())
	after := dial(t, listener) // the oldest stranger makes room
	require.NoError(t, after.ask())
	if !silent[len(silent)-strangers].closed() {
		t.Error("the oldest connection of a stranger is open")
	}

	if many := dial(t, listener); many.ask() == nil {
		t.Error("a third authenticated connection is open")
	}
	require.NoError(t, after.Close())
	for end := time.Now().Add(deadline); dial(t, listener).ask() != nil; { // once the server has seen that it is closed
		if time.Now().After(end) {
			t.Fatal("a connection that was closed still counts")
		}
	}
	require.NoError(t, before.ask())
}

func TestAUserDoesNotKeepOthersOut(t *testing.T) {
	t.Parallel()
	listener := serve(t, Limits{Authenticated: 4, Strangers: 8, Patience: longer})
	var greedy []*client
	for range 4 {
		one := dial(t, listener)
		require.NoError(t, one.askAs("eve"))
		greedy = append(greedy, one)
	}
	var users []*client
	for i := range 2 {
		one := dial(t, listener)
		require.NoError(t, one.askAs("ann"))
		if users = append(users, one); !greedy[i].closed() {
			t.Fatalf("connection %d of the user with the most connections is open", i)
		}
	}
	if dial(t, listener).askAs("ann") == nil || dial(t, listener).askAs("eve") == nil {
		t.Error("a user takes the place of another who has as many connections")
	}
	require.NoError(t, dial(t, listener).askAs("bob")) // who has none
	var left int
	for _, one := range append(greedy[2:], users...) {
		if one.askAs("eve") == nil {
			left++
		}
	}
	listener.mu.Lock()
	defer listener.mu.Unlock()
	if left != 3 || listener.authenticated != 4 || len(listener.owned) != 3 {
		t.Errorf("%d connections are left, and %d of %d users are counted", left, listener.authenticated, len(listener.owned))
	}
}

func TestAStrangerHasLittleTime(t *testing.T) {
	t.Parallel()
	listener := serve(t, Limits{Authenticated: 1, Strangers: 8, Patience: 100 * time.Millisecond})
	user := dial(t, listener)
	require.NoError(t, user.ask())
	for name, begin := range map[string]string{
		"silence": "", "half a TLS handshake": "\x16\x03\x01", "half of the headers": "GET / HTTP/1.1\r\nHost: ",
		"half of a body": "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\na", "a request that is answered slowly": "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
	} {
		slow := dial(t, listener)
		_, _ = io.WriteString(slow, begin) // the connection may be closed already
		if _, err := io.Copy(io.Discard, slow.answers); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: the connection is open", name)
		}
	}
	require.NoError(t, user.ask())
	listener.mu.Lock()
	defer listener.mu.Unlock()
	if listener.strangers.Len() != 0 || len(listener.open) != 1 || listener.authenticated != 1 {
		t.Errorf("%d strangers and %d authenticated connections are counted", listener.strangers.Len(), listener.authenticated)
	}
}

func TestLimitsLeaveDescriptorsToTheProcess(t *testing.T) {
	t.Parallel()
	for descriptors, want := range map[uint64]string{64: "16 8", 256: "64 16", 1024: "256 64", 65_536: "16384 1024", 1 << 30: "16384 1024", 1<<64 - 1: "16384 1024"} {
		limits := of(descriptors)
		if got := fmt.Sprint(limits.Authenticated, limits.Strangers); got != want {
			t.Errorf("%d: got %s, want %s", descriptors, got, want)
		}
		if rest := float64(descriptors) - 2*float64(limits.Authenticated+limits.Strangers); descriptors >= 128 && rest < float64(descriptors)/3 {
			t.Errorf("%d: two listeners leave %.0f", descriptors, rest)
		}
	}
	if OfProcess().Strangers < minStrangers {
		t.Error("the limits of this process are unknown")
	}
}
