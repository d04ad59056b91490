// SPDX-License-Identifier: Apache-2.0

//go:build e2e

// Package browser_test uses the API from pages in Chromium. It starts `goldsmith up` and the servers of the pages itself.
package browser_test

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gbytes"
	"k8s.io/client-go/rest"
	certutil "k8s.io/client-go/util/cert"

	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/cmd/goldsmith/up"
	"goldsmith.dev/goldsmith/e2e/deadline"
)

// TestMain lets the test binary stand in for the goldsmith executable, for the children of the server.
func TestMain(m *testing.M) {
	if code, ok := up.RunChild(os.Args); ok {
		os.Exit(code)
	}
	os.Exit(m.Run())
}

func TestBrowser(t *testing.T) {
	RegisterFailHandler(Fail)
	builder.QuietLogs(io.Discard)
	RunSpecs(t, "Pages in a browser")
}

var _ = Describe("A page in Chromium", Label("browser"), func() {
	It("lists, creates and watches with a token, and follows a log, if its origin is allowed", func(ctx SpecContext) {
		allowed, other := servePage(), servePage()
		server := serve(ctx, up.Options{Memory: true, Origins: []string{"^" + regexp.QuoteMeta(allowed) + "$"}})
		browser := openBrowser(ctx, server.Config)
		api := fmt.Sprintf("const server = '%s', TOKEN = '%s';\n", server.Host, server.BearerToken) + snippet()

		_, err := evaluate[chromedp.Void](browser, allowed, api+create)
		Expect(err).NotTo(HaveOccurred(), "a request with a preflight")
		names, err := evaluate[[]string](browser, allowed, api+"return (await images(server, TOKEN)).map(image => image.metadata.name)")
		Expect(err).NotTo(HaveOccurred())
		Expect(names).To(Equal([]string{"web"}))
		build, err := evaluate[string](browser, allowed, api+watch)
		Expect(err).NotTo(HaveOccurred())
		Expect(build).To(HavePrefix("web-"))
		log, err := evaluate[string](browser, allowed, api+fmt.Sprintf(follow, build))
		Expect(err).NotTo(HaveOccurred())
		Expect(log).To(ContainSubstring("mock"))
		_, err = evaluate[chromedp.Void](browser, allowed, api+"return images(server, 'wrong')")
		Expect(err).To(MatchError(ContainSubstring("Unauthorized")), "the page can read why a request fails")

		_, err = evaluate[chromedp.Void](browser, other, api+"return images(server, TOKEN)")
		Expect(err).To(MatchError(ContainSubstring("Failed to fetch")))
	}, NodeTimeout(2*deadline.Local.Deadline()))
})

// Scripts of a page, which follow the snippet of the docs.
const (
	create = `
const created = await fetch(server + '/apis/images.goldsmith.dev/v1alpha1/namespaces/default/images', {
  method: 'POST',
  headers: {Authorization: 'Bearer ' + TOKEN, 'Content-Type': 'application/json'},
  body: JSON.stringify({
    apiVersion: 'images.goldsmith.dev/v1alpha1', kind: 'Image', metadata: {name: 'web'},
    spec: {base: {reference: 'debian:13'}, builder: {name: 'mock'}, targets: [{platform: 'linux/amd64', format: 'raw'}]},
  }),
});
if (!created.ok) throw new Error((await created.json()).message);`
	// watch returns the name of the first build that succeeded.
	watch = `
const events = await fetch(server + '/apis/images.goldsmith.dev/v1alpha1/imagebuilds?watch=true', {headers: {Authorization: 'Bearer ' + TOKEN}});
const reader = events.body.pipeThrough(new TextDecoderStream()).getReader();
for (let text = '';;) {
  const {value, done} = await reader.read();
  if (done) throw new Error('the watch ended');
  const lines = (text + value).split('\n');
  text = lines.pop();
  for (const build of lines.map(line => JSON.parse(line).object)) {
    if (build.status?.phase === 'Succeeded') return build.metadata.name;
  }
}`
	follow = `
const log = await fetch(server + '/apis/images.goldsmith.dev/v1alpha1/namespaces/default/imagebuilds/%s/log?follow=true', {headers: {Authorization: 'Bearer ' + TOKEN}});
return log.text();`
)

// snippet returns the function of the docs that lists images.
func snippet() string {
	GinkgoHelper()
	page, err := os.ReadFile("../../docs/running-locally.md")
	Expect(err).NotTo(HaveOccurred())
	_, text, found := strings.Cut(string(page), "```js\n")
	Expect(found).To(BeTrue(), "the page has no snippet")
	text, _, _ = strings.Cut(text, "```")
	function, _, found := strings.Cut(text, "\n}\n")
	Expect(found).To(BeTrue(), "the snippet has no function")
	return function + "\n}\n"
}

// servePage serves an empty page and returns its origin.
func servePage() string {
	server := httptest.NewServer(http.HandlerFunc(func(writer http.ResponseWriter, _ *http.Request) {
		writer.Header().Set("Content-Type", "text/html")
	}))
	DeferCleanup(server.Close)
	return server.URL
}

// served is a running `goldsmith up`.
type served struct {
	*rest.Config
	// link is the link to the console, which works once.
	link string
	// stop stops the server.
	stop func(context.Context)
}

// serve starts `goldsmith up` in this process, with a data directory of its own unless the options name one.
func serve(ctx context.Context, options up.Options) *served {
	GinkgoHelper()
	executable, err := os.Executable()
	Expect(err).NotTo(HaveOccurred())
	ready, ended := make(chan *rest.Config, 1), make(chan error, 1)
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	printed := gbytes.NewBuffer()
	options.Executable, options.Out = executable, io.MultiWriter(printed, GinkgoWriter)
	options.DataDirectory = cmp.Or(options.DataDirectory, filepath.Join(GinkgoT().TempDir(), "data"))
	options.OnReady = func(config *rest.Config, _ string) { ready <- config }
	go func() { ended <- up.Run(running, options) }()
	var once sync.Once
	server := &served{stop: func(ctx context.Context) {
		once.Do(func() {
			stop()
			Eventually(ctx, ended).WithTimeout(deadline.Local.Deadline()).Should(Receive(Succeed()))
		})
	}}
	DeferCleanup(func(ctx SpecContext) { server.stop(ctx) })
	Eventually(ctx, ready).WithTimeout(deadline.Local.Deadline()).Should(Receive(&server.Config))
	server.link = regexp.MustCompile(`(?m)^console: (\S+)$`).FindStringSubmatch(string(printed.Contents()))[1]
	return server
}

// openBrowser starts Chromium, which trusts the certificate of the server and no other that is not signed by a known authority.
func openBrowser(ctx context.Context, server *rest.Config) context.Context {
	GinkgoHelper()
	certificates, err := certutil.ParseCertsPEM(server.CAData)
	Expect(err).NotTo(HaveOccurred())
	key := sha256.Sum256(certificates[0].RawSubjectPublicKeyInfo)
	return startChromium(ctx, chromedp.Flag("ignore-certificate-errors-spki-list", base64.StdEncoding.EncodeToString(key[:])))
}

func startChromium(ctx context.Context, options ...chromedp.ExecAllocatorOption) context.Context {
	browser, stop := newChromium(ctx, options...)
	DeferCleanup(stop)
	return browser
}

func newChromium(ctx context.Context, options ...chromedp.ExecAllocatorOption) (context.Context, context.CancelFunc) {
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // Chromium refuses to start a sandbox as root
	}
	return chromedp.NewContext(ctx, chromedp.WithAllocatorOptions(options...))
}

// evaluate opens a page, runs the body of an asynchronous function in it and returns the function's result.
func evaluate[Result any](browser context.Context, page, body string) (result Result, err error) {
	if err := chromedp.Do(browser, chromedp.Navigate(page)); err != nil {
		return result, err
	}
	return chromedp.Run(browser, chromedp.Evaluate[Result]("(async () => {"+body+"\n})()", chromedp.EvalAwaitPromise))
}
