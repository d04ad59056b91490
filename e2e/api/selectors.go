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

func describeSelectors(w *subject) {
	Describe("a selection", func() {
		DescribeTable("by names, labels and fields:", func(ctx SpecContext, labels, fields string, expected ...string) {
			w.create(ctx, "gold", labelled("colour", "gold"))
			w.create(ctx, "silver", labelled("colour", "silver"), set(w.edited, w.other))
			w.create(ctx, "plain")
			Expect(names(w.list(ctx, metav1.ListOptions{LabelSelector: labels, FieldSelector: fields}))).To(ConsistOf(expected))
		},
			Entry("a name", "", "metadata.name=gold", "gold"),
			Entry("other names", "", "metadata.name!=gold", "silver", "plain"),
			Entry("a label", "colour in (gold,bronze)", "", "gold"),
			Entry("no such label", "colour notin (gold,bronze)", "", "silver", "plain"),
			Entry("a label and a name", "colour", "metadata.name!=gold", "silver"),
			Entry("nothing of both", "colour=silver", "metadata.name=gold"),
		)

		DescribeTable("that makes no sense is refused:", func(ctx SpecContext, query, says string) {
			w.refuses(ctx, w.path("?"+query), says)
		},
			Entry("an unknown field", "fieldSelector=spec.colour%3Dgold", "spec.colour"),
			Entry("a field that is not selected by", "fieldSelector=spec.retry.limit%3D2", "spec.retry.limit"),
			Entry("an unknown field beside a known one", "fieldSelector=metadata.name%3Dweb,status.colour%3Dgold", "status.colour"),
			Entry("a bad label", "labelSelector=a+in+b", "unable to parse requirement"),
		)
	})
}

func describeImageSelectors(w *fixture) {
	Describe("a selection", func() {
		DescribeTable("of images by fields:", func(ctx SpecContext, selector string, expected ...string) {
			w.createSelectable(ctx)
			Expect(names(images(w).list(ctx, metav1.ListOptions{FieldSelector: selector}))).To(ConsistOf(expected), selector)
		},
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

		It("of builds by a field that they lack is refused", func(ctx SpecContext) {
			w.refuses(ctx, w.resourcePath("imagebuilds?fieldSelector=spec.base.reference%3Dgold"), "spec.base.reference")
		})
	})
}

// refuses expects that each verb with selectors refuses the query in a path.
func (w *fixture) refuses(ctx context.Context, path, says string) {
	GinkgoHelper()
	for _, request := range []struct{ method, more string }{
		{http.MethodGet, ""}, {http.MethodGet, "&watch=true"}, {http.MethodGet, "&limit=1"}, {http.MethodDelete, ""},
	} {
		refused := w.ask(ctx, request.method, path+request.more, "")
		Expect(refused.code).To(Equal(http.StatusBadRequest), "%s: %s", request, refused.body)
		Expect(refused.status().Reason).To(Equal(metav1.StatusReasonBadRequest))
		Expect(refused.status().Message).To(ContainSubstring(says))
	}
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
