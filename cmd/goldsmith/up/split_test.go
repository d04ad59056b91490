// SPDX-License-Identifier: Apache-2.0

package up

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"goldsmith.dev/goldsmith/e2e/require"
)

// port is a listener in a bubble of synctest, whose end fails.
type port struct {
	connections chan net.Conn // nil is a failure
	closed      chan struct{}
	close       func()
}

var errPort = errors.New("the port was closed")

func newPort() *port {
	closed := make(chan struct{})
	return &port{make(chan net.Conn), closed, sync.OnceFunc(func() { close(closed) })}
}

func (p *port) Accept() (net.Conn, error) {
	select {
	case connection := <-p.connections:
		if connection == nil {
			return nil, syscall.EMFILE
		}
		return connection, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *port) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 7443} }

func (p *port) Close() error {
	p.close()
	return errPort
}

// dial connects a client to the port.
func (p *port) dial(t *testing.T) net.Conn {
	client, server := net.Pipe()
	p.connections <- server
	t.Cleanup(func() { _ = client.Close() }) // usually the test has closed it before
	return client
}

// accept returns what Accept returns first.
func accept(listener net.Listener) func() (net.Conn, error) {
	var connection net.Conn
	err := errors.New("nothing was accepted")
	go func() { connection, err = listener.Accept() }()
	return func() (net.Conn, error) {
		synctest.Wait()
		return connection, err
	}
}

// hangsUp reports whether the server closed the connection of a client.
func hangsUp(client net.Conn) bool {
	_ = client.SetReadDeadline(time.Now().Add(time.Second)) // a pipe has deadlines
	_, err := client.Read(make([]byte, 1))
	return errors.Is(err, io.EOF)
}

// TestBothKindsOfConnectionsShareAPort runs real servers: each has to read the first byte of its connections.
func TestBothKindsOfConnectionsShareAPort(t *testing.T) {
	t.Parallel()
	listener := require.Value(net.Listen("tcp", "127.0.0.1:0"))(t)
	secure, plain := splitListener(listener)
	names := http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		_, _ = fmt.Fprintf(writer, "%s, TLS: %t", request.URL.Path, request.TLS != nil) // the client tells
	})
	withTLS, withoutTLS := httptest.NewUnstartedServer(names), httptest.NewUnstartedServer(names)
	require.NoError(t, errors.Join(withTLS.Listener.Close(), withoutTLS.Listener.Close()))
	withTLS.Listener, withoutTLS.Listener = secure, plain
	withTLS.StartTLS()
	withoutTLS.Start()
	t.Cleanup(withTLS.Close)
	t.Cleanup(withoutTLS.Close)
	if secure.Addr() != listener.Addr() || plain.Addr() != listener.Addr() {
		t.Errorf("the listeners have the addresses %s and %s, want %s", secure.Addr(), plain.Addr(), listener.Addr())
	}
	for i := range 3 {
		for scheme, want := range map[string]bool{"https": true, "http": false} {
			client := &http.Client{Transport: &http.Transport{TLSClientConfig: withTLS.Client().Transport.(*http.Transport).TLSClientConfig, DisableKeepAlives: i > 0}}
			path := fmt.Sprintf("/%d", i)
			answer, err := client.Get(scheme + "://" + listener.Addr().String() + path)
			require.NoError(t, err)
			body := require.Value(io.ReadAll(answer.Body))(t)
			require.NoError(t, answer.Body.Close())
			client.CloseIdleConnections()
			if want := fmt.Sprintf("%s, TLS: %t", path, want); string(body) != want {
				t.Errorf("%s: got %q, want %q", scheme, body, want)
			}
		}
	}
}

func TestTheFirstByteTellsTheKindOfAConnection(t *testing.T) {
	t.Parallel()
	for text, isSecure := range map[string]bool{"\x16\x03\x01": true, "\x16": true, "GET / HTTP/1.1\r\n": false, "P": false, "\x00": false, "\x17\x03\x03": false, "PRI * HTTP/2.0": false} {
		synctest.Test(t, func(t *testing.T) {
			shared := newPort()
			secure, plain := splitListener(shared)
			mine, other := secure, plain
			if !isSecure {
				mine, other = plain, secure
			}
			wanted, unwanted := accept(mine), accept(other)
			client := shared.dial(t)
			written := make(chan error, 1)
			go func() {
				_, err := io.WriteString(client, text)
				written <- errors.Join(err, client.Close())
			}()
			connection, err := wanted()
			require.NoError(t, err)
			got, err := io.ReadAll(connection)
			if string(got) != text || errors.Join(err, <-written) != nil {
				t.Errorf("%q: the server reads %q: %v", text, got, err)
			}
			if connection, _ := unwanted(); connection != nil {
				t.Errorf("%q: both listeners accept it", text)
			}
			require.NoError(t, errors.Join(plain.Close(), connection.Close()))
			_ = secure.Close() // its error is that of the port
		})
	}
}

func TestASilentConnectionIsDropped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		shared := newPort()
		secure, plain := splitListener(shared)
		silent, slow := shared.dial(t), shared.dial(t)
		accepted := accept(plain)
		time.Sleep(firstByteTimeout - 1500*time.Millisecond) // the fake clock of the bubble, as below
		require.Value(io.WriteString(slow, "G"))(t)
		connection, err := accepted()
		require.NoError(t, err)
		if hangsUp(silent) {
			t.Errorf("a connection is dropped earlier than %s after its begin", firstByteTimeout)
		}
		if !hangsUp(silent) {
			t.Errorf("a silent connection is open after %s", firstByteTimeout)
		}
		require.Value(connection.Read(make([]byte, 1)))(t)
		time.Sleep(2 * firstByteTimeout)
		go func() { _, _ = io.WriteString(slow, "E") }() // the reader tells
		if n, err := connection.Read(make([]byte, 1)); n != 1 {
			t.Errorf("a connection that has begun cannot be silent: %v", err)
		}
		for _, end := range []func() error{plain.Close, connection.Close, silent.Close, slow.Close} {
			require.NoError(t, end())
		}
		_ = secure.Close() // its error is that of the port
	})
}

func TestTheConsoleEndsBeforeTheServer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		shared := newPort()
		secure, plain := splitListener(shared)
		ended, waiting, served := accept(plain), shared.dial(t), accept(secure)
		require.NoError(t, errors.Join(plain.Close(), plain.Close()))
		if _, err := ended(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("after its end, the listener of the console has error %v", err)
		}
		require.Value(io.WriteString(waiting, "G"))(t)
		if !hangsUp(waiting) {
			t.Error("a browser waits for a console that has ended")
		}
		client := shared.dial(t)
		require.Value(client.Write([]byte{handshake}))(t)
		connection, err := served()
		if err != nil {
			t.Fatalf("the API server is not served after the end of the console: %v", err)
		}
		require.NoError(t, connection.Close())
		late, refused := shared.dial(t), accept(secure)
		if err := secure.Close(); !errors.Is(err, errPort) {
			t.Errorf("the end of the API server does not close the port: %v", err)
		}
		if _, err := refused(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("after its end, the listener of the API server has error %v", err)
		}
		require.Value(late.Write([]byte{handshake}))(t)
		if !hangsUp(late) {
			t.Error("a client waits for a server that has ended")
		}
		select {
		case <-shared.closed:
		default:
			t.Error("the port is open")
		}
		// synctest.Test fails if the loop that accepts connections continues.
	})
}

func TestConnectionsAreAcceptedAfterAFailure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		shared := newPort()
		secure, plain := splitListener(shared)
		started := time.Now()
		for range 3 { // as many files as a process may have are open
			shared.connections <- nil
		}
		accepted := accept(plain)
		client := shared.dial(t)
		if took := time.Since(started); took != 3*acceptDelay {
			t.Errorf("three failures take %s, want %s", took, 3*acceptDelay)
		}
		require.Value(io.WriteString(client, "G"))(t)
		connection, err := accepted()
		require.NoError(t, err)
		require.NoError(t, errors.Join(connection.Close(), plain.Close()))
		_ = secure.Close() // its error is that of the port
	})
}
