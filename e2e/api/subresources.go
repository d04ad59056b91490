// SPDX-License-Identifier: Apache-2.0

package api

import (
	"net/http"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func describeSubresources(w *fixture) {
	Describe("a subresource", func() {
		DescribeTable("answers methods as those of pods do:", func(ctx SpecContext, method, ours, builtIn string, code int) {
			w.create(ctx, "web")
			// A cluster's aggregator, this server, and a built-in resource.
			for _, path := range []string{w.resourcePath(ours), w.atBuiltIn(builtIn)} {
				Expect(w.ask(ctx, method, path, "").code).To(Equal(code), path)
			}
		},
			Entry("delete a log", http.MethodDelete, "imagebuilds/web/log", "pods/web/log", http.StatusMethodNotAllowed),
			Entry("change a log", http.MethodPut, "imagebuilds/web/log", "pods/web/log", http.StatusMethodNotAllowed),
			Entry("the log of nothing", http.MethodGet, "imagebuilds/web/log", "pods/web/log", http.StatusNotFound),
		)

		DescribeTable("that is only created cannot be read:", func(ctx SpecContext, path string) {
			w.create(ctx, "web")
			for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodPatch, http.MethodDelete} {
				refused := w.ask(ctx, method, w.resourcePath(path), "")
				Expect(refused.code).To(Equal(http.StatusMethodNotAllowed), method)
				Expect(refused.status().Reason).To(Equal(metav1.StatusReasonMethodNotAllowed))
			}
		},
			Entry(nil, "images/web/instantiate"),
			Entry(nil, "imagebuilds/web/cancel"),
		)

		It("artifacts refuses with a Status that says why", func(ctx SpecContext) {
			w.CreateBuild(ctx, newBuild("web"))
			digest := "sha256:" + strings.Repeat("0", 64)
			for path, want := range map[string]struct {
				code int
				says string
			}{
				"web/artifacts":             {http.StatusBadRequest, "needs a digest"},
				"web/artifacts/sha256:0":    {http.StatusBadRequest, "must be sha256: and 64 hex digits"},
				"web/artifacts/" + digest:   {http.StatusNotFound, "imagebuild web has no artifacts"},
				"never/artifacts/" + digest: {http.StatusNotFound, `"never" not found`},
			} {
				refused := w.get(ctx, w.resourcePath("imagebuilds/"+path))
				Expect(refused.code).To(Equal(want.code), path)
				Expect(refused.status().Message).To(ContainSubstring(want.says), path)
			}
		})

		Describe("log", func() {
			BeforeEach(func(ctx SpecContext) {
				w.CreateBuild(ctx, newBuild("web"))
			})

			It("of a build that did not start is empty, and says why", func(ctx SpecContext) {
				read := w.get(ctx, w.resourcePath("imagebuilds/web/log"))
				Expect(read.code).To(Equal(http.StatusOK))
				Expect(read.mediaType()).To(Equal("text/plain"))
				Expect(read.body).To(BeEmpty())
				Expect(read.header.Get("Warning")).To(ContainSubstring("no attempt was started"))
			})

			DescribeTable("refuses with", func(ctx SpecContext, query string, code int, reason metav1.StatusReason, says string) {
				refused := w.get(ctx, w.resourcePath("imagebuilds/web/log?"+query))
				Expect(refused.code).To(Equal(code), "%s", refused.body)
				Expect(refused.status().Reason).To(Equal(reason))
				Expect(refused.status().Message).To(ContainSubstring(says))
			},
				Entry("404 an attempt that there was not", "attempt=7", 404, metav1.StatusReasonNotFound, "has no attempt 7"),
				Entry("422 a number of lines below 0", "tailLines=-1", 422, metav1.StatusReasonInvalid, "tailLines"),
				Entry("422 no bytes", "limitBytes=0", 422, metav1.StatusReasonInvalid, "limitBytes"),
				Entry("422 a time that has no form in UTC", "sinceTime=9999-12-31T23:59:59-01:00", 422, metav1.StatusReasonInvalid, "sinceTime"),
				Entry("400 a number that is none", "tailLines=many", 400, metav1.StatusReasonBadRequest, `tailLines must be a number, not "many"`),
				Entry("400 a number that is too large", "tailLines=1&limitBytes=9223372036854775808", 400, metav1.StatusReasonBadRequest, "limitBytes must be a number"),
				Entry("400 a time that is none", "sinceTime=yesterday", 400, metav1.StatusReasonBadRequest, `sinceTime must be a time such as 2006-01-02T15:04:05Z, not "yesterday"`),
			)
		})
	})
}
