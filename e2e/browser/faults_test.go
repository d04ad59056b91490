// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package browser_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/chromedp/chromedp"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/deadline"
)

var _ = Describe("The console before a server with faults", Label("browser"), func() {
	It("tells what is wrong, asks again less and less often, and recovers", Label("console"), func(ctx SpecContext) {
		browser := startChromium(ctx)
		Expect(chromedp.Do(browser)).To(Succeed(), "starts the browser for all tabs")
		forbidden := openFaulty(browser, func(writer http.ResponseWriter, _ *http.Request) bool {
			refuseWith(writer, http.StatusForbidden, "imagebuilds is forbidden")
			return true
		})
		gone := openFaulty(browser, onWatch(func(writer http.ResponseWriter, _ *http.Request) {
			_, _ = writer.Write([]byte(`{"type":"ERROR","object":{"kind":"Status","code":410,"message":"too old resource version"}}` + "\n"))
		}))
		ending := openFaulty(browser, onWatch(func(http.ResponseWriter, *http.Request) {}))
		broken := openFaulty(browser, onWatch(func(writer http.ResponseWriter, request *http.Request) {
			_, _ = writer.Write([]byte(`{"type":"ADDED","object":{` + "\n"))
			_ = http.NewResponseController(writer).Flush()
			<-request.Context().Done()
		}))
		expired := openFaulty(browser, nil)
		dead := openFaulty(browser, onWatch(func(_ http.ResponseWriter, request *http.Request) { <-request.Context().Done() }))

		By("suspending the machine, so that a connection is dead without a sign")
		dead.page.shows("tbody tr", "web-1")
		Eventually(dead.watches).WithTimeout(deadline.Local.Deadline()).Should(HaveLen(1))
		dead.server.set(func() { dead.server.before = nil })
		dead.server.putBuild("web-2", v1alpha1.BuildRunning)
		dead.page.run("const now = Date.now; Date.now = () => now() + 60_000")

		By("ending a session")
		expired.page.shows("tbody tr", "web-1")
		expired.server.set(func() {
			expired.server.before = func(writer http.ResponseWriter, _ *http.Request) bool {
				refuseWith(writer, http.StatusUnauthorized, "the token has expired")
				return true
			}
		})
		expired.page.goTo("/ui/ns/default/images")
		expired.page.shows("h1", "Sign in")
		expired.page.shows("main", "The token has expired.")
		expired.page.shows(".command", "goldsmith console")
		Eventually(expired.server.openStreams).WithTimeout(deadline.Local.Deadline()).Should(BeZero())
		requests := len(expired.server.requests(all))

		By("refusing, and ending each watch")
		forbidden.page.shows(".problem", "imagebuilds is forbidden")
		forbidden.page.lacks(".loading", "Loading")
		forbidden.page.lacks(".count", "") // nothing was counted
		broken.page.shows(".connection", "Reconnecting")
		for name, tab := range map[string]*faulty{"gone": gone, "ending": ending, "broken": broken} {
			Eventually(func() int { return len(tab.watches()) }).WithTimeout(deadline.Local.Deadline()).Should(BeNumerically(">=", 3), name)
			watches := tab.watches()
			Expect(watches[2].at.Sub(watches[0].at)).To(BeNumerically(">=", 1500*time.Millisecond), "three watches of the tab %s", name)
			tab.page.shows("tbody tr", "web-1") // what was read stays
			Expect(tab.server.mostStreams()).To(Equal(1), name)
		}
		Expect(len(gone.lists())).To(BeNumerically(">=", 3), "a list for each watch whose version is too old")
		Eventually(func() int { return len(forbidden.lists()) }).WithTimeout(deadline.Local.Deadline()).Should(BeNumerically(">=", 2))
		if lists := forbidden.lists(); len(lists) > 2 {
			Expect(lists[2].at.Sub(lists[1].at)).To(BeNumerically(">=", 14*time.Second), "between requests that are refused")
		}
		Expect(expired.server.requests(all)).To(HaveLen(requests), "requests of a page that is signed out")

		By("recovering")
		for _, tab := range []*faulty{gone, ending, broken} {
			tab.server.set(func() { tab.server.before = nil })
			tab.server.putBuild("web-2", v1alpha1.BuildRunning)
		}
		for _, tab := range []*faulty{dead, gone, ending, broken} {
			tab.page.shows("tbody tr", "web-2")
			tab.page.shows(".connection", "Live")
			tab.page.expectNothingWrong(BeEmpty())
		}
	}, NodeTimeout(3*deadline.Local.Deadline()))

	It("shows lists of 10,000 objects to a user without rights, by the clock of the server", Label("console"), func(ctx SpecContext) {
		server := serveSynthetic(func(stop func()) { DeferCleanup(stop) })
		server.ahead, server.refusal = time.Hour+30*time.Second, "Ask the team <platform>."
		const count = 10_000
		queue := v1alpha1.QueuedBuildList{}
		for i := range count {
			created := time.Now().Add(server.ahead - time.Duration(i)*time.Minute)
			server.putImage(fmt.Sprintf("image-%04d-%s", i, strings.Repeat("n", 34)), "Ready", created)
			server.putBuildAt(fmt.Sprintf("web-%04d", i), v1alpha1.BuildSucceeded, created)
			build := v1alpha1.QueuedBuild{Status: v1alpha1.QueuedBuildStatus{Position: int32(i + 1), ImageName: "web"}}
			build.Name, build.Namespace = fmt.Sprintf("web-%04d", i), metav1.NamespaceDefault
			queue.Items = append(queue.Items, build)
		}
		server.answers["queuedbuilds"] = queue
		page := openPage(ctx, server.link)
		page.shows(".count", "10000")
		page.shows(".notice", "differs from the server's by 60m")
		page.shows("tbody tr:nth-child(4) td.c-age", "3m")
		page.await("return document.querySelector('tbody button[aria-disabled=true]')?.title === given[0]", "You have no permission to create images/instantiate in namespace default. Ask the team <platform>.", "")
		page.run("document.querySelector('tbody button').click()")
		page.shows("dialog .refusal", "You have no permission to create images/instantiate")
		page.await("return document.querySelector('dialog button.primary').disabled", "", "")
		page.click("dialog button", "Close")
		Expect(server.requests(func(request syntheticRequest) bool {
			return strings.HasSuffix(request.path, "/selfsubjectaccessreviews")
		})).To(HaveLen(1))

		for _, list := range []struct{ address, first, last, filter string }{
			{"images", "image-0000-", "image-9999-", "image-0420-"}, {"builds", "web-0000", "web-9999", "web-0420"}, {"queue", "web-0000", "web-9999", ""},
		} {
			page.goTo("/ui/ns/default/" + list.address)
			page.shows("tbody tr", list.first)
			page.await("document.querySelector('.scroll')?.scrollTo(0, 1e9);"+showsIt, "tbody tr", list.last)
			page.lacks("tbody tr", list.first)
			for _, width := range []int64{375, 1400} {
				page.resize(width, "light")
				Expect(ask[[]string](page, faultsOfPage)).To(BeEmpty(), "%s at %d", list.address, width)
			}
			if list.filter != "" {
				page.fill("input[type=search]", list.filter)
				page.shows("tbody tr", list.filter)
				page.await("return document.querySelectorAll('tbody tr[data-index]').length === 1", "", "")
			}
		}
		page.goTo("/ui/ns/default/graph?view=list&q=image-0420")
		page.shows(".forest .name", "image-0420-")
		page.goTo("/ui/ns/default/graph?view=graph")
		page.shows(".graph", "image-")
		Expect(ask[[]string](page, faultsOfPage)).To(BeEmpty(), "the graph")
		page.expectNothingWrong(BeEmpty())
	}, NodeTimeout(4*deadline.Local.Deadline()))
})

// faulty is a tab with the builds of a server that has a fault.
type faulty struct {
	server *synthetic
	page   *consolePage
}

// openFaulty opens the builds of a server, whose requests before answers first.
func openFaulty(browser context.Context, before func(http.ResponseWriter, *http.Request) bool) *faulty {
	GinkgoHelper()
	server := serveSynthetic(func(stop func()) { DeferCleanup(stop) })
	server.putBuild("web-1", v1alpha1.BuildSucceeded)
	server.before = before
	tab, stop := chromedp.NewContext(browser)
	DeferCleanup(stop)
	address, code, _ := strings.Cut(server.link, "#")
	return &faulty{server, openPageIn(tab, address+"ns/default/builds#"+code)}
}

func (f *faulty) watches() []syntheticRequest {
	return f.server.requests(syntheticRequest.isWatch)
}

func (f *faulty) lists() []syntheticRequest {
	return f.server.requests(func(request syntheticRequest) bool {
		return strings.HasSuffix(request.path, "/imagebuilds") && !request.isWatch()
	})
}

func all(syntheticRequest) bool { return true }

// onWatch answers watches.
func onWatch(answer http.HandlerFunc) func(http.ResponseWriter, *http.Request) bool {
	return func(writer http.ResponseWriter, request *http.Request) bool {
		if request.URL.Query().Get("watch") != "true" {
			return false
		}
		answer(writer, request)
		return true
	}
}

// putImage adds an image with long labels.
func (s *synthetic) putImage(name, reason string, created time.Time) {
	GinkgoHelper()
	image := &v1alpha1.Image{}
	image.Name, image.Namespace, image.CreationTimestamp = name, metav1.NamespaceDefault, metav1.NewTime(created)
	image.Spec.Targets = []v1alpha1.Target{{Platform: "linux/amd64", Format: v1alpha1.ArtifactFormatRaw}}
	image.Labels = map[string]string{"example.com/description": strings.Repeat("d", 200)}
	s.put("images", image, map[string]any{"Name": name, "Ready": "True", "UpToDate": "True", "Reason": reason, "Latest": name + "-1", "Active": 0, "Base": "debian:13", "Channels": "stable=" + name + "-1"})
}
