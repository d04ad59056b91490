// SPDX-License-Identifier: Apache-2.0

package api

import (
	"mime"
	"net/http"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// mediaType is that of a reply, without its parameters.
func (r reply) mediaType() string {
	GinkgoHelper()
	mediaType, _, err := mime.ParseMediaType(r.header.Get("Content-Type"))
	Expect(err).NotTo(HaveOccurred())
	return mediaType
}

func describeEncodings(w *subject) {
	Describe("an encoding", func() {
		It("is YAML, both ways", func(ctx SpecContext) {
			manifest, err := yaml.JSONToYAML([]byte(w.manifest(`{"name":"web"}`)))
			Expect(err).NotTo(HaveOccurred())
			created := w.ask(ctx, http.MethodPost, w.path(""), string(manifest), "Content-Type: application/yaml", "Accept: application/yaml")
			Expect(created.code).To(Equal(http.StatusCreated), "%s", created.body)
			Expect(created.mediaType()).To(Equal("application/yaml"))
			var inYAML, inJSON map[string]any
			w.Eventually(ctx, func(g Gomega) { // a status may be written in between
				inYAML, inJSON = nil, nil
				g.Expect(yaml.Unmarshal(w.get(ctx, w.path("/web"), "Accept: application/yaml").body, &inYAML)).To(Succeed())
				w.get(ctx, w.path("/web")).into(&inJSON)
				g.Expect(inYAML).To(Equal(inJSON))
			}).Should(Succeed())
		})

		DescribeTable("that is not known is a 406, before anything is done:", func(ctx SpecContext, accept string) {
			for _, kind := range []string{w.path(""), w.atBuiltIn("configmaps")} {
				refused := w.get(ctx, kind, "Accept: "+accept)
				Expect(refused.code).To(Equal(http.StatusNotAcceptable), "%s: %s", kind, refused.body)
				Expect(refused.status().Reason).To(Equal(metav1.StatusReasonNotAcceptable))
			}
			refused := w.ask(ctx, http.MethodPost, w.path(""), w.manifest(`{"name":"web"}`), "Content-Type: application/json", "Accept: "+accept)
			Expect(refused.code).To(Equal(http.StatusNotAcceptable))
			Expect(w.get(ctx, w.path("/web")).code).To(Equal(http.StatusNotFound))
		},
			Entry("another one", "application/xml"),
			Entry("a table of another version", "application/json;as=Table;v=v7;g=meta.k8s.io"),
		)
	})
}
