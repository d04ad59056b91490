// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"net/http"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

func describeSelectors(w *fixture) {
	Describe("a selection", func() {
		DescribeTable("of images by fields:", func(ctx SpecContext, selector string, expected ...string) {
			w.createSelectable(ctx)
			Expect(names(w.list(ctx, metav1.ListOptions{FieldSelector: selector}))).To(ConsistOf(expected), selector)
		},
			selectorEntry("metadata.name=gold", "gold"),
			selectorEntry("metadata.name!=gold", "silver", "plain"),
			selectorEntry("spec.suspend=true", "gold", "silver", "plain"),
			selectorEntry("spec.suspend=false"),
			selectorEntry("spec.suspend!=false", "gold", "silver", "plain"),
			selectorEntry("spec.builder.name=other", "silver"),
			selectorEntry("spec.builder.name==mock,metadata.name!=plain", "gold"),
		)

		It("of builds is by what they are of, why, and where they stand", func(ctx SpecContext) {
			build := w.CreateBuild(ctx, newBuild("web"))
			selected := func(ctx context.Context, selector string) int {
				GinkgoHelper()
				list, err := w.Builds().List(ctx, metav1.ListOptions{FieldSelector: selector})
				Expect(err).NotTo(HaveOccurred(), selector)
				return len(list.Items)
			}
			w.Eventually(ctx, func() int { return selected(ctx, "status.finished=true") }).Should(Equal(1))
			for selector, count := range map[string]int{
				"metadata.name=web":                            1,
				"metadata.namespace=" + w.Namespace:            1,
				"spec.imageRef.name=":                          1,
				"spec.imageRef.name=web":                       0,
				"spec.imageRef.uid=":                           1,
				"spec.imageRef.uid=" + string(build.UID):       0,
				"spec.trigger.reason=Manual":                   1,
				"spec.trigger.reason!=Manual":                  0,
				"status.phase=Failed":                          1,
				"status.phase=Pending":                         0,
				"status.finished=false":                        0,
				"status.finished!=false,status.phase!=Pending": 1,
			} {
				Expect(selected(ctx, selector)).To(Equal(count), selector)
			}
		})

		DescribeTable("that makes no sense is refused:", func(ctx SpecContext, query, says string) {
			for _, kind := range []string{"images", "imagebuilds"} {
				for _, request := range []struct{ method, more string }{
					{http.MethodGet, ""}, {http.MethodGet, "&watch=true"}, {http.MethodGet, "&limit=1"}, {http.MethodDelete, ""},
				} {
					refused := w.ask(ctx, request.method, w.at(kind+"?"+query+request.more), "")
					Expect(refused.code).To(Equal(http.StatusBadRequest), "%s: %s", request, refused.body)
					Expect(refused.status().Reason).To(Equal(metav1.StatusReasonBadRequest))
					Expect(refused.status().Message).To(ContainSubstring(says))
				}
			}
		},
			Entry("an unknown field", "fieldSelector=spec.colour%3Dgold", "spec.colour"),
			Entry("a field of the other kind", "fieldSelector=spec.base.reference%3Dgold", "spec.base.reference"),
			Entry("an unknown field beside a known one", "fieldSelector=metadata.name%3Dweb,status.colour%3Dgold", "status.colour"),
		)
	})
}

// selectorEntry is described by its selector.
func selectorEntry(selector string, expected ...string) TableEntry {
	parameters := []any{selector}
	for _, name := range expected {
		parameters = append(parameters, name)
	}
	return Entry(selector, parameters...)
}

func (w *fixture) createSelectable(ctx context.Context) {
	GinkgoHelper()
	w.create(ctx, "gold")
	w.create(ctx, "silver", func(image *v1alpha1.Image) { image.Spec.Builder.Name = "other" })
	w.create(ctx, "plain")
}
