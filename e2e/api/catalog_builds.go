// SPDX-License-Identifier: Apache-2.0

package api

import (
	"encoding/json"
	"net/http"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// describeCatalogBuilds describes the subresources of the kinds of the catalog. The subject is one of them.
func describeCatalogBuilds(w *subject) {
	const request = `{"apiVersion":"images.goldsmith.dev/v1alpha1","kind":"BuildRequest"`

	Describe("the subresources of a kind of the catalog", func() {
		BeforeEach(func(ctx SpecContext) { w.create(ctx, "web") })

		It("build starts a build, whose inputs it does not show", func(ctx SpecContext) {
			var build v1alpha1.ImageBuild
			started := w.ask(ctx, http.MethodPost, w.path("/web/build?dryRun=All"), request+`,"message":"by hand"}`)
			Expect(started.code).To(Equal(http.StatusCreated), "%s", started.body)
			Expect(json.Unmarshal(started.body, &build)).To(Succeed())
			Expect(build.Name).To(Equal("web-1"))
			Expect(build.Spec.Inputs.Builder.Name).To(BeEmpty(), "the kind sets it")

			refused := w.ask(ctx, http.MethodPost, w.path("/web/build"), request+`,"parameters":[{"name":"disk","value":"1Ti"}]}`)
			Expect(refused.code).To(Equal(http.StatusUnprocessableEntity))
			Expect(refused.status().Details.Causes).To(ContainElement(HaveField("Field", "parameters")))
		})

		DescribeTable("refuse with", func(ctx SpecContext, method, subresource string, code int, says string) {
			refused := w.ask(ctx, method, w.path("/web/"+subresource), "")
			Expect(refused.code).To(Equal(code), "%s", refused.body)
			Expect(refused.status().Message).To(ContainSubstring(says))
		},
			Entry("404 the log of no build", http.MethodGet, "log", http.StatusNotFound, `appliance "web" has no build yet`),
			Entry("404 the log of a build that there was not", http.MethodGet, "log?build=7", http.StatusNotFound, `appliance "web" has no build 7`),
			Entry("422 no lines", http.MethodGet, "log?tailLines=-1", http.StatusUnprocessableEntity, "tailLines"),
			Entry("400 a number that is none", http.MethodGet, "log?build=last", http.StatusBadRequest, `build must be a number, not "last"`),
			Entry("405 a change of a log", http.MethodPut, "log", http.StatusMethodNotAllowed, ""),
			Entry("404 no build", http.MethodGet, "build", http.StatusNotFound, `appliance "web" has no build yet`),
			Entry("404 a build that there was not", http.MethodGet, "build?build=7", http.StatusNotFound, `appliance "web" has no build 7`),
			Entry("422 a build of no number", http.MethodGet, "build?build=0", http.StatusUnprocessableEntity, "build: Invalid value: 0: must be 1 or more"),
			Entry("405 a change of a build", http.MethodPut, "build", http.StatusMethodNotAllowed, ""),
			Entry("405 a change of a status", http.MethodPut, "status", http.StatusMethodNotAllowed, ""),
			Entry("404 a subresource that there is not", http.MethodGet, "rerun", http.StatusNotFound, ""),
		)
	})
}
