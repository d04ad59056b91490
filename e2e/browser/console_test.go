// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package browser_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	client "goldsmith.dev/goldsmith/apis/generated/clientset/versioned/typed/images/v1alpha1"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/up"
	"goldsmith.dev/goldsmith/console"
	"goldsmith.dev/goldsmith/e2e/deadline"
	"goldsmith.dev/goldsmith/e2e/require"
)

var _ = Describe("The console in Chromium", Label("browser"), func() {
	It("shows from the printed link alone why a build failed, builds again and promotes", Label("console", "gate"), func(ctx SpecContext) {
		server := serve(ctx, up.Options{Memory: true})
		images := imagesOf(server)
		created := mockImage("web", map[string]string{"steps": "2", "duration": "10ms"})
		Expect(images.Create(ctx, created, metav1.CreateOptions{})).Error().NotTo(HaveOccurred())
		page := openPage(ctx, server.link)
		page.shows("h1", "Images")
		Expect(page.address()).To(HaveSuffix("/ui/ns/default/images"), "the code of the link leaves the address")
		page.shows("tbody tr", "Ready")

		By("changing the image so that it fails")
		setParameter(ctx, images, "failAt", "2")
		page.shows("tbody tr", "Failed")
		page.resize(375, "light")
		page.shows("tbody .under", "failed in step 2 of 2")
		page.resize(1280, "light")
		page.shows("tbody .c-why", "failed in step 2 of 2, as it was told to")
		for _, column := range []string{"since", "recent", "channels", "vulnerabilities", "next"} {
			page.await("return document.querySelector('th.c-' + given[0])?.checkVisibility()", column, "")
		}
		page.resize(1400, "light")
		page.click("tbody tr a", "web")
		page.shows(".lead", "The last build, web-2, failed")
		page.shows(".lead", "failed in step 2 of 2, as it was told to")
		page.click(".lead a", "See why web-2 failed")
		page.shows(".lead h2", "failed in step 2 of 2, as it was told to")
		page.shows("pre.tail .last", "failed in step 2 of 2")
		page.shows(".timeline li.failed", "failed, ")
		page.shows("dt", "Stalled: True") // without unfolding the conditions
		page.click(".lead a", "Read the whole log")
		page.shows(".logline", "mock builder: failed in step 2 of 2")
		page.click(".over a", "web-2")
		page.click(".lead a", "Compare with the last good build, web-1")
		page.shows("main", "parameters[failAt]")
		page.shows("main", "imagebuild web-2 has no packages: it is Failed; compare builds that succeeded.")

		By("correcting it")
		setParameter(ctx, images, "failAt", "")
		page.shows("h1", "Compare") // it stays on its page
		page.open("/ui/ns/default/images/web")
		page.shows(".title", "Ready")
		page.click(".actions button", "Build")
		page.shows("dialog .command", "goldsmith build web --follow")
		page.click("dialog button", "Build")
		page.shows("h1", "web-4")
		page.shows(".title", "Succeeded")
		page.click(".actions button", "Promote")
		page.fill("dialog input", "stable")
		page.shows("dialog .command", "goldsmith promote web-4 stable")
		page.click("dialog button", "Promote")
		page.shows(".title .chip", "stable")
		page.click(".over a", "web")
		page.click("section button", "Promote")
		page.shows("dialog select", "stable, now web-4")
		Expect(page.run("return document.querySelector('dialog select[name=channel]').value === 'a new channel'")).To(BeTrue(), "stable has the build already")
		page.await("const [build, channel] = document.querySelectorAll('dialog select'); if (!channel) return false; for (const [select, value] of [[build, 'web-1'], [channel, 'a new channel']]) { select.value = value; select.dispatchEvent(new Event('change')) } return true", "", "")
		page.fill("dialog input[name=name]", "previous")
		page.shows("dialog .command", "goldsmith promote web-1 previous")
		page.click("dialog button", "Promote")
		page.shows("section td", "previous")

		By("using the link a second time")
		page.run("localStorage.clear()")
		_, code, _ := strings.Cut(server.link, "#")
		page.open("/ui/#" + code)
		page.shows("h1", "This link does not work any more")
		page.shows("main", "This link was used before, or is older than 10 minutes.")
		page.shows("main", "goldsmith console")
		page.expectNothingWrong(HaveEach(ContainSubstring("401")))
	}, NodeTimeout(3*deadline.Local.Deadline()))

	It("ends its session with the server, and leaves nothing at the port that a server accepts", func(ctx SpecContext) {
		directory := filepath.Join(GinkgoT().TempDir(), "data")
		server := serve(ctx, up.Options{DataDirectory: directory})
		Expect(imagesOf(server).Create(ctx, mockImage("after", nil), metav1.CreateOptions{})).Error().NotTo(HaveOccurred())
		browser := startChromium(ctx)
		former := openPageIn(browser, server.link)
		former.shows("tbody tr", "after")

		By("another program that has the port after the server")
		server.stop(ctx)
		former.shows(".connection", "Reconnecting")
		former.shows(".lost", "The server is not running. A server that is started again prints a new link, and so does goldsmith console.")
		former.shows(".lost", "Reconnecting in ")
		port, err := strconv.ParseUint(former.origin[strings.LastIndex(former.origin, ":")+1:], 10, 16)
		Expect(err).NotTo(HaveOccurred())
		impostor, leave := serveImpostor(uint16(port))
		former.click(".lost button", "Try now")
		Eventually(impostor.seen).WithTimeout(deadline.Local.Deadline()).Should(ContainElement(HavePrefix("Bearer goldsmith-console-")))
		visit := func(link string) *consolePage {
			tab, stop := chromedp.NewContext(browser)
			DeferCleanup(stop)
			return openPageIn(tab, link)
		}
		visit(former.origin+"/ui/").shows("body", "the worker is there")
		Expect(impostor.seen()).To(ContainElement(ContainSubstring(`"goldsmith.session"`)), "what the browser keeps")
		impostor.signsOut.Store(true)
		former.click(".lost button", "Try now")
		former.shows("main", "The impostor signs you out.")
		former.shows(".command", "goldsmith console")
		former.lacks(".field", "")

		By("starting the server again")
		options := up.Options{DataDirectory: directory}
		options.Records.Address, options.LogArchive.URL = "none", "none"
		again := serve(ctx, options)
		Expect(again.Host).To(Equal(server.Host))
		page := visit(again.link)
		page.shows("tbody tr", "after")
		page.shows(".connection", "Live")

		By("starting a console that has the port after the other program")
		leave()
		listener, err := console.Listen(uint16(port))
		Expect(err).NotTo(HaveOccurred())
		sessions := console.NewSessions(clock.RealClock{})
		handler, err := console.Local{Server: again.Config, Namespace: metav1.NamespaceDefault, Command: "goldsmith console", Sessions: sessions}.Handler()
		Expect(err).NotTo(HaveOccurred())
		serving, stop := context.WithCancel(ctx)
		DeferCleanup(stop)
		go func() { _ = console.Serve(serving, listener, handler) }()
		visit(sessions.Link(listener.Addr())).shows("tbody tr", "after") // the service worker at this port would answer

		By("comparing the tokens")
		tokens := impostor.tokens()
		Expect(tokens).NotTo(BeEmpty())
		Expect(page.token()).NotTo(BeElementOf(tokens))
		for _, token := range tokens {
			for _, origin := range []string{page.origin, again.Host} {
				Expect(statusWith(ctx, again.Config, origin, token)).To(Equal(http.StatusUnauthorized), "%s with a token that the impostor has", origin)
			}
		}

		By("showing what is missing without a records database and without an archive")
		page.open("/ui/ns/default/builds/after-1")
		page.shows(".title", "Succeeded")
		const noRecords = "this server has no database of records"
		for address, content := range map[string]string{
			"images/after": "These are the builds that still exist: " + noRecords, "builds/after-1/log": "step 5/5",
			"builds/after-9": "A server with a records database has a record of it", "diff?from=after-1&to=after-9": "With a records database, deleted builds are compared by their UIDs",
			"builds/after-9/log": "not found",
		} {
			page.open("/ui/ns/default/" + address)
			page.shows("main", content)
		}
		page.open("/ui/ns/default/images/after")
		page.await("return [...document.querySelectorAll('p.muted')].filter(({innerText}) => innerText.includes(given[1])).length === 2", "", noRecords) // history and notes

		By("signing out in all windows")
		copied, other := page.token(), visit(page.origin+"/ui/")
		other.shows("tbody tr", "after")
		Expect(statusWith(ctx, again.Config, page.origin, copied)).To(Equal(http.StatusOK))
		other.click("button", "Sign out")
		other.shows("main", "You are signed out.")
		page.shows("main", "You were signed out in another window.")
		Expect(statusWith(ctx, again.Config, page.origin, copied)).To(Equal(http.StatusUnauthorized))
		Expect(impostor.seen()).NotTo(ContainElement(ContainSubstring(copied)), "the impostor has the session of the next server")
	}, NodeTimeout(3*deadline.Local.Deadline()))

	It("has pages that axe finds nothing wrong with, at each width and in both colour schemes", func(ctx SpecContext) {
		file := filepath.Join(GinkgoT().TempDir(), "advisories.json")
		Expect(os.WriteFile(file, []byte(`{"nginx": {"CVE-2026-1": {"releases": {"trixie": {"status": "open", "urgency": "high"}}}}}`), 0o600)).To(Succeed())
		options := up.Options{Memory: true}
		options.Advisories.Sources = []string{file}
		server := serve(ctx, options)
		images := imagesOf(server)
		createFleet(ctx, images)
		page := openPage(ctx, server.link)
		page.shows("tbody tr", "Failed")
		page.shows("tbody tr", "Ready")
		page.shows("td.c-vulnerabilities", "1 High")
		page.open("/ui/ns/default/builds/debian-1")
		page.shows(".timeline li", "Build")
		page.shows("section tr", "attempt 1")
		page.shows("section tr td:first-child", "test")
		page.lacks("section tr", "attempt 2")
		page.click(".actions button", "Revoke")
		page.shows("dialog", "based on it: not revoked")
		page.shows("dialog li", "web-1 of image web")
		page.await("const select = document.querySelector('dialog select'); select.value = 'yes'; select.dispatchEvent(new Event('change')); return true", "", "")
		page.shows("dialog", "based on it: revoked, too")
		page.click("dialog button", "Close")
		page.open("/ui/ns/default/builds/web-2")
		page.shows(".title", "Succeeded")
		page.shows(".title .warning", "Vulnerabilities: 1 high")
		page.click(".actions button", "Revoke")
		page.fill("dialog input", "has the key of staging")
		page.shows("dialog .command", "goldsmith revoke web-2 --reason 'has the key of staging'")
		page.click("dialog button", "Revoke")
		page.shows(".lead", "has the key of staging")
		page.shows(".title .badge.failed", "Revoked")
		page.lacks(".title", "Succeeded")
		for _, width := range []int64{375, 1024, 1600} {
			for address, content := range consolePages {
				page.open(address)
				page.shows("main", content)
				page.shows(".connection", "Live")
				for _, scheme := range []string{"light", "dark"} {
					page.resize(width, scheme)
					Expect(page.axe()).To(BeEmpty(), "%s at %d in %s", address, width, scheme)
					if directory := os.Getenv("SCREENSHOTS"); directory != "" {
						page.draw(filepath.Join(directory, fmt.Sprintf("%s-%d-%s.png", strings.NewReplacer("/ui/ns/", "", "/", "-", "?", "-").Replace(address), width, scheme)))
					}
				}
			}
		}
		if directory := os.Getenv("SCREENSHOTS"); directory != "" {
			for name, address := range map[string]string{"images-light": "images", "image-light": "images/web", "build-light": "builds/shop-1", "build-dark": "builds/shop-1", "graph-dark": "graph"} {
				_, scheme, _ := strings.Cut(name, "-")
				address = "/ui/ns/default/" + address
				page.resizeTo(1280, 640, scheme)
				page.open(address)
				page.shows("main", consolePages[address])
				page.shows(".connection", "Live")
				page.draw(filepath.Join(directory, "docs", name+".webp"))
			}
		}
		page.click(".tools button", "?")
		page.shows("dialog dt", "Channel")
		page.shows("dialog kbd", "g")
		Expect(page.axe()).To(BeEmpty(), "the help")
		page.click("dialog button", "Close")
		page.click(".tools button", "System")
		page.click(".tools button", "Light")
		page.shows(".tools button", "Dark")
		page.expectNothingWrong(BeEmpty())
	}, NodeTimeout(10*deadline.Local.Deadline()))
})

// consolePages are the addresses of pages about the images of createFleet, with what they show.
var consolePages = map[string]string{
	"/ui/ns/default/images":                   "shop",
	"/ui/ns/-/images?q=nothing":               "No image matches",
	"/ui/ns/empty/images":                     "Namespace empty has no images",
	"/ui/ns/default/images/web":               "Over time",
	"/ui/ns/default/new?edit=web":             "Edit web",
	"/ui/ns/default/images/office":            "Suspended: no trigger starts a build",
	"/ui/ns/default/images/shop":              "Too many failures: no build starts by itself",
	"/ui/ns/default/images/missing":           "Image missing does not exist",
	"/ui/ns/default/builds":                   "web-1",
	"/ui/ns/default/builds/shop-1":            "What to do",
	"/ui/ns/default/builds/web-2":             "Artifacts",
	"/ui/ns/default/builds/web-2/log":         "step 1/1",
	"/ui/ns/default/diff?from=web-1&to=web-2": "parameters[steps]",
	"/ui/ns/default/queue":                    "Queue",
	"/ui/ns/default/graph":                    "web",
	"/ui/ns/default/new?builder=debian":       "Kernel arguments",
	"/ui/ns/default/new?kind=missing":         "There is no kind missing",
	"/ui/ns/-/new":                            "Choose a namespace",
	"/ui/ns/default/catalog":                  "The server offers no kinds",
	"/ui/ns/default/archives":                 "No image needs an archive",
	"/ui/ns/default/archives/missing":         "Archive missing does not exist",
	"/ui/ns/default/recalls":                  "has the key of staging",
	"/ui/ns/-/recalls?q=nothing":              "No recall matches",
	"/ui/ns/default/nowhere":                  "This page does not exist",
}

// createFleet creates images in most states: web is built eight times on the channel of debian, shop fails, and database is being built.
func createFleet(ctx context.Context, images client.ImageInterface) {
	GinkgoHelper()
	debian := mockImage("debian", map[string]string{"duration": "20ms"})
	debian.Spec.Channels = []v1alpha1.ChannelRule{{Name: "stable", Promote: v1alpha1.PromoteAutomatic}}
	debian.Spec.Tests = []v1alpha1.ImageTest{{Name: "ours", Runner: &v1alpha1.TestRunner{Name: "mock"}}}
	suspended := mockImage("office", map[string]string{"duration": "20ms"})
	suspended.Spec.Suspend = new(true)
	created := []*v1alpha1.Image{debian, suspended}
	for name, parameters := range map[string]map[string]string{
		"web":      {"duration": "150ms", "distribution": "debian:13", "packages": "mock-base nginx=1.26.3"},
		"shop":     {"duration": "20ms", "steps": "4", "failAt": "3"},
		"database": {"duration": "1h", "steps": "3"},
	} {
		image := mockImage(name, parameters)
		image.Spec.Base = v1alpha1.Base{ImageRef: &v1alpha1.BaseImageReference{Name: "debian", Channel: "stable"}}
		image.Spec.Triggers = &v1alpha1.Triggers{DisableAfterFailures: new(int32(1))}
		image.Spec.History = &v1alpha1.HistoryLimits{Succeeded: new(int32(8))}
		created = append(created, image)
	}
	for _, image := range created {
		Expect(images.Create(ctx, image, metav1.CreateOptions{})).Error().NotTo(HaveOccurred())
	}
	for i, change := range [][2]string{{}, {"steps", "1"}, {"packages", "mock-base nginx=1.28.0"}, {"duration", "240ms"}, {"duration", "170ms"}, {"duration", "310ms"}, {"duration", "200ms"}, {"duration", "180ms"}} {
		if change[0] != "" {
			setParameter(ctx, images, change[0], change[1])
		}
		Eventually(ctx, func(g Gomega) {
			web, err := images.Get(ctx, "web", metav1.GetOptions{})
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(web.Status.LatestSuccessful).To(HaveField("Name", fmt.Sprintf("web-%d", i+1)))
		}).WithTimeout(deadline.Local.Deadline()).Should(Succeed())
	}
}

func imagesOf(server *served) client.ImageInterface {
	GinkgoHelper()
	clients, err := versioned.NewForConfig(server.Config)
	Expect(err).NotTo(HaveOccurred())
	return clients.ImagesV1alpha1().Images(metav1.NamespaceDefault)
}

// mockImage returns an image of the builder mock.
func mockImage(name string, parameters map[string]string) *v1alpha1.Image {
	image := &v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Name: name}}
	image.Spec.Builder.Name = "mock"
	image.Spec.Base.Reference = "debian:13"
	image.Spec.Targets = []v1alpha1.Target{{Platform: "linux/amd64", Format: v1alpha1.ArtifactFormatRaw}}
	for name, value := range parameters {
		image.Spec.Parameters = append(image.Spec.Parameters, v1alpha1.Parameter{Name: name, Value: value})
	}
	return image
}

// setParameter sets a parameter of the image web, or removes it if the value is empty.
func setParameter(ctx context.Context, images client.ImageInterface, name, value string) {
	GinkgoHelper()
	parameter := map[string]string{"name": name, "value": value}
	if value == "" {
		parameter = map[string]string{"name": name, "$patch": "delete"}
	}
	patch, err := json.Marshal(map[string]any{"spec": map[string]any{"parameters": []any{parameter}}})
	Expect(err).NotTo(HaveOccurred())
	Expect(images.Patch(ctx, "web", types.StrategicMergePatchType, patch, metav1.PatchOptions{})).Error().NotTo(HaveOccurred())
}

// consolePage is a page of the console in Chromium.
type consolePage struct {
	browser context.Context
	origin  string
	mutex   sync.Mutex
	wrong   []string // what the console of the browser reports: errors of scripts, violations of the policy, and failed requests
	foreign []string // requests to other hosts
	asked   []string // addresses of all requests
}

func openPage(ctx context.Context, link string) *consolePage {
	GinkgoHelper()
	return openPageIn(startChromium(ctx), link)
}

// openPageIn opens a link in a browser, or in a new tab of it.
func openPageIn(browser context.Context, link string) *consolePage {
	GinkgoHelper()
	origin, _, _ := strings.Cut(link, "/ui/")
	page := &consolePage{browser: browser, origin: origin}
	Expect(chromedp.Listen(page.browser, page.receive)).To(Succeed())
	page.resize(1400, "light")
	Expect(chromedp.Do(page.browser, chromedp.Navigate(link))).To(Succeed())
	return page
}

// receive notes what is wrong.
func (p *consolePage) receive(event any) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	switch event := event.(type) {
	case *runtime.EventExceptionThrown:
		p.wrong = append(p.wrong, fmt.Sprintf("%s %v", event.ExceptionDetails.Text, event.ExceptionDetails.Exception))
	case *runtime.EventConsoleAPICalled:
		p.wrong = append(p.wrong, fmt.Sprint(event.Type))
	case *log.EventEntryAdded:
		p.wrong = append(p.wrong, event.Entry.Text+" "+event.Entry.URL)
	case *network.EventRequestWillBeSent:
		p.asked = append(p.asked, event.Request.URL)
		if address := event.Request.URL; !strings.HasPrefix(address, p.origin+"/") {
			p.foreign = append(p.foreign, address)
		}
	}
}

// expectNothingWrong checks what the browser reported, and that no request went to another host, or had the token in its address.
func (p *consolePage) expectNothingWrong(matcher OmegaMatcher) {
	GinkgoHelper()
	token := p.token()
	p.mutex.Lock()
	defer p.mutex.Unlock()
	Expect(p.wrong).To(matcher)
	Expect(p.foreign).To(BeEmpty(), "requests to other hosts")
	Expect(p.asked).NotTo(ContainElement(ContainSubstring(token)), "addresses with the token")
}

// token returns the token of the page's session.
func (p *consolePage) token() string {
	GinkgoHelper()
	return ask[string](p, "JSON.parse(localStorage.getItem('goldsmith.session') ?? '{}').token ?? 'no token'")
}

// statusWith returns the status of a request with a token to a console or an API server.
func statusWith(ctx context.Context, server *rest.Config, origin, token string) int {
	GinkgoHelper()
	config := rest.AnonymousClientConfig(server)
	config.BearerToken = token
	client, err := rest.HTTPClientFor(config)
	Expect(err).NotTo(HaveOccurred())
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, origin+"/version", http.NoBody)
	Expect(err).NotTo(HaveOccurred())
	answer, err := client.Do(require.Resolve(request))
	Expect(err).NotTo(HaveOccurred())
	Expect(answer.Body.Close()).To(Succeed())
	return answer.StatusCode
}

func (p *consolePage) resize(width int64, scheme string) {
	GinkgoHelper()
	p.resizeTo(width, 900, scheme)
}

func (p *consolePage) resizeTo(width, height int64, scheme string) {
	GinkgoHelper()
	_, err := chromedp.Call(p.browser, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: height, DeviceScaleFactor: 1})
	Expect(err).NotTo(HaveOccurred())
	_, err = chromedp.Call(p.browser, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
	Expect(err).NotTo(HaveOccurred())
}

// open opens an address of the console.
func (p *consolePage) open(address string) {
	GinkgoHelper()
	Expect(chromedp.Do(p.browser, chromedp.Navigate("about:blank"), chromedp.Navigate(p.origin+address))).To(Succeed())
}

// draw writes a picture of the window into a file, in the format of its extension.
func (p *consolePage) draw(file string) {
	GinkgoHelper()
	format := cdppage.CaptureScreenshotFormat(filepath.Ext(file)[1:])
	picture, err := chromedp.Call(p.browser, cdppage.CaptureScreenshot, cdppage.CaptureScreenshotParams{Format: format})
	Expect(err).NotTo(HaveOccurred())
	Expect(os.WriteFile(file, picture.Data, 0o600)).To(Succeed())
}

func (p *consolePage) address() string {
	GinkgoHelper()
	address, err := chromedp.Run(p.browser, chromedp.Location())
	Expect(err).NotTo(HaveOccurred())
	return address
}

// run runs the body of a function in the page.
func (p *consolePage) run(body string, arguments ...any) bool {
	GinkgoHelper()
	given, err := json.Marshal(append([]any{}, arguments...))
	Expect(err).NotTo(HaveOccurred())
	result, err := chromedp.Run(p.browser, chromedp.Evaluate[bool](fmt.Sprintf("Boolean(((...given) => {%s})(...%s))", body, given)))
	Expect(err).NotTo(HaveOccurred())
	return result
}

// Conditions and steps, whose arguments are a selector and a text.
const (
	found   = "const [selector, text] = given; const element = [...document.querySelectorAll(selector)].find(element => element.innerText.includes(text));"
	clickIt = found + "if (!element || element.ariaDisabled === 'true' || element.disabled) return false; element.click(); return true"
	fillIt  = "const [selector, text] = given; const input = document.querySelector(selector); if (!input) return false; input.value = text; input.dispatchEvent(new Event('input', {bubbles: true})); return true"
	showsIt = found + "return element"
	lacksIt = found + "return !element"
)

func (p *consolePage) shows(selector, text string) { GinkgoHelper(); p.await(showsIt, selector, text) }
func (p *consolePage) lacks(selector, text string) { GinkgoHelper(); p.await(lacksIt, selector, text) }
func (p *consolePage) click(selector, text string) { GinkgoHelper(); p.await(clickIt, selector, text) }
func (p *consolePage) fill(selector, text string)  { GinkgoHelper(); p.await(fillIt, selector, text) }

// await runs a body until it is true.
func (p *consolePage) await(body, selector, text string) {
	GinkgoHelper()
	Eventually(func() bool { return p.run(body, selector, text) }).WithTimeout(deadline.Local.Deadline()).Should(BeTrue(), func() string {
		shown, _ := chromedp.Run(p.browser, chromedp.Evaluate[string]("location + '\\n' + document.body.innerText"))
		return fmt.Sprintf("%s with %q in the page:\n%s\n%s", selector, text, shown, strings.Join(p.wrong, "\n"))
	})
}

// axe returns what axe-core finds wrong with the page.
func (p *consolePage) axe() []string {
	GinkgoHelper()
	script, err := os.ReadFile("../../bin/console/node_modules/axe-core/axe.min.js")
	Expect(err).NotTo(HaveOccurred(), "console/update-libraries --check installs it")
	_, err = chromedp.Run(p.browser, chromedp.Evaluate[bool](string(script)+"; true"))
	Expect(err).NotTo(HaveOccurred())
	found, err := chromedp.Run(p.browser, chromedp.Evaluate[[]string](
		"axe.run().then(({violations}) => violations.map(({id, nodes}) => id + ': ' + nodes.map(({html, failureSummary}) => html + ' ' + failureSummary).join(' ')))", chromedp.EvalAwaitPromise))
	Expect(err).NotTo(HaveOccurred())
	return found
}
