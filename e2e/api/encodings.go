// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// mediaType is that of a reply, without its parameters.
func (r reply) mediaType() string {
	GinkgoHelper()
	mediaType, _, err := mime.ParseMediaType(r.header.Get("Content-Type"))
	Expect(err).NotTo(HaveOccurred())
	return mediaType
}

func describeEncodings(w *fixture) {
	Describe("an encoding", func() {
		It("is JSON, if nothing is said", func(ctx SpecContext) {
			w.create(ctx, "web")
			for _, path := range []string{"images", "images/web", "imagebuilds", "images/none"} {
				Expect(w.get(ctx, w.at(path)).mediaType()).To(Equal("application/json"), path)
			}
		})

		It("is YAML, both ways", func(ctx SpecContext) {
			manifest, err := yaml.Marshal(withKind(image("web")))
			Expect(err).NotTo(HaveOccurred())
			created := w.ask(ctx, http.MethodPost, w.at("images"), string(manifest), "Content-Type: application/yaml", "Accept: application/yaml")
			Expect(created.code).To(Equal(http.StatusCreated), "%s", created.body)
			Expect(created.mediaType()).To(Equal("application/yaml"))
			inYAML, inJSON := v1alpha1.Image{}, v1alpha1.Image{}
			w.Eventually(ctx, func(g Gomega) { // a status may be written in between
				inYAML, inJSON = v1alpha1.Image{}, v1alpha1.Image{}
				g.Expect(yaml.UnmarshalStrict(w.get(ctx, w.at("images/web"), "Accept: application/yaml").body, &inYAML)).To(Succeed())
				w.get(ctx, w.at("images/web")).into(&inJSON)
				g.Expect(inYAML).To(Equal(inJSON))
			}).Should(Succeed())
		})

		DescribeTable("is the best that both know:", func(ctx SpecContext, accept, expected string) {
			w.create(ctx, "web")
			for _, path := range []string{w.at("images"), w.at("images/web"), w.atBuiltIn("configmaps")} {
				read := w.get(ctx, path, "Accept: "+accept)
				Expect(read.code).To(Equal(http.StatusOK), path)
				Expect(read.mediaType()).To(Equal(expected), path)
			}
		},
			Entry("anything", "*/*", "application/json"),
			Entry("the first", "application/yaml,application/json", "application/yaml"),
			Entry("the other one, by weight", "application/yaml;q=0.1,application/json;q=0.9", "application/json"),
			Entry("the one that is known", "application/xml,application/yaml;q=0.2", "application/yaml"),
			Entry("anything, at last", "application/xml,*/*;q=0.1", "application/json"),
			Entry("what a browser sends", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "application/json"),
			Entry("an unknown form of it, or the object", "application/json;as=Poem;v=v1;g=meta.k8s.io,application/json", "application/json"),
		)

		DescribeTable("that is not known is a 406, before anything is done:", func(ctx SpecContext, accept string) {
			for _, kind := range []string{w.at("images"), w.atBuiltIn("configmaps")} {
				refused := w.get(ctx, kind, "Accept: "+accept)
				Expect(refused.code).To(Equal(http.StatusNotAcceptable), "%s: %s", kind, refused.body)
				Expect(refused.status().Reason).To(Equal(metav1.StatusReasonNotAcceptable))
			}
			manifest, err := json.Marshal(withKind(image("web")))
			Expect(err).NotTo(HaveOccurred())
			refused := w.ask(ctx, http.MethodPost, w.at("images"), string(manifest), "Content-Type: application/json", "Accept: "+accept)
			Expect(refused.code).To(Equal(http.StatusNotAcceptable))
			Expect(w.get(ctx, w.at("images/web")).code).To(Equal(http.StatusNotFound))
		},
			Entry("another one", "application/xml"),
			Entry("any application", "application/*"),
			Entry("a form that there is not", "application/json;as=Poem;v=v1;g=meta.k8s.io"),
			Entry("a table of another version", "application/json;as=Table;v=v7;g=meta.k8s.io"),
		)

		It("that is not known cannot be written", func(ctx SpecContext) {
			for _, path := range []string{w.at("images"), w.atBuiltIn("configmaps")} {
				refused := w.ask(ctx, http.MethodPost, path, "<image/>", "Content-Type: application/xml")
				Expect(refused.code).To(Equal(http.StatusUnsupportedMediaType), "%s: %s", path, refused.body)
				Expect(refused.status().Reason).To(Equal(metav1.StatusReasonUnsupportedMediaType))
			}
		})

		It("of watches cannot be a list's", func(ctx SpecContext) {
			for _, path := range []string{w.at("images"), w.atBuiltIn("configmaps")} {
				refused := w.get(ctx, path+"?watch=true&timeoutSeconds=1", "Accept: application/xml")
				Expect(refused.code).To(Equal(http.StatusNotAcceptable), "%s: %s", path, refused.body)
			}
		})

		It("is easy to read for people who ask, and with curl", func(ctx SpecContext) {
			w.create(ctx, "web")
			for _, asked := range []struct{ query, agent string }{{"?pretty=true", "goldsmith"}, {"", "curl/8.9.1"}, {"", "Mozilla/5.0"}} {
				read := w.get(ctx, w.at("images/web"+asked.query), "User-Agent: "+asked.agent)
				Expect(string(read.body)).To(HavePrefix("{\n  \"kind\": \"Image\",\n"), "%v", asked)
			}
			Expect(string(w.get(ctx, w.at("images/web?pretty=false"), "User-Agent: curl/8.9.1").body)).To(HavePrefix(`{"kind":"Image",`))
		})

		It("is compressed where that is worth it, for those who can read it", func(ctx SpecContext) {
			w.create(ctx, "small")
			small := w.get(ctx, w.at("images"), "Accept-Encoding: gzip")
			Expect(small.header.Get("Content-Encoding")).To(BeEmpty())
			for i := range 4 {
				w.create(ctx, fmt.Sprint("large-", i), func(image *v1alpha1.Image) {
					image.Spec.Source = &v1alpha1.Source{Inline: &v1alpha1.InlineSource{Files: map[string]string{"notes": strings.Repeat("gold ", 10_000)}}}
				})
			}
			plain := w.get(ctx, w.at("images?resourceVersion=0"), "Accept-Encoding: identity")
			Expect(plain.header.Get("Content-Encoding")).To(BeEmpty())
			large := w.get(ctx, w.at("images"), "Accept-Encoding: gzip")
			Expect(large.header.Get("Content-Encoding")).To(Equal("gzip"))
			Expect(large.header.Values("Vary")).To(ContainElement("Accept-Encoding"))
			Expect(len(large.body)).To(BeNumerically("<", 200_000/10))
			unpacked, err := gzip.NewReader(bytes.NewReader(large.body))
			Expect(err).NotTo(HaveOccurred())
			content, err := io.ReadAll(unpacked)
			Expect(err).NotTo(HaveOccurred())
			var list v1alpha1.ImageList
			Expect(json.Unmarshal(content, &list)).To(Succeed())
			Expect(list.Items).To(HaveLen(5))
		})
	})
}

// withKind sets the kind and the API version of an object, which it needs over the wire.
func withKind(image *v1alpha1.Image) *v1alpha1.Image {
	image.APIVersion, image.Kind = v1alpha1.SchemeGroupVersion.String(), "Image"
	return image
}
