// SPDX-License-Identifier: Apache-2.0

package builder_test

import (
	"bufio"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	restclient "k8s.io/client-go/rest"

	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/apiserver/builder/buildertest"
	"goldsmith.dev/goldsmith/apiserver/connections"
	"goldsmith.dev/goldsmith/e2e/require"
)

// Clients without credentials open many connections: silent ones, and ones with streams of HTTP/2. The clients of users notice nothing.
func TestConnectionsOfStrangersMakeRoom(t *testing.T) {
	g := buildertest.Parallel(t)
	const strangers = 16
	options := require.Value(buildertest.Library(builder.Memory()).ToServerOptions())(t)
	options.SetConnectionLimits(connections.Limits{Authenticated: 100, Strangers: strangers, Patience: time.Hour})
	running, _ := buildertest.StartOptions(t, options)
	address := strings.TrimPrefix(running.Address(), "https://")
	user := require.Value(restclient.HTTPClientFor(running.ClientConfig()))(t)
	ask := func(client *http.Client) {
		t.Helper()
		answer, err := client.Get(running.Address() + "/apis/library.example.com/v2/books")
		require.NoError(t, err)
		_, err = io.Copy(io.Discard, answer.Body)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(answer.Body.Close()).To(Succeed())
		g.Expect(answer.StatusCode).To(Equal(http.StatusOK))
	}
	ask(user)
	watch, err := user.Get(running.Address() + "/apis/library.example.com/v2/books?watch=true")
	require.NoError(t, err)
	g.Expect(watch.StatusCode).To(Equal(http.StatusOK))
	defer func() { _ = watch.Body.Close() }() // the server can stop even if the test fails

	var silent []net.Conn
	for i := range 3 * strangers {
		conn := require.Value(net.Dial("tcp", address))(t)
		defer func() { _ = conn.Close() }() // for the next test
		if i%2 == 1 {
			secure := tls.Client(conn, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
			require.NoError(t, secure.Handshake())
			conn = secure
		}
		require.NoError(t, conn.SetReadDeadline(time.Now().Add(time.Minute)))
		silent = append(silent, conn)
	}
	for i, conn := range silent[:2*strangers] {
		if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("connection %d of a stranger is open", i)
		}
	}
	ask(user)
	another := running.ClientConfig()
	another.Proxy = func(*http.Request) (*url.URL, error) { return nil, nil } // a function keeps the library from sharing the connections
	ask(require.Value(restclient.HTTPClientFor(another))(t))
	created, err := user.Post(running.Address()+"/apis/library.example.com/v2/namespaces/default/books", "application/json",
		strings.NewReader(`{"apiVersion": "library.example.com/v2", "kind": "Book", "metadata": {"name": "one"}, "spec": {"title": "One"}}`))
	require.NoError(t, err)
	g.Expect(created.Body.Close()).To(Succeed())
	g.Expect(created.StatusCode).To(Equal(http.StatusCreated))
	g.Expect(bufio.NewReader(watch.Body).ReadString('\n')).To(ContainSubstring("ADDED"), "the watch goes on")
}
