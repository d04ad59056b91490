// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package browser_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// figures are the results of a benchmark, by their units. The best of all iterations is reported: other programs on the machine make figures
// worse, and nothing makes them better.
type figures map[string][]float64

func (f figures) add(unit string, value float64) { f[unit] = append(f[unit], value) }

func (f figures) report(b *testing.B) {
	b.ReportMetric(0, "ns/op") // it includes what is not measured
	for unit, values := range f {
		b.ReportMetric(slices.Min(values), unit)
	}
}

// openBench opens the console before a server that fill fills.
func openBench(b *testing.B, fill func(*synthetic)) (*synthetic, *consolePage) {
	b.Helper()
	RegisterTestingT(b)
	server := serveSynthetic(b.Cleanup)
	fill(server)
	browser, stop := newChromium(context.WithoutCancel(b.Context()))
	b.Cleanup(stop)
	page := openPageIn(browser, server.link)
	page.shows("h1", "Images")
	return server, page
}

// timeTo returns the milliseconds from the opening of an address until a condition is true and painted.
func (p *consolePage) timeTo(address, condition string) float64 {
	p.goTo("/ui/ns/default/nowhere")
	p.shows("main", "This page does not exist")
	return ask[float64](p, fmt.Sprintf(`new Promise((resolve, reject) => {
  const start = performance.now();
  history.pushState(null, '', %q);
  dispatchEvent(new PopStateEvent('popstate'));
  const look = () => {
    if (%s) requestAnimationFrame(() => resolve(performance.now() - start));
    else if (performance.now() - start < 60_000) requestAnimationFrame(look);
    else reject(new Error(document.body.innerText));
  };
  look();
})`, address, condition))
}

// BenchmarkConsoleFirstPaint loads the list of 100 images without a cache. The goal is 1 s.
func BenchmarkConsoleFirstPaint(b *testing.B) {
	_, page := openBench(b, func(server *synthetic) {
		for i := range 100 {
			server.putImage(fmt.Sprint("image-", i), "Ready", time.Now())
		}
	})
	_, err := chromedp.Call(page.browser, network.SetCacheDisabled, network.SetCacheDisabledParams{CacheDisabled: true})
	Expect(err).NotTo(HaveOccurred())
	found := figures{}
	for b.Loop() {
		page.open("/ui/ns/default/images")
		page.shows("tbody tr", "image-0")
		found.add("first-paint-ms", ask[float64](page, "new Promise(resolve => new PerformanceObserver(list => resolve(list.getEntriesByName('first-contentful-paint')[0].startTime)).observe({type: 'paint', buffered: true}))"))
	}
	found.report(b)
}

const manyBuilds = 10_000

func putManyBuilds(server *synthetic) {
	for i := range manyBuilds {
		server.putManyth(i, phaseOf(i))
	}
}

// putManyth adds or changes one of the many builds.
func (s *synthetic) putManyth(i int, phase v1alpha1.BuildPhase) {
	s.putBuildAt(fmt.Sprintf("web-%d", manyBuilds-i), phase, time.Now().Add(-time.Duration(i)*time.Minute))
}

func phaseOf(i int) v1alpha1.BuildPhase {
	if i%100 == 0 {
		return v1alpha1.BuildRunning
	}
	return []v1alpha1.BuildPhase{v1alpha1.BuildSucceeded, v1alpha1.BuildSucceeded, v1alpha1.BuildFailed, v1alpha1.BuildCancelled}[i%4]
}

// BenchmarkConsoleBuilds lists 10,000 builds, and scrolls through them for three seconds. The goals are 1.5 s to the first rows, 50 ms for 95 %
// of the frames, and 400 nodes.
func BenchmarkConsoleBuilds(b *testing.B) {
	_, page := openBench(b, putManyBuilds)
	found := figures{}
	for b.Loop() {
		found.add("fetch-to-paint-ms", page.timeTo("/ui/ns/default/builds", "document.querySelector('.count')?.textContent === '10000' && document.querySelector('tbody tr a')"))
		scrolled := ask[struct {
			Frames []float64
			Nodes  float64
		}](page, `new Promise(resolve => {
  const view = document.querySelector('.scroll'), frames = [], start = performance.now();
  let last = start, nodes = 0;
  const frame = now => {
    frames.push(now - last);
    last = now;
    nodes = Math.max(nodes, document.querySelectorAll('*').length);
    view.scrollTop += 500;
    if (now - start < 3000) requestAnimationFrame(frame);
    else resolve({Frames: frames.slice(1), Nodes: nodes});
  };
  requestAnimationFrame(frame);
})`)
		slices.Sort(scrolled.Frames)
		found.add("frame-p95-ms", scrolled.Frames[len(scrolled.Frames)*95/100])
		found.add("dom-nodes", scrolled.Nodes)
	}
	found.report(b)
}

// watchTasks notes how long the longest task of a page takes.
const watchTasks = "window.longest = 0; window.observer?.disconnect(); window.observer = new PerformanceObserver(list => { for (const {duration} of list.getEntries()) window.longest = Math.max(window.longest, duration) }); observer.observe({type: 'longtask'})"

// BenchmarkConsoleUpdates changes 830 of 10,000 builds a second, for five seconds. The goal is that no task takes longer than 50 ms. Then the
// longest is 0, because browsers report only longer ones.
func BenchmarkConsoleUpdates(b *testing.B) {
	const batch, interval = 83, 100 * time.Millisecond
	server, page := openBench(b, putManyBuilds)
	page.timeTo("/ui/ns/default/builds", "document.querySelector('.count')?.textContent === '10000'")
	found := figures{}
	for b.Loop() {
		page.run(watchTasks)
		ticker := time.NewTicker(interval)
		start := time.Now()
		for i := range 50 * batch {
			if i%batch == 0 {
				<-ticker.C
			}
			server.putManyth(i*7%manyBuilds, phaseOf(i))
		}
		ticker.Stop()
		found.add("updates/s", 50*batch/time.Since(start).Seconds())
		last := fmt.Sprint("last-", time.Since(start))
		server.putBuildAt(last, v1alpha1.BuildRunning, time.Now())
		found.add("longest-task-ms", ask[float64](page, fmt.Sprintf(`new Promise(resolve => {
  const look = () => document.querySelector('tbody tr a')?.textContent === %q ? setTimeout(() => resolve(window.longest), 100) : setTimeout(look, 10);
  look();
})`, last)))
	}
	found.report(b)
}

// BenchmarkConsolePlot draws the plots of an image whose history has 5,000 builds. The goal is 50 ms for each.
func BenchmarkConsolePlot(b *testing.B) {
	_, page := openBench(b, func(server *synthetic) {
		server.putImage("web", "Ready", time.Now())
		history := v1alpha1.ImageHistory{}
		for i := range 5000 {
			at := metav1.NewTime(time.Now().Add(time.Duration(i-5000) * time.Hour))
			history.Items = append(history.Items, v1alpha1.BuildRecord{
				Name: fmt.Sprint("web-", i), Phase: v1alpha1.BuildSucceeded, CompletionTime: &at,
				Duration: &metav1.Duration{Duration: time.Duration(60+i*i%97) * time.Second}, QueueTime: &metav1.Duration{Duration: time.Duration(i*i%31) * time.Second},
			})
		}
		server.answers["images/web/history"] = history
	})
	found := figures{}
	for b.Loop() {
		page.timeTo("/ui/ns/default/images/web", "document.querySelectorAll('gs-plot canvas').length === 3")
		found.add("draw-ms", ask[float64](page, `(async () => {
  let longest = 0;
  for (const plot of document.querySelectorAll('gs-plot')) {
    const start = performance.now();
    plot.draw();
    await null; // the library draws in a microtask
    longest = Math.max(longest, performance.now() - start);
  }
  return longest;
})()`))
	}
	found.report(b)
}

// BenchmarkConsoleGraph places images of which five in six are based on another, in chains of up to four. The goals are 0.5 s for 200 images,
// and 2 s for 1,000.
func BenchmarkConsoleGraph(b *testing.B) {
	for _, nodes := range []int{200, 1000} {
		b.Run(fmt.Sprint(nodes), func(b *testing.B) {
			_, page := openBench(b, func(server *synthetic) {
				for i := range nodes {
					image := &v1alpha1.Image{}
					image.Name, image.Namespace = fmt.Sprint("image-", i), metav1.NamespaceDefault
					base := "debian:13"
					if i >= nodes/6 {
						base = fmt.Sprintf("image image-%d, channel %s", i/4, []string{"stable", "testing"}[i%2])
					}
					server.put("images", image, map[string]any{"Name": image.Name, "Ready": "True", "UpToDate": "True", "Base": base, "Channels": fmt.Sprintf("stable=%s-1, testing=%s-2", image.Name, image.Name)})
				}
			})
			found := figures{}
			for b.Loop() {
				found.add("open-ms", page.timeTo("/ui/ns/default/graph?view=graph", "document.querySelector('.graph[data-took] .node')"))
				found.add("place-ms", ask[float64](page, "Number(document.querySelector('.graph').dataset.took)"))
				found.add("dom-nodes", ask[float64](page, "document.querySelectorAll('*').length"))
			}
			found.report(b)
		})
	}
}

// BenchmarkConsoleLog reads a log of 200 MB, asks for 60 lines in its middle, and searches all of it in vain. The goals are 5 s, 20 ms and 3 s.
func BenchmarkConsoleLog(b *testing.B) {
	var log bytes.Buffer
	at := time.Date(2026, 11, 30, 12, 0, 0, 1, time.UTC)
	lines := 0
	for ; log.Len() < 200_000_000; lines++ {
		fmt.Fprintf(&log, "%s [%d/2000000] compiling package number %d with some flags, and a \x1b[32mcolour\x1b[0m\n", at.Add(time.Duration(lines)*time.Microsecond).Format(time.RFC3339Nano), lines, lines%977)
	}
	_, page := openBench(b, func(server *synthetic) {
		server.putBuild("web-1", v1alpha1.BuildSucceeded)
		server.before = func(writer http.ResponseWriter, request *http.Request) bool {
			if !strings.HasSuffix(request.URL.Path, "/log") {
				return false
			}
			content := log.Bytes()
			if request.URL.Query().Has("tailLines") {
				content = tail(content, 2000)
			}
			_, _ = writer.Write(content)
			return true
		}
	})
	page.run("const Original = Worker; window.Worker = class extends Original { constructor(...given) { super(...given); window.worker = this } }")
	const answered = `new Promise(resolve => {
  const start = performance.now();
  worker.addEventListener('message', function listen({data}) {
    if (data.type !== '%s') return;
    worker.removeEventListener('message', listen);
    resolve(performance.now() - start);
  });
  worker.postMessage(%s);
})`
	found := figures{}
	for b.Loop() {
		found.add("open-ms", page.timeTo("/ui/ns/default/builds/web-1/log", "document.querySelector('.logline code span')"))
		read := time.Now()
		page.shows(".logbar", fmt.Sprint(lines, " lines"))
		found.add("read-ms", float64(time.Since(read).Milliseconds())+found["open-ms"][len(found["open-ms"])-1])
		found.add("60-lines-ms", ask[float64](page, fmt.Sprintf(answered, "lines", "{type: 'lines', from: 1000000, to: 1000060}")))
		found.add("search-ms", ask[float64](page, fmt.Sprintf(answered, "matches", "{type: 'search', text: 'what no line has', again: true}")))
	}
	found.report(b)
}
