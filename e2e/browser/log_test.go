// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package browser_test

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/deadline"
)

var _ = Describe("The page of a log", Label("browser"), func() {
	It("shows what terminals show, finds, goes to lines, and saves every byte", Label("console"), func(ctx SpecContext) {
		server := serveSynthetic(func(stop func()) { DeferCleanup(stop) })
		log := terminalLog()
		server.logs["imagebuilds/web-1/log"] = log
		server.putBuild("web-1", v1alpha1.BuildSucceeded)
		page := openPage(ctx, server.link)
		page.shows("h1", "Images")

		page.goTo("/ui/ns/default/builds/web-1/log#L120")
		page.shows(".logline.marked .number", "120")
		page.shows(".logline.marked code", "line 120")
		page.press(".logview", "Home")
		page.shows(".logline .ansi-red", "red")
		page.shows(".logline .bold", "bold and green")
		Expect(ask[[]string](page, "[...document.querySelectorAll('.logline code')].slice(0, 10).map(({innerText}) => innerText)")).To(Equal([]string{
			"red plain bold and green", "after a title", "at another place", `NUL \u{0}, bell \u{7}`, "no UTF-8: \ufffd\ufffd", "a line of Windows", "100 %", `bidi \u{202e}text`, "<img src=x onerror=alert(1)>", "",
		}))
		Expect(ask[[]string](page, "[...document.querySelectorAll('.logline code')].slice(10, 14).map((code) => [...code.querySelectorAll('span')].map((span) => `${span.className}: ${span.innerText}`).join())")).To(Equal([]string{
			"ansi-green: green", "ansi-green: still green", "ansi-green bold: green and bold", ": plain",
		}))
		page.press(".logview", "End")
		page.shows(".logline .ansi-blue", "line 3000")
		page.press(".logview", "Home")
		page.click(".title button", "Times")
		page.shows(".logline time", "00.007")

		By("searching the end while the beginning is loading")
		loaded := make(chan struct{})
		server.set(func() {
			server.before = func(_ http.ResponseWriter, request *http.Request) bool {
				if strings.HasSuffix(request.URL.Path, "/log") && !request.URL.Query().Has("tailLines") {
					select {
					case <-loaded:
					case <-request.Context().Done():
					}
				}
				return false
			}
		})
		page.goTo("/ui/ns/default/builds/web-1/log?q=needle")
		page.shows(".logbar", "the end of the log")
		page.shows(".logbar", "1 of 1 lines")
		close(loaded)
		page.shows(".logbar", "2 of 2 lines")
		page.shows(".logline.marked .number", "2500")

		By("searching")
		page.open("/ui/ns/default/builds/web-1/log")
		page.shows(".logbar", "3000 lines")
		page.press(".logview", "Home")
		page.shows(".logline", "red plain")
		page.fill(".logbar input", "NEEDLE")
		page.shows(".logbar", "1 of 2 lines")
		page.shows(".logline.marked mark", "needle")
		page.press(".logbar input", "Enter")
		page.shows(".logbar", "2 of 2 lines")
		page.shows(".logline.marked .number", "2500")

		By("saving")
		page.run("window.saved = new Promise(save => { URL.createObjectURL = blob => { save(blob); return '#' } })")
		page.click(".title button", "Save")
		Expect(ask[string](page, "saved.then(blob => blob.arrayBuffer()).then(bytes => crypto.subtle.digest('SHA-256', bytes)).then(digest => new Uint8Array(digest).toHex())")).
			To(Equal(fmt.Sprintf("%x", sha256.Sum256(log))))
		page.expectNothingWrong(BeEmpty())
	}, NodeTimeout(3*deadline.Local.Deadline()))

	It("shows the beginning of a line of 64 MiB, follows a build, and says why there is nothing", Label("console"), func(ctx SpecContext) {
		server := serveSynthetic(func(stop func()) { DeferCleanup(stop) })
		server.logs["imagebuilds/web-1/log"] = []byte("first\n" + strings.Repeat("x", 64<<20) + "needle\nlast\n")
		server.logs["imagebuilds/web-2/log"] = []byte{}
		server.logs["imagebuilds/web-3/log"] = []byte("step 1\n")
		server.growing["imagebuilds/web-3/log"] = true
		for name, phase := range map[string]v1alpha1.BuildPhase{"web-1": v1alpha1.BuildFailed, "web-2": v1alpha1.BuildSucceeded, "web-3": v1alpha1.BuildRunning, "web-4": v1alpha1.BuildFailed} {
			server.putBuild(name, phase)
		}
		page := openPage(ctx, server.link)
		page.shows("h1", "Images")

		page.goTo("/ui/ns/default/builds/web-1/log")
		page.shows(".logline", "and 64.0 MiB more: save the log to read them")
		page.shows(".logbar", "3 lines, 64.0 MiB")
		page.fill(".logbar input", "needle")
		page.shows(".logbar", "1 of 1 lines")
		page.shows(".logline.marked .number", "2")
		Expect(ask[int](page, "document.querySelector('.logview').textContent.length")).To(BeNumerically("<", 10_000), "characters in the page")

		page.goTo("/ui/ns/default/builds/web-2/log")
		page.shows("main", "The log is empty")

		page.goTo("/ui/ns/default/builds/web-4/log")
		page.shows(".problem", "nothing is at /apis/")
		Expect(server.requests(func(request syntheticRequest) bool { return strings.HasSuffix(request.path, "/web-4/log") })).To(HaveLen(1), "a log that does not exist")

		By("following")
		page.goTo("/ui/ns/default/builds/web-3/log")
		page.shows(".logline", "step 1")
		for _, line := range []string{"step 2\n", "step", " 3\n"} {
			server.set(func() { server.logs["imagebuilds/web-3/log"] = append(server.logs["imagebuilds/web-3/log"], line...) })
		}
		page.shows(".logline", "step 3")
		for range 500 {
			server.set(func() {
				server.logs["imagebuilds/web-3/log"] = append(server.logs["imagebuilds/web-3/log"], "more\n"...)
			})
		}
		page.shows(".logline .number", "503")
		page.press(".logview", "Home")
		page.shows(".logline", "step 1")
		server.set(func() {
			server.logs["imagebuilds/web-3/log"] = append(server.logs["imagebuilds/web-3/log"], "the end\n"...)
			server.growing["imagebuilds/web-3/log"] = false
		})
		page.shows(".logbar", "504 lines")
		page.shows(".logline", "step 1") // it does not follow
		server.putBuild("web-3", v1alpha1.BuildSucceeded)
		page.shows(".title", "Succeeded")
		page.lacks(".logbar button", "Follow")
		page.expectNothingWrong(BeEmpty())
	}, NodeTimeout(3*deadline.Local.Deadline()))
})

// press presses a key in an element.
func (p *consolePage) press(selector, key string) {
	GinkgoHelper()
	p.run("document.querySelector(given[0]).dispatchEvent(new KeyboardEvent('keydown', {key: given[1], bubbles: true}))", selector, key)
}

// terminalLog is a log with everything that programs write to terminals, and more lines than a page reads first.
func terminalLog() []byte {
	lines := []string{
		"\x1b[31mred\x1b[0m plain \x1b[1;38;5;46mbold and green\x1b[m", "\x1b]0;a title\x07after a title", "\x1b[2J\x1b[10;5Hat another place\x1b[K", "NUL \x00, bell \x07",
		"no UTF-8: \xff\xfe", "a line of Windows\r", "  0 %\r 50 %\r100 %", "bidi \u202etext", "<img src=x onerror=alert(1)>", "",
		"\x1b[32mgreen", "still green", "\x1b[1m  0 %\rgreen and bold", "\x1b[22;39mplain",
	}
	for len(lines) < 3000 {
		lines = append(lines, fmt.Sprint("line ", len(lines)+1))
	}
	lines[499], lines[2499], lines[2599] = "the first needle", "the second needle", "\x1b[34mblue to the end"
	return []byte(strings.Join(lines, "\n"))
}

// putBuild adds a build of the image web, or changes it.
func (s *synthetic) putBuild(name string, phase v1alpha1.BuildPhase) {
	GinkgoHelper()
	s.putBuildAt(name, phase, time.Now().Add(-time.Hour))
}

// putBuildAt adds a build that was created at a time.
func (s *synthetic) putBuildAt(name string, phase v1alpha1.BuildPhase, created time.Time) {
	GinkgoHelper()
	build := &v1alpha1.ImageBuild{}
	build.Name, build.Namespace, build.CreationTimestamp = name, metav1.NamespaceDefault, metav1.NewTime(created)
	build.Labels = map[string]string{v1alpha1.GroupName + "/image": "web"}
	build.Spec.ImageRef = &v1alpha1.ImageReference{Name: "web"}
	build.Status.Phase, build.Status.StartTime = phase, &build.CreationTimestamp
	s.put("imagebuilds", build, map[string]any{"Name": name, "Image": "web", "Phase": phase, "Started": build.CreationTimestamp})
}
