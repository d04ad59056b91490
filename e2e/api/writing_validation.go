// SPDX-License-Identifier: Apache-2.0

package api

import (
	"net/http"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/rest"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

func describeFieldValidation(w *subject) {
	const (
		unknown   = `unknown field "spec.colour"`
		duplicate = `duplicate field "spec.suspend"`
		asJSON    = "Content-Type: application/json"
		asMerge   = "Content-Type: application/merge-patch+json"
		asApply   = "Content-Type: application/apply-patch+yaml"
	)
	odd := func(method, path, kind, body string, complaints ...string) request {
		return request{method: method, path: path, body: body, headers: append([]string{kind}, complaints...)}
	}
	twice := func(more string) string {
		return strings.Replace(w.manifest(`{"name":"web"}`), `"suspend":true,`, `"suspend":true,"suspend":true,`+more, 1)
	}

	DescribeTable(nobodyKnows, checkFieldValidation(w),
		Entry("in a creation", odd(http.MethodPost, "", asJSON, twice(`"colour":"gold",`), duplicate, unknown)),
		Entry("in a JSON patch", odd(http.MethodPatch, "/web", "Content-Type: application/json-patch+json",
			`[{"op":"add","op":"add","path":"/spec/colour","value":"gold"}]`, `json patch duplicate field "[0].op"`, unknown)),
		Entry("in a merge patch", odd(http.MethodPatch, "/web", asMerge,
			`{"spec":{"suspend":true,"suspend":true,"colour":"gold"}}`, duplicate, unknown)),
	)

	It("An apply of fields that nobody knows is refused in any case, of those that are there twice as is asked for", func(ctx SpecContext) {
		for _, directive := range []string{"Strict", "Warn", "Ignore"} {
			unknown := strings.Replace(w.manifest(`{"name":"web"}`), `"suspend":true,`, `"colour":"gold",`, 1)
			refused := w.ask(ctx, http.MethodPatch, w.path("/web?fieldManager=one&fieldValidation="+directive), unknown, asApply)
			Expect(refused.code).To(Equal(http.StatusBadRequest))
			Expect(refused.status().Message).To(HaveSuffix(": spec.colour: field not declared in schema"))
		}
		path := w.path("/web?fieldManager=one&fieldValidation=")
		refused := w.ask(ctx, http.MethodPatch, path+"Strict", twice(""), asApply)
		Expect(refused.code).To(Equal(http.StatusBadRequest))
		Expect(refused.status().Message).To(ContainSubstring(`key "suspend" already set in map`))
		warned := w.ask(ctx, http.MethodPatch, path+"Warn", twice(""), asApply)
		Expect(warned.code).To(Equal(http.StatusCreated), "%s", warned.body)
		Expect(warnings(warned)).To(ConsistOf(ContainSubstring(`key "suspend" already set in map`)))
	})

	It("A request that is too large is refused before anything is done", func(ctx SpecContext) {
		w.create(ctx, "web")
		large := w.manifest(`{"name":"web","annotations":{"a":"` + strings.Repeat("x", 3<<20) + `"}}`)
		for _, r := range []request{
			{method: http.MethodPost, headers: []string{asJSON}},
			{method: http.MethodPut, path: "/web", headers: []string{asJSON}},
			{method: http.MethodPatch, path: "/web", headers: []string{asMerge}},
			{method: http.MethodPatch, path: "/web?fieldManager=one", headers: []string{asApply}},
			{method: http.MethodDelete, path: "/web", headers: []string{asJSON}},
		} {
			refused := w.ask(ctx, r.method, w.path(r.path), large, r.headers...)
			Expect(refused.code).To(Equal(http.StatusRequestEntityTooLarge), "%s %s: %s", r.method, r.path, refused.body)
			Expect(refused.status().Reason).To(Equal(metav1.StatusReasonRequestEntityTooLarge))
			Expect(refused.status().Message).To(ContainSubstring("limit is 3145728"))
		}
	})
}

const nobodyKnows = "Fields that nobody knows, and those that are there twice, are treated as is asked for:"

// checkFieldValidation sends a request with such fields in each mode. Its headers are the type of the body, and the complaints.
func checkFieldValidation(w *subject) func(SpecContext, request) {
	return func(ctx SpecContext, r request) {
		kind, complaints := r.headers[0], r.headers[1:]
		if r.path != "" {
			w.create(ctx, "web")
			w.waitUntilObserved(ctx)
		}
		try := func(directive string) reply {
			path := r.path + "?fieldManager=one&dryRun=All"
			if directive != "" {
				path += "&fieldValidation=" + directive
			}
			return w.ask(ctx, r.method, w.path(path), r.body, kind)
		}
		By("strictly: refused")
		strict := try("Strict")
		Expect(strict.code).To(BeElementOf(http.StatusBadRequest, http.StatusUnprocessableEntity), "%s", strict.body)
		for _, complaint := range complaints {
			Expect(strict.status().Message).To(ContainSubstring(complaint))
		}
		Expect(warnings(strict)).To(BeEmpty())
		for _, directive := range []string{"Warn", ""} {
			By("with a warning: done")
			warned := try(directive)
			Expect(warned.code).To(BeElementOf(http.StatusOK, http.StatusCreated), "%s", warned.body)
			Expect(warnings(warned)).To(ConsistOf(complaints))
		}
		By("ignored: done")
		ignored := try("Ignore")
		Expect(ignored.code).To(BeElementOf(http.StatusOK, http.StatusCreated), "%s", ignored.body)
		Expect(warnings(ignored)).To(BeEmpty())
		Expect(string(ignored.body)).NotTo(ContainSubstring("colour"))
	}
}

func describeImageFieldValidation(w *fixture) {
	DescribeTable(nobodyKnows, checkFieldValidation(images(w)),
		Entry("in a strategic merge patch", request{
			method: http.MethodPatch, path: "/web", body: `{"spec":{"suspend":true,"suspend":true,"colour":"gold"}}`,
			headers: []string{"Content-Type: application/strategic-merge-patch+json", `duplicate field "spec.suspend"`, `unknown field "spec.colour"`},
		}),
		Entry("in a request for a build", request{
			method: http.MethodPost, path: "/web/instantiate", body: `{"apiVersion":"images.goldsmith.dev/v1alpha1","kind":"BuildRequest","colour":"gold"}`,
			headers: []string{"Content-Type: application/json", `unknown field "colour"`},
		}),
	)
}

func describeWarnings(w *fixture) {
	It("What has no effect is warned of, and done", func(ctx SpecContext) {
		const warning = "spec.source: "
		empty := strings.Replace(imageContent, `"spec":{`, `"spec":{"source":{},`, 1)
		for _, r := range []request{
			{method: http.MethodPost, path: "images", headers: []string{"Content-Type: application/json"}, body: `{"metadata":{"name":"web"},` + empty + `}`},
			{method: http.MethodPut, path: "images/web", headers: []string{"Content-Type: application/json"}, body: `{"metadata":{"name":"web","labels":{"a":"b"}},` + empty + `}`},
			{method: http.MethodPatch, path: "images/web?dryRun=All", headers: []string{"Content-Type: application/merge-patch+json"}, body: `{"metadata":{"labels":{"a":"c"}}}`},
		} {
			done := w.ask(ctx, r.method, w.resourcePath(r.path), r.body, r.headers...)
			Expect(done.code).To(BeElementOf(http.StatusOK, http.StatusCreated), "%s", done.body)
			Expect(warnings(done)).To(ConsistOf(HavePrefix(warning)), r.method)
		}
		heard := &warnedOf{}
		listening := rest.CopyConfig(w.Config)
		listening.WarningHandler = heard
		client, err := versioned.NewForConfig(listening)
		Expect(err).NotTo(HaveOccurred())
		_, err = client.ImagesV1alpha1().Images(w.Namespace).Create(ctx, image("other", func(image *v1alpha1.Image) { image.Spec.Source = &v1alpha1.Source{} }), metav1.CreateOptions{})
		Expect(err).NotTo(HaveOccurred())
		Expect(heard.texts).To(ConsistOf(HavePrefix(warning)))

		status := w.ask(ctx, http.MethodPatch, w.resourcePath("images/web/status"), `{"status":{"activeBuilds":7}}`, "Content-Type: application/merge-patch+json")
		Expect(status.code).To(Equal(http.StatusOK))
		Expect(warnings(status)).To(BeEmpty())
	})
}

// warnedOf returns the warnings that a client got.
type warnedOf struct{ texts []string }

// HandleWarningHeader hears a warning.
func (w *warnedOf) HandleWarningHeader(_ int, _, text string) { w.texts = append(w.texts, text) }

// warnings are the server's warnings.
func warnings(r reply) []string {
	GinkgoHelper()
	parsed, errs := utilnet.ParseWarningHeaders(r.header["Warning"])
	Expect(errs).To(BeEmpty())
	var texts []string
	for _, warning := range parsed {
		Expect(warning.Code).To(Equal(299))
		texts = append(texts, warning.Text)
	}
	return texts
}
