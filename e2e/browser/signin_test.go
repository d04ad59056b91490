// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package browser_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/go-logr/logr"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	testingclock "k8s.io/utils/clock/testing"

	"goldsmith.dev/goldsmith/cmd/goldsmith/up"
	"goldsmith.dev/goldsmith/console"
	"goldsmith.dev/goldsmith/e2e/deadline"
	"goldsmith.dev/goldsmith/e2e/oidctest"
)

var _ = Describe("The console of a cluster in Chromium", Label("browser", "console"), func() {
	It("signs in with a pasted token, and out in all windows", func(ctx SpecContext) {
		server := serve(ctx, up.Options{Memory: true})
		Expect(imagesOf(server).Create(ctx, mockImage("web", nil), metav1.CreateOptions{})).Error().NotTo(HaveOccurred())
		shared := serveShared(console.Cluster{Server: rest.AnonymousClientConfig(server.Config)})
		browser := startChromium(ctx, shared.trusted)
		page := openPageIn(browser, shared.origin+"/ui/ns/default/images?q=w")
		page.shows("main", "This page is not signed in.")
		page.shows(".command", "kubectl create token")
		page.expectAccessible()
		page.fill("input[type=password]", "wrong")
		page.click("button", "Sign in")
		page.shows(".problem", "the cluster does not accept this token")
		page.expectAccessible()
		page.fill("input[type=password]", " "+server.BearerToken+" ")
		page.click("button", "Sign in")
		page.shows("tbody tr", "web")
		Expect(page.address()).To(HaveSuffix("/ui/ns/default/images?q=w"))
		page.shows(".user", "admin")
		page.shows(".connection", "Live")
		page.expectAccessible()
		Expect(page.run("return !document.cookie && !JSON.stringify({...localStorage}).includes(given[0])", server.BearerToken)).To(BeTrue(), "scripts see the token")
		page.click("tbody tr a", "web")
		page.shows("h1", "web")

		By("losing the session while a form is open")
		page.open("/ui/ns/default/new?builder=mock")
		page.fill(field("metadata.name"), "kept")
		page.run("fetch('/ui/logout', {method: 'POST', headers: {'Content-Type': 'application/json'}, body: '{}'})")
		page.shows("main.signed-out pre", "name: kept")
		page.fill("input[type=password]", server.BearerToken)
		page.click("button", "Sign in")
		page.shows("h1", "New Image")
		page.await("return document.querySelector(given[0])?.value === given[1]", field("metadata.name"), "kept")
		page.click("button", "Sign out")
		page.shows("main", "You are signed out.")
		page.lacks("pre", "name: kept")
		page.fill("input[type=password]", server.BearerToken)
		page.click("button", "Sign in")
		page.shows("h1", "New Image")
		page.await("return document.querySelector(given[0])?.value === given[1]", field("metadata.name"), "")
		page.open("/ui/ns/default/images")

		By("opening another window")
		tab, stop := chromedp.NewContext(browser)
		DeferCleanup(stop)
		other := openPageIn(tab, shared.origin+"/ui/")
		other.shows("tbody tr", "web")
		Expect(other.address()).To(HaveSuffix("/ui/ns/default/images"))
		other.click("button", "Sign out")
		other.shows("main", "You are signed out.")
		page.shows("main", "You were signed out in another window.")
		page.open("/ui/ns/default/builds")
		page.shows("main", "This page is not signed in.")
		page.fill("input[type=password]", server.BearerToken)
		page.click("button", "Sign in")
		page.shows("h1", "Builds")
		other.shows("tbody tr", "web") // it signs in with the first window
		other.expectNothingWrong(BeEmpty())
		page.expectNothingWrong(HaveEach(Or(ContainSubstring("401"), ContainSubstring("422"))))
	}, NodeTimeout(3*deadline.Local.Deadline()))

	It("signs in with a provider on another site, renews the session, and tells what fails", func(ctx SpecContext) {
		server := serve(ctx, up.Options{Memory: true})
		Expect(imagesOf(server).Create(ctx, mockImage("web", nil), metav1.CreateOptions{})).Error().NotTo(HaveOccurred())
		now := testingclock.NewFakePassiveClock(time.Now())
		provider := oidctest.Start()
		DeferCleanup(provider.Close)
		provider.Page, provider.Now = true, now.Now
		refuses := &atomic.Bool{}
		cluster := serveCluster(server.Config, provider, refuses)
		shared := serveShared(console.Cluster{
			Server: cluster, Clock: now,
			OIDC: &console.OIDC{Issuer: provider.URL, ClientID: oidctest.ClientID, ClientSecret: oidctest.ClientSecret, Client: provider.Client()},
		})
		const address = "/ui/ns/default/images?q=w#L1"
		browser := startChromium(ctx, shared.trusted)
		page := openPageIn(browser, shared.origin+address)
		page.shows("main", "This page is not signed in.")
		page.expectAccessible()
		page.click("a", "Sign in with "+strings.TrimPrefix(provider.URL, "https://"))
		page.click("button", "Continue")
		page.shows("tbody tr", "web")
		Expect(page.address()).To(Equal(shared.origin + address))
		page.shows(".user", "jane@example.com")
		page.shows(".connection", "Live")
		Expect(page.run("return !document.cookie")).To(BeTrue())

		By("renewing the session")
		now.SetTime(now.Now().Add(oidctest.Lifetime))
		page.click("nav a", "Queue")
		page.shows("h1", "Queue")
		page.lacks("main", "Sign in")
		Eventually(func() int { return provider.Requests("/token") }).WithTimeout(deadline.Local.Deadline()).Should(Equal(2))
		page.open("/ui/ns/default/images")
		page.shows("tbody tr", "web")

		By("ending the session at the provider")
		provider.Fail(oidctest.Faults{TokenError: "invalid_grant"})
		now.SetTime(now.Now().Add(oidctest.Lifetime))
		page.click("nav a", "Builds")
		page.shows("main", "The session has ended: the provider "+provider.URL+` refused with "invalid_grant"`)
		provider.Fail(oidctest.Faults{Error: "access_denied", ErrorDescription: "<b>jane</b>\u202e is not in the group"})
		page.click("a", "Sign in with")
		page.click("button", "Continue")
		page.shows("main", `denied access: <b>jane</b>\u{202e} is not in the group`)
		Expect(page.address()).To(HaveSuffix("/ui/ns/default/builds"))
		page.expectAccessible()
		provider.Fail(oidctest.Faults{Status: http.StatusBadGateway})
		page.click("a", "Sign in with")
		page.shows("pre", "out of order") // of the provider, whose addresses are known
		provider.Fail(oidctest.Faults{})
		page.open("/ui/ns/default/builds")
		page.click("a", "Sign in with")
		page.click("button", "Continue")
		page.shows("h1", "Builds")

		By("losing the account in the cluster")
		tab, stop := chromedp.NewContext(browser)
		DeferCleanup(stop)
		other := openPageIn(tab, shared.origin+"/ui/ns/default/builds")
		other.shows("h1", "Builds")
		refuses.Store(true)
		for _, window := range []*consolePage{other, page, other} {
			window.open("/ui/ns/default/images")
			window.shows("main", "The cluster does not accept the session any more.")
		}
		Expect(page.run("return window.loaded = true")).To(BeTrue())
		other.open("/ui/ns/default/images")
		other.shows("main", "The cluster does not accept the session any more.")
		Expect(page.run("return window.loaded")).To(BeTrue(), "windows load each other again")
		refuses.Store(false)
		other.click("a", "Sign in with")
		other.click("button", "Continue")
		other.shows("tbody tr", "web")
		page.shows("tbody tr", "web") // it signs in with the other window
		page.click("button", "Sign out")
		page.shows("main", "You are signed out.")
	}, NodeTimeout(3*deadline.Local.Deadline()))
})

// sharedConsole is a console of a cluster at localhost, which is another site than 127.0.0.1.
type sharedConsole struct {
	origin string
	// trusted lets Chromium trust its certificate, and that of a provider.
	trusted chromedp.ExecAllocatorOption
}

// serveShared serves a console, of which some settings are given.
func serveShared(settings console.Cluster) sharedConsole {
	GinkgoHelper()
	settings.Hosts, settings.Logger = []string{"localhost"}, logr.Discard()
	if settings.Clock == nil {
		settings.Clock = testingclock.NewFakePassiveClock(time.Now())
	}
	handler, err := settings.Handler()
	Expect(err).NotTo(HaveOccurred())
	pages := httptest.NewTLSServer(handler)
	DeferCleanup(func() {
		pages.CloseClientConnections() // ends the streams
		pages.Close()
	})
	key := sha256.Sum256(pages.Certificate().RawSubjectPublicKeyInfo) // of all servers of httptest
	return sharedConsole{
		origin:  strings.Replace(pages.URL, "127.0.0.1", "localhost", 1),
		trusted: chromedp.Flag("ignore-certificate-errors-spki-list", base64.StdEncoding.EncodeToString(key[:])),
	}
}

// serveCluster serves a server for users of a provider, with the rights of the server's administrator, unless it refuses all.
func serveCluster(server *rest.Config, provider *oidctest.Provider, refuses *atomic.Bool) *rest.Config {
	GinkgoHelper()
	target, err := url.Parse(server.Host)
	Expect(err).NotTo(HaveOccurred())
	transport, err := rest.TransportFor(server)
	Expect(err).NotTo(HaveOccurred())
	proxy := &httputil.ReverseProxy{Transport: transport, FlushInterval: -1, Rewrite: func(request *httputil.ProxyRequest) {
		request.SetURL(target)
		request.Out.Header.Del("Authorization")
	}}
	cluster := httptest.NewTLSServer(http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		name, ok := provider.Subject(request, strings.TrimPrefix(request.Header.Get("Authorization"), "Bearer "))
		switch {
		case !ok || refuses.Load():
			http.Error(writer, `{"kind":"Status","message":"Unauthorized","code":401}`, http.StatusUnauthorized)
		case strings.HasSuffix(request.URL.Path, "/selfsubjectreviews"):
			_, _ = io.WriteString(writer, `{"status":{"userInfo":{"username":"`+name+`@example.com"}}}`)
		default:
			proxy.ServeHTTP(writer, request)
		}
	}))
	DeferCleanup(func() {
		cluster.CloseClientConnections()
		cluster.Close()
	})
	return &rest.Config{Host: cluster.URL, TLSClientConfig: rest.TLSClientConfig{CAData: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cluster.Certificate().Raw})}}
}

// expectAccessible checks that axe finds nothing wrong with the page.
func (p *consolePage) expectAccessible() {
	GinkgoHelper()
	for _, width := range []int64{375, 1400} {
		for _, scheme := range []string{"dark", "light"} {
			p.resize(width, scheme)
			Expect(p.axe()).To(BeEmpty(), "%s at %d in %s", p.address(), width, scheme)
		}
	}
}
