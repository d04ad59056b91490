// SPDX-License-Identifier: Apache-2.0

package api

import (
	"net/http"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func describeWatchEnds(w *fixture) {
	Describe("the end of a watch", func() {
		It("comes after the seconds that were asked for, cleanly", func(ctx SpecContext) {
			version := w.list(ctx, metav1.ListOptions{}).ResourceVersion
			said := w.get(ctx, w.at("images?watch=true&timeoutSeconds=1&resourceVersion="+version)) // reads to the end
			Expect(said.code).To(Equal(http.StatusOK))
			Expect(said.body).To(BeEmpty())
		})

		It("is announced by a bookmark, to those that want bookmarks", func(ctx SpecContext) {
			created := w.create(ctx, "web", labelled(step, "1"))
			watch := w.follow(ctx, metav1.ListOptions{TimeoutSeconds: new(int64(4)), AllowWatchBookmarks: true})
			watch.bookmarks = true
			watch.expects(ctx, "ADDED web 1", "BOOKMARK")
			Expect(watch.version).To(newer(created.ResourceVersion))
			for event := watch.next(ctx); event != ""; event = watch.next(ctx) {
				Expect(event).To(Equal("BOOKMARK"))
			}
		})

		It("is not announced to others", func(ctx SpecContext) {
			w.create(ctx, "web", labelled(step, "1"))
			watch := w.follow(ctx, metav1.ListOptions{TimeoutSeconds: new(int64(3))})
			watch.bookmarks = true
			watch.expects(ctx, "ADDED web 1", "")
		})

		It("is where the next one begins", func(ctx SpecContext) {
			w.create(ctx, "web", labelled(step, "1"))
			first := w.follow(ctx, metav1.ListOptions{TimeoutSeconds: new(int64(1))})
			first.expects(ctx, "ADDED web 1", "")
			w.ChangeImage(ctx, "web", labelled(step, "2"))
			second := w.follow(ctx, metav1.ListOptions{ResourceVersion: first.version})
			second.steps["web"] = "1"
			second.expects(ctx, "MODIFIED web 2")
		})
	})
}
