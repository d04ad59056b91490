// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package browser_test

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/chromedp/chromedp"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/up"
	"goldsmith.dev/goldsmith/e2e/deadline"
)

// fridges is a kind whose fields have names of JavaScript's own, and texts that YAML reads as something else.
const fridges = `
metadata: {name: fridges}
spec:
  names: {kind: Fridge}
  template:
    builder: {name: mock}
    parameters: [{name: duration, value: 10ms}]
    targets: [{platform: linux/amd64, format: raw}]
  versions:
  - name: v1
    schema:
      type: object
      required: [base, constructor]
      properties:
        base: {type: string, pattern: "^debian:", description: "<b>Base</b> of the fridge."}
        constructor: {type: string}
        shelves: {type: integer, minimum: 1}
        contents: {type: array, maxItems: 8, x-kubernetes-list-type: atomic, items: {type: string, maxLength: 20}}
    bindings:
    - {field: spec.base, to: spec.base.reference}
    - {field: spec.constructor, to: "spec.parameters[constructor]"}
    - {field: spec.shelves, to: "spec.parameters[shelves]"}
    - {field: spec.contents, to: "spec.parameters[contents]", json: true}
`

var _ = Describe("The form of the console", Label("browser", "console"), func() {
	It("creates an image from its schema: an error beside its field, the plan, and the build", func(ctx SpecContext) {
		server := serve(ctx, up.Options{Memory: true})
		page := openPage(ctx, server.link)
		page.shows("main", "goldsmith init web")
		page.click(".actions a", "New image")
		page.shows(".causes", "Builder")
		page.lacks(".field .refusal", "") // that a field is empty is no error beside it yet
		page.lacks("main .over a", "Catalog")
		page.choose(field("spec.builder.name"), "mock")
		page.fill(field("metadata.name"), "web")
		page.fill(field("spec.base.reference"), "de bian")
		page.leave(field("spec.base.reference"))
		page.shows(".field.wrong .refusal", "must not contain spaces")
		page.fill(field("spec.base.reference"), "debian:13")
		page.shows(".badge.ok", "The server accepts it")
		page.shows(".beside", "web-1 would start at once")

		By("adding a parameter with a name of JavaScript's own, and one that the builder describes")
		for name, value := range map[string]string{"__proto__": "yes", "duration": "10ms"} {
			label := strings.Replace(name, "duration", "Duration", 1)
			page.fill(field("spec.parameters")+" ~ * .adder input", name)
			page.shows(".causes", name+" is not added yet")
			page.click(".adder button", "Add parameter")
			page.lacks(".causes", "is not added yet")
			page.shows(".entry-field label", label)
			for _, value := range []string{"", value} {
				page.run("const input = [...document.querySelectorAll('.entry-field')].find(entry => entry.innerText.includes(given[0])).querySelector('textarea, input'); input.value = given[1]; input.dispatchEvent(new Event('input', {bubbles: true}))", label, value)
				if value == "" && name == "duration" {
					page.shows(".causes", "builder mock: parameter duration must be a duration")
					page.shows(".submit .unready", "Create")
				}
			}
		}
		page.shows("pre", `value: "yes"`)
		page.shows(".badge.ok", "The server accepts it")
		shown := page.document()
		page.click(".beside button", "Create")
		page.shows("h1", "web")
		page.shows("tbody tr", "web-1")
		created, err := imagesOf(server).Get(ctx, "web", metav1.GetOptions{})
		Expect(err).NotTo(HaveOccurred())
		Expect(created.Spec.Parameters).To(ConsistOf(v1alpha1.Parameter{Name: "__proto__", Value: "yes"}, v1alpha1.Parameter{Name: "duration", Value: "10ms"}))
		document := &v1alpha1.Image{}
		Expect(yaml.UnmarshalStrict([]byte(shown), document)).To(Succeed(), shown)
		Expect(document.Spec.BuildInputs).To(Equal(created.Spec.BuildInputs))

		By("editing it, while somebody else edits it")
		Expect(imagesOf(server).Patch(ctx, "web", types.MergePatchType, []byte(`{"metadata":{"labels":{"team":"web"},"finalizers":["example.com/kept"]}}`), metav1.PatchOptions{})).Error().NotTo(HaveOccurred())
		page.shows(".actions button", "Build") // not while the first build runs
		page.click(".actions a", "Edit")
		page.shows("h1", "Edit web")
		page.fill(field("spec.base.reference"), "debian:12")
		page.click("summary", "Channels")
		page.click("button", "Add channel")
		page.fill(field("spec.channels%5B0%5D.name"), "mine")
		page.shows(".beside", "web-2 would start at once")
		Expect(page.axe()).To(BeEmpty())
		Expect(imagesOf(server).Patch(ctx, "web", types.MergePatchType, []byte(`{"spec":{"suspend":true,"channels":[{"name":"theirs"}]}}`), metav1.PatchOptions{})).Error().NotTo(HaveOccurred())
		setParameter(ctx, imagesOf(server), "steps", "2")
		page.click(".submit button", "Save")
		page.shows("[role=alert]", "Somebody changed web while this form was open: spec.parameters[steps], spec.suspend, spec.channels.")
		page.shows("pre", "reference: debian:12")
		page.click("[role=alert] button", "Add their changes")
		page.shows("pre", "suspend: true")
		page.shows(".badge.ok", "The server accepts it")
		page.click(".submit button", "Save")
		page.shows("h1", "web")
		page.shows(".lead", "Inputs changed since web-1")
		page.shows(".lead button", "Build now")
		edited, err := imagesOf(server).Get(ctx, "web", metav1.GetOptions{})
		Expect(err).NotTo(HaveOccurred())
		Expect(edited.Labels).To(HaveKeyWithValue("team", "web"))
		Expect(edited.Finalizers).To(ConsistOf("example.com/kept"))
		Expect(edited.Spec.Base.Reference).To(Equal("debian:12"))
		Expect(edited.Spec.Suspend).To(HaveValue(BeTrue()))
		Expect(edited.Spec.Channels).To(ConsistOf(HaveField("Name", "mine"), HaveField("Name", "theirs")))
		Expect(edited.Spec.Parameters).To(ConsistOf(append(created.Spec.Parameters, v1alpha1.Parameter{Name: "steps", Value: "2"})))

		By("beginning another like it, and deleting it")
		page.click(".actions a", "New like this")
		page.shows("pre", "reference: debian:12")
		page.lacks("pre", "team: web")
		page.open("/ui/ns/default/images/web")
		page.click(".actions button", "Delete")
		page.shows("dialog .command", "goldsmith kubectl delete image web")
		page.lacks("dialog footer button:enabled", "Delete")
		page.fill("dialog input", "web")
		page.click("dialog footer button", "Delete")
		page.shows("h1", "Images")
		Eventually(func() (*metav1.Time, error) {
			image, err := imagesOf(server).Get(ctx, "web", metav1.GetOptions{})
			return image.GetDeletionTimestamp(), err
		}).WithTimeout(deadline.Local.Deadline()).ShouldNot(BeNil())

		By("choosing a builder of few formats")
		page.open("/ui/ns/default/new?builder=debian")
		page.await("return [...document.querySelector(given[0])?.options ?? []].map(({text}) => text).join() === given[1]", field("spec.targets%5B0%5D.format"), "choose,raw,qcow2,oci")
		Expect(page.run("return [...document.querySelector(given[0]).options].some(({text}) => text.startsWith('tester'))", field("spec.builder.name"))).To(BeFalse(), "a builder that makes no image")
		page.shows("details[open] summary", "Parameters")
		page.shows("details:not([open]) summary", "Suspend")

		By("losing the session")
		page.open("/ui/ns/default/new?builder=mock")
		page.fill(field("metadata.name"), "kept")
		page.run("fetch('/ui/logout', {method: 'POST', headers: {'Content-Type': 'application/json', Authorization: `Bearer ${JSON.parse(localStorage.getItem('goldsmith.session')).token}`}, body: '{}'})")
		page.shows("main.signed-out pre", "name: kept")
		Expect(page.axe()).To(BeEmpty())
		Expect(page.run("return !JSON.stringify([{...localStorage}, {...sessionStorage}]).includes('kept')")).To(BeTrue(), "what was typed is in a storage")
		page.shows("main.signed-out", "Open it in another window, and copy what you typed from here.")
	}, NodeTimeout(3*deadline.Local.Deadline()))

	It("refuses a name that another image has", func(ctx SpecContext) {
		server := serve(ctx, up.Options{Memory: true})
		Expect(imagesOf(server).Create(ctx, mockImage("web", nil), metav1.CreateOptions{})).Error().NotTo(HaveOccurred())
		page := openPage(ctx, server.link)
		page.shows("tbody tr", "web")
		page.open("/ui/ns/default/new?builder=mock")
		page.fill(field("metadata.name"), "web")
		page.fill(field("spec.base.reference"), "debian:13")
		page.click(".beside button", "Create")
		page.shows(".field.wrong .refusal", "already exists")
		page.open("/ui/ns/-/new?builder=mock")
		page.shows("main", "Choose a namespace")
		page.expectNothingWrong(HaveEach(Or(ContainSubstring("409"), ContainSubstring("422"))))
	}, NodeTimeout(3*deadline.Local.Deadline()))

	It("keeps what was typed when the kind changes, and when it is not offered any more", func(ctx SpecContext) {
		server := serve(ctx, up.Options{Memory: true})
		clients, err := versioned.NewForConfig(server.Config)
		Expect(err).NotTo(HaveOccurred())
		kinds, kind := clients.ImagesV1alpha1().ImageKinds(), &v1alpha1.ImageKind{}
		Expect(yaml.UnmarshalStrict([]byte(fridges), kind)).To(Succeed())
		Expect(kinds.Create(ctx, kind, metav1.CreateOptions{})).Error().NotTo(HaveOccurred())
		page := openPage(ctx, server.link)
		page.open("/ui/ns/default/catalog")
		page.shows("section h2", "Fridge")
		page.shows("section:has(a[href$='builder=mock']) h2", "mock")
		page.lacks("section:has(a[href$='builder=tester']) h2", "tester")
		Expect(page.axe()).To(BeEmpty())
		page.click("section:has(a[href$='kind=fridges']) a", "New")
		page.shows(".hint", "<b>Base</b> of the fridge.")
		page.fill(field("metadata.name"), "cold")
		page.fill(field("spec.base"), "debian:13")
		page.fill(field("spec.constructor"), "- x: 👩‍🍳\n")
		page.fill(field("spec.shelves"), "0")
		page.leave(field("spec.shelves"))
		page.shows(".field.wrong .refusal", "greater than or equal to 1")
		Expect(page.axe()).To(BeEmpty())
		page.fill(field("spec.shelves"), "2")
		page.fill(field("spec.contents"), "no\n1e3\n\na: b\n")
		page.shows(".badge.ok", "The server accepts it")

		By("changing the kind")
		setSchema(ctx, server, func(schema string) string {
			return strings.Replace(schema, `"shelves":{"minimum":1,"type":"integer"}`, `"zone":{"type":"string","enum":["a","b"]}`, 1)
		}, "shelves", "zone")
		page.click(".beside button", "Create")
		page.shows("[role=alert]", "Fridge has changed while this form was open (added: zone; removed: shelves)")
		page.shows("pre", "shelves: 2")
		page.shows(".causes", "Shelves")
		page.click("button", "Remove shelves, which is no field")
		page.choose(field("spec.zone"), "b")
		page.shows(".badge.ok", "The server accepts it")
		page.click(".beside button", "Create")
		page.shows("h1", "cold")
		created, err := imagesOf(server).Get(ctx, "cold", metav1.GetOptions{})
		Expect(err).NotTo(HaveOccurred())
		Expect(created.Spec.Parameters).To(ContainElements(v1alpha1.Parameter{Name: "constructor", Value: "- x: 👩‍🍳\n"},
			v1alpha1.Parameter{Name: "contents", Value: `["no","1e3","a: b"]`}, v1alpha1.Parameter{Name: "zone", Value: "b"}))

		By("deleting the kind")
		page.open("/ui/ns/default/new?kind=fridges")
		page.fill(field("spec.base"), "debian:13")
		Expect(imagesOf(server).Delete(ctx, "cold", metav1.DeleteOptions{})).To(Succeed())
		Expect(kinds.Delete(ctx, "fridges", metav1.DeleteOptions{})).To(Succeed())
		Eventually(func() error {
			_, err := kinds.Get(ctx, "fridges", metav1.GetOptions{})
			return err
		}).WithTimeout(deadline.Local.Deadline()).Should(Satisfy(apierrors.IsNotFound))
		page.shows("[role=alert]", "The server offers no kind Fridge any more. What you typed is kept")
		page.shows("pre", "base: debian:13")
		page.lacks(".beside button:not([aria-disabled])", "Create")
		// 403: a kind that is being deleted takes no new object.
		page.expectNothingWrong(HaveEach(MatchRegexp("status of (400|403|404|422)")))
	}, NodeTimeout(3*deadline.Local.Deadline()))

	It("writes YAML that kubectl reads as the form has it", func(ctx SpecContext) {
		server := serve(ctx, up.Options{Memory: true})
		page := openPage(ctx, server.link)
		page.shows("h1", "Images")
		var list []any
		names := map[string]any{}
		for _, text := range []string{"yes", "No", "y", "~", "null", "1e3", "0x1f", "012", "1:30", "2001-01-01", "=", "<<", "- x", "-", "? x", "a: b", "a:", "a #b", "#a", "*a", "&a", "!a", "%a", "@a", "`a", "|", ">",
			"{a}", "[a]", "a, b", "'", `"`, `\`, "...", "--- a", "", " a", "a ", "a\nb", "a\nb\n", "a\nb\n\n", "\na", " a\nb", "a\n  b", "a\n \nb", "a\r\nb", "a\tb", "END", "a\nEND\n", "\x00", "\x7f", "\u0085", "\u2028", "\u202e", "👩‍🍳", "\U000e0001",
			"__proto__", "debian:13", "https://example.com/a?b=c&d", "10Gi", "0.5", strings.Repeat("a", 200)} {
			list = append(list, text, []any{text, []any{}}, map[string]any{"text": text, "more": []any{[]any{text}}})
			names[text] = text
		}
		want := map[string]any{"list": list, "names": names, "numbers": []any{1.0, -1.5, true, nil}, "nothing": map[string]any{}}
		given, err := json.Marshal(want)
		Expect(err).NotTo(HaveOccurred())
		text, err := chromedp.Run(page.browser, chromedp.Evaluate[string]("import('/ui/yaml.js').then(({yaml}) => yaml(JSON.parse("+quoted(string(given))+")))", chromedp.EvalAwaitPromise))
		Expect(err).NotTo(HaveOccurred())
		got := map[string]any{}
		Expect(yaml.UnmarshalStrict([]byte(text), &got)).To(Succeed(), text)
		Expect(got).To(Equal(want))
	}, NodeTimeout(2*deadline.Local.Deadline()))
})

// setSchema changes the schema of the kind fridges, with the binding of a field that another field replaces.
func setSchema(ctx context.Context, server *served, change func(schema string) string, before, after string) {
	GinkgoHelper()
	clients, err := versioned.NewForConfig(server.Config)
	Expect(err).NotTo(HaveOccurred())
	kinds := clients.ImagesV1alpha1().ImageKinds()
	kind, err := kinds.Get(ctx, "fridges", metav1.GetOptions{})
	Expect(err).NotTo(HaveOccurred())
	text, err := json.Marshal(kind.Spec.Versions)
	Expect(err).NotTo(HaveOccurred())
	changed := strings.ReplaceAll(change(string(text)), `spec.`+before, `spec.`+after)
	changed = strings.ReplaceAll(changed, `[`+before+`]`, `[`+after+`]`)
	Expect(changed).NotTo(ContainSubstring(before))
	Expect(kinds.Patch(ctx, "fridges", types.MergePatchType, []byte(`{"spec":{"versions":`+changed+`}}`), metav1.PatchOptions{})).Error().NotTo(HaveOccurred())
}

// field selects the control of a field of the form.
func field(path string) string {
	return `[id="field-` + path + `"]`
}

func quoted(text string) string {
	result, _ := json.Marshal(text)
	return string(result)
}

// choose chooses the option of a select whose text begins with a text.
func (p *consolePage) choose(selector, text string) {
	GinkgoHelper()
	p.await("const [selector, text] = given; const select = document.querySelector(selector); const option = [...select?.options ?? []].find(option => option.text.startsWith(text)); if (!option) return false; "+
		"select.value = option.value; select.dispatchEvent(new Event('change', {bubbles: true})); return true", selector, text)
}

// leave does what the browser does when the focus leaves a changed field.
func (p *consolePage) leave(selector string) {
	GinkgoHelper()
	p.await("document.querySelector(given[0]).dispatchEvent(new Event('change', {bubbles: true})); return true", selector, "")
}

// document returns the YAML of the form.
func (p *consolePage) document() string {
	GinkgoHelper()
	text, err := chromedp.Run(p.browser, chromedp.Evaluate[string]("document.querySelector('.beside pre').textContent"))
	Expect(err).NotTo(HaveOccurred())
	_, document, found := strings.Cut(text, "<<'END'\n")
	Expect(found).To(BeTrue(), text)
	return strings.TrimSuffix(document, "END")
}
