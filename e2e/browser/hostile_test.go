// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package browser_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"reflect"
	"strings"
	"time"

	"github.com/chromedp/chromedp"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/deadline"
)

const (
	// hostileName is a name that is a script in a link, in HTML and in templates, and has characters that hide or reorder text.
	hostileName = `javascript:window.pwned=1;"><img src=x onerror="window.pwned=1">'` + "`${alert(1)}{{constructor}}" +
		"\u202e\u2066\u200b\u00ad\ufeff\x00\x1b[31m" + loneSurrogate
	hostile = hostileName + `<script>window.pwned=1</script><iframe srcdoc="<script>parent.pwned=1</script>"></iframe>`
)

// longHostile is what texts have: hostile, with a word that is wider than a page.
var longHostile = hostile + strings.Repeat("W", 200)

// hostileNames are the names of everything that has a name.
var hostileNames = []string{"__proto__", "constructor", hostileName}

var _ = Describe("The console before a hostile server", Label("browser"), func() {
	It("shows every text as text, at each width, with two streams at most", Label("console"), func(ctx SpecContext) {
		server := serveSynthetic(func(stop func()) { DeferCleanup(stop) })
		server.fillHostile()
		page := openPage(ctx, server.link)
		page.shows("h1", "Images")
		for _, hostilePage := range hostilePages {
			page.goTo("/ui/ns/default/nowhere")
			Eventually(server.openStreams).WithTimeout(deadline.Local.Deadline()).Should(BeZero(), "streams of the page before")
			server.mostStreams()
			page.resize(1024, "light")
			page.goTo(hostilePage.address)
			page.shows("main", hostilePage.shows)
			for _, step := range hostilePage.steps {
				step(page)
			}
			for _, width := range []int64{1024, 375} {
				page.resize(width, "light")
				Expect(ask[[]string](page, faultsOfPage)).To(BeEmpty(), "%s at %d", hostilePage.address, width)
			}
			Expect(server.mostStreams()).To(BeNumerically("<=", 2), hostilePage.address)
		}
		page.expectNothingWrong(HaveEach(MatchRegexp("status of (404|422) ")))
	}, NodeTimeout(9*deadline.Local.Deadline()))
})

// explained is the reason of a failure that the console explains.
const explained = "Explained"

// shownEscape is in a page that shows a hostile text.
const shownEscape = `\u{202e}`

// hostilePages are pages with what they show, and what a user does on them.
var hostilePages = []struct {
	address, shows string
	steps          []func(*consolePage)
}{
	{address: "/ui/ns/default/images", shows: shownEscape, steps: []func(*consolePage){
		func(p *consolePage) { p.click("tbody tr:has(a[href$=__proto__]) button", "Build") },
		func(p *consolePage) { p.fill("dialog input", longHostile) },
		func(p *consolePage) { p.shows("dialog .command", shownEscape) },
		func(p *consolePage) { p.click("dialog button.primary", "Build") },
		func(p *consolePage) { p.shows("dialog .problem li", shownEscape) },
	}},
	{address: "/ui/ns/-/images?q=window.pwned", shows: shownEscape},
	{address: "/ui/ns/default/images?q=" + url.QueryEscape(longHostile), shows: "No image matches"},
	{address: "/ui/ns/" + url.PathEscape(hostileName) + "/images", shows: "the console does not forward this request"},
	{address: "/ui/ns/default/images/web", shows: "Over time", steps: []func(*consolePage){
		func(p *consolePage) { p.shows(".title", "Stalled") },
		func(p *consolePage) { p.click("summary", "The same as a table") },
		func(p *consolePage) { p.shows("section", "Health") },
		func(p *consolePage) { p.shows("section", "nine of ten") },
	}},
	{address: "/ui/ns/default/images/__proto__", shows: "is revoked: " + hostile[:20]},
	{address: "/ui/ns/default/images/constructor", shows: "Over time"},
	{address: "/ui/ns/default/images/" + url.PathEscape(hostileName), shows: "Over time"},
	{address: "/ui/ns/default/images/%FF", shows: "does not exist"},
	{address: "/ui/ns/default/builds", shows: shownEscape},
	{address: "/ui/ns/-/builds?phase=__proto__&sort=__proto__", shows: shownEscape},
	{address: "/ui/ns/default/builds/web-1", shows: "Revoked by " + hostile[:20], steps: []func(*consolePage){
		func(p *consolePage) { p.shows("section", "Events") },
	}},
	{address: "/ui/ns/default/builds/web-2", shows: "What to do:"},
	{address: "/ui/ns/default/builds/web-3", shows: "3% " + hostile[:20]},
	{address: "/ui/ns/default/builds/web-4", shows: "Waits: " + hostile[:20]},
	{address: "/ui/ns/default/builds/web-5", shows: "Cancelled by " + hostile[:20]},
	{address: "/ui/ns/default/builds/web-6", shows: "This build was deleted"},
	{address: "/ui/ns/default/builds/" + url.PathEscape(hostileName), shows: "does not exist"},
	{address: "/ui/ns/default/builds/web-1/log?q=window.pwned", shows: shownEscape, steps: []func(*consolePage){
		func(p *consolePage) { p.shows("mark", "window.pwned") },
	}},
	{address: "/ui/ns/default/diff?from=web-1&to=web-2", shows: "nothing has the same digest", steps: []func(*consolePage){
		func(p *consolePage) { p.shows("option", "web-3") },
	}},
	{address: "/ui/ns/default/diff?from=" + url.QueryEscape(hostileName) + "&to=web-2&withUID=" + url.QueryEscape(longHostile), shows: shownEscape},
	{address: "/ui/ns/default/queue", shows: shownEscape},
	{address: "/ui/ns/-/graph?view=graph", shows: "Point at an image", steps: []func(*consolePage){
		func(p *consolePage) { p.await(pointAtIt, "[data-id='image default/web']", "") },
		func(p *consolePage) { p.shows(".traced-note", "based on") },
	}},
	{address: "/ui/ns/default/graph?view=list", shows: shownEscape},
	{address: "/ui/ns/default/graph?view=list&focus=__proto__", shows: "and what is based on it"},
	{address: "/ui/ns/default/graph?view=list&focus=" + url.QueryEscape(hostileName), shows: shownEscape},
	{address: "/ui/ns/default/" + url.PathEscape(hostileName), shows: "This page does not exist"},
}

const pointAtIt = "const element = document.querySelector(given[0]); element?.dispatchEvent(new PointerEvent('pointerover', {bubbles: true})); return element"

// faultsOfPage returns what a page has that only a page with a fault has.
const faultsOfPage = `(() => {
  const faults = [];
  if (window.pwned !== undefined) faults.push('a script ran');
  for (const element of document.querySelectorAll('*')) {
    const name = element.localName, source = element.getAttribute('src') ?? element.getAttribute('href') ?? '';
    if (['iframe', 'object', 'embed', 'frame', 'base', 'style', 'template', 'audio', 'video'].includes(name)) faults.push('element ' + element.outerHTML);
    if (name === 'script' && source !== '/ui/app.js' || name === 'img' && source !== '/ui/icon.svg' || name === 'link' && !/^\/ui\/[\w/.]+$/.test(source)) faults.push('element ' + element.outerHTML);
    if (name === 'a' && source !== null && !/^(\/ui\/|#|https?:\/\/)/.test(source)) faults.push('link ' + element.outerHTML);
    for (const attribute of element.attributes) {
      if (attribute.name.startsWith('on')) faults.push('handler ' + element.outerHTML);
      check(attribute.name + ' of ' + name, attribute.value);
    }
    for (const node of element.childNodes) {
      if (node.nodeType === Node.TEXT_NODE) check(name, node.data);
    }
    if (element.type === 'search') check(name, element.value);
  }
  check('title', document.title);
  const {scrollWidth, clientHeight} = document.documentElement;
  if (scrollWidth > innerWidth) faults.push('the page is ' + scrollWidth + ' px wide in a window of ' + innerWidth + ' px: ' + [...document.querySelectorAll('main *')].filter(element => element.getBoundingClientRect().right > innerWidth + 1 && !element.closest('.scroll, .overflow, .graph, .logview, pre, .command code')).slice(0, 3).map(({localName, className}) => localName + '.' + (className.baseVal ?? className)));
  for (const view of document.querySelectorAll('.scroll, .logview')) {
    const rows = view.querySelector('table')?.ariaRowCount;
    if (rows && rows * 36 > view.clientHeight + 36 && view.scrollHeight <= view.clientHeight) faults.push(rows + ' rows do not scroll');
  }
  return faults;

  function check(where, text) {
    const hidden = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/.exec(text);
    if (hidden || !text.isWellFormed()) faults.push('hidden character ' + (hidden?.[0].codePointAt().toString(16) ?? 'surrogate') + ' in ' + where + ': ' + text.slice(0, 80));
  }
})()`

// goTo opens an address without loading the page again, as a link does.
func (p *consolePage) goTo(address string) {
	GinkgoHelper()
	p.run("history.pushState(null, '', given[0]); dispatchEvent(new PopStateEvent('popstate'))", address)
}

// ask evaluates an expression in a page.
func ask[Result any](page *consolePage, expression string) Result {
	GinkgoHelper()
	result, err := chromedp.Run(page.browser, chromedp.Evaluate[Result](expression, chromedp.EvalAwaitPromise))
	Expect(err).NotTo(HaveOccurred())
	return result
}

// fillHostile gives the server images, builds, and whatever a page asks about them, with hostile texts in all fields.
func (s *synthetic) fillHostile() {
	GinkgoHelper()
	s.refusal = "" // all buttons work
	s.answers["namespaces"] = corev1.NamespaceList{Items: []corev1.Namespace{{ObjectMeta: metav1.ObjectMeta{Name: "default"}}, {ObjectMeta: metav1.ObjectMeta{Name: hostileName}}}}
	events := filled[corev1.EventList]()
	events.Items[1].EventTime = metav1.MicroTime{}
	s.answers["events"] = events
	s.logs["imagebuilds/web-1/log"] = []byte(strings.ReplaceAll(longHostile, loneSurrogate, "\xed\xa0\x80") + "\n")
	s.answers["builders/-/"+hostileName] = filled[v1alpha1.Builder]()

	for i, name := range append([]string{"web"}, hostileNames...) {
		s.putHostileImage(name, i)
	}
	for i, phase := range []v1alpha1.BuildPhase{v1alpha1.BuildSucceeded, v1alpha1.BuildFailed, v1alpha1.BuildRunning, v1alpha1.BuildQueued, v1alpha1.BuildCancelled} {
		s.putHostileBuild(fmt.Sprintf("web-%d", i+1), "web", phase)
	}
	for i := range 40 {
		image := hostileNames[i%len(hostileNames)]
		s.putHostileBuild(fmt.Sprintf("%s-%d", image, 100+i), image, v1alpha1.BuildPhase(hostile))
	}

	diff := filled[v1alpha1.ImageBuildDiff]()
	diff.From.Phase, diff.PackagesMessage = v1alpha1.BuildFailed, "nothing has the same digest "+longHostile
	for range 40 { // as many as have a table of their own
		diff.Packages[0].Changes = append(diff.Packages[0].Changes, filled[v1alpha1.PackageChange]())
	}
	s.answers["imagebuilds/web-2/diff"] = diff
	queue := filled[v1alpha1.QueuedBuildList]()
	for len(queue.Items) < 40 {
		queue.Items = append(queue.Items, queue.Items[0])
		queue.Items[len(queue.Items)-1].Name = fmt.Sprint(hostileName, len(queue.Items))
	}
	queue.Items[1].Status.Position = 0
	s.answers["queuedbuilds"] = queue
}

// putHostileImage adds an image in one of four states.
func (s *synthetic) putHostileImage(name string, state int) {
	GinkgoHelper()
	image := filled[v1alpha1.Image]()
	image.Name, image.Namespace = name, "default"
	base := hostileNames[state%len(hostileNames)]
	image.Spec.Base = v1alpha1.Base{ImageRef: &v1alpha1.BaseImageReference{Name: base, Channel: "constructor"}}
	status := &image.Status
	status.LatestSuccessful.Name, status.LastFinished.Name, status.LastFinished.Phase = "web-1", "web-2", v1alpha1.BuildFailed
	status.Conditions = append(status.Conditions,
		hostileCondition(v1alpha1.ImageReady, metav1.ConditionFalse), hostileCondition(v1alpha1.ImageUpToDate, metav1.ConditionFalse), hostileCondition(v1alpha1.ImageStalled, metav1.ConditionTrue))
	cells := map[string]any{
		"Name": name, "Ready": "True", "UpToDate": "False", "Reason": longHostile, "Latest": longHostile, "Digest": longHostile, "Active": 0, "Next": longHostile, "Age": longHostile,
		"Builder": longHostile, "Base": fmt.Sprintf("image %s, channel constructor", strings.ReplaceAll(base, " ", "")), "Channels": "__proto__=web-1, constructor=web-1 (revoked), " + longHostile + "=<none>", "LastFailure": longHostile,
		"Since": "2026-01-02T03:04:05Z", "Suspended": state == 2, "Vulnerabilities": longHostile,
	}
	switch state {
	case 0:
		status.LatestSuccessful.Revoked = nil
		cells["Base"] = longHostile
	case 1:
		cells["Reason"] = "Revoked"
	case 2:
		status.LatestSuccessful.Revoked = nil
		status.Conditions = append(status.Conditions, hostileCondition("InputsResolved", metav1.ConditionFalse))
		cells["LastFailure"], cells["Base"] = "", "image web"
	}
	s.put("images", &image, cells)

	history := filled[v1alpha1.ImageHistory]()
	history.Items[0].Phase, history.Items[1].Phase = v1alpha1.BuildSucceeded, v1alpha1.BuildFailed
	deleted := history.Items[1]
	deleted.Name = "web-6"
	history.Items = append(history.Items, deleted)
	for subresource, answer := range map[string]any{
		"history": history, "stats": filled[v1alpha1.ImageStats](), "plan": filled[v1alpha1.ImagePlan](), "changes": filled[v1alpha1.ImageChanges](),
		"notes": filled[v1alpha1.ImageNoteList](), "channels": filled[v1alpha1.ImageChannels](),
	} {
		s.answers["images/"+name+"/"+subresource] = answer
	}
}

func hostileCondition(kind string, status metav1.ConditionStatus) metav1.Condition {
	condition := filled[metav1.Condition]()
	condition.Type, condition.Status = kind, status
	return condition
}

func (s *synthetic) putHostileBuild(name, image string, phase v1alpha1.BuildPhase) {
	GinkgoHelper()
	build := filled[v1alpha1.ImageBuild]()
	build.Name, build.Namespace = name, "default"
	build.Labels[v1alpha1.GroupName+"/image"] = image
	build.Spec.ImageRef.Name = image
	status := &build.Status
	status.Phase = phase
	status.CompletionTime.Time = status.CompletionTime.Add(time.Minute)
	if phase != v1alpha1.BuildSucceeded {
		status.Revoked = nil
	}
	if phase != v1alpha1.BuildFailed {
		status.Failure = nil
	} else {
		status.Failure.Reason = explained
		status.Failure.LogTail = strings.Repeat(longHostile+"\n", 20)
	}
	if phase == v1alpha1.BuildQueued {
		status.StartTime, status.CompletionTime = nil, nil
		status.Conditions = append(status.Conditions, hostileCondition("Admitted", metav1.ConditionFalse))
	}
	if phase == v1alpha1.BuildCancelled {
		build.Spec.CancelRequested.SupersededBy = ""
	}
	s.put("imagebuilds", &build, map[string]any{
		"Name": name, "Image": image, "Phase": phase, "Why": longHostile, "Progress": longHostile, "Attempt": 1, "Duration": longHostile, "Age": longHostile,
		"Trigger": longHostile, "Node": longHostile, "Digest": longHostile, "OneOff": longHostile, "Started": status.StartTime, "Finished": status.CompletionTime,
	})
}

// filled returns a value whose fields all have a value. Texts are hostile.
func filled[Value any]() Value {
	var value Value
	fill(reflect.ValueOf(&value).Elem(), "", 0)
	return value
}

// fillDepth ends types that contain themselves, and those that no page shows to their end.
const fillDepth = 12

var hostileTime = time.Now().Add(-time.Hour).Truncate(time.Second)

// fill sets a value of the field name, at a depth of pointers, lists and structs.
func fill(value reflect.Value, name string, depth int) {
	if depth > fillDepth || name == "Template" { // of the pods of builds, which is large, and no page shows it
		return
	}
	switch content := value.Addr().Interface().(type) {
	case *metav1.Time:
		content.Time = hostileTime
		return
	case *metav1.MicroTime:
		content.Time = hostileTime
		return
	case *metav1.Duration:
		content.Duration = 90 * time.Second
		return
	case *v1alpha1.Duration:
		content.Duration = 90 * time.Second
		return
	case *v1alpha1.Quantity:
		content.Text = "1Gi"
		return
	case *runtime.RawExtension:
		content.Raw, _ = json.Marshal(longHostile)
		return
	case *metav1.FieldsV1:
		content.SetRawBytes(encode(map[string]string{longHostile: longHostile}))
		return
	case *metav1.TypeMeta:
		return
	}
	switch value.Kind() {
	case reflect.String:
		value.SetString(longHostile)
		if name == "Name" {
			value.SetString(hostileNames[depth%len(hostileNames)])
		}
	case reflect.Bool:
		value.SetBool(true)
	case reflect.Int, reflect.Int32, reflect.Int64:
		value.SetInt(3)
	case reflect.Float64:
		value.SetFloat(3)
	case reflect.Pointer:
		value.Set(reflect.New(value.Type().Elem()))
		fill(value.Elem(), "", depth)
	case reflect.Slice:
		value.Set(reflect.MakeSlice(value.Type(), 2, 2))
		for i := range 2 {
			fill(value.Index(i), "", depth+1+i)
		}
	case reflect.Map:
		value.Set(reflect.MakeMap(value.Type()))
		for _, name := range hostileNames {
			key, element := reflect.New(value.Type().Key()).Elem(), reflect.New(value.Type().Elem()).Elem()
			key.SetString(name)
			fill(element, "", depth+1)
			value.SetMapIndex(key, element)
		}
	case reflect.Struct:
		for i := range value.NumField() {
			if value.Type().Field(i).IsExported() {
				fill(value.Field(i), value.Type().Field(i).Name, depth+1)
			}
		}
	}
}
