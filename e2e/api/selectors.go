// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

func describeSelectors(w *fixture) {
	Describe("a selection", func() {
		DescribeTable("of images by labels:", func(ctx SpecContext, selector string, expected ...string) {
			w.createLabelled(ctx)
			Expect(names(w.list(ctx, metav1.ListOptions{LabelSelector: selector}))).To(ConsistOf(expected), selector)
		},
			labelEntry("colour=gold", "gold"),
			labelEntry("colour==gold", "gold"),
			labelEntry("colour!=gold", "silver", "plain"),
			labelEntry("colour in (gold,silver)", "gold", "silver"),
			labelEntry("colour notin (gold)", "silver", "plain"),
			labelEntry("colour", "gold", "silver"),
			labelEntry("!colour", "plain"),
			labelEntry("weight>5", "gold"),
			labelEntry("weight<5", "silver"),
			labelEntry("colour,weight!=9", "silver"),
			labelEntry("colour=gold,colour=silver"),
		)

		DescribeTable("of images by fields:", func(ctx SpecContext, selector string, expected ...string) {
			w.createLabelled(ctx)
			selector = strings.ReplaceAll(selector, "{namespace}", w.Namespace)
			Expect(names(w.list(ctx, metav1.ListOptions{FieldSelector: selector}))).To(ConsistOf(expected), selector)
		},
			labelEntry("metadata.name=gold", "gold"),
			labelEntry("metadata.name!=gold", "silver", "plain"),
			labelEntry("metadata.namespace={namespace}", "gold", "silver", "plain"),
			labelEntry("metadata.namespace!={namespace}"),
			labelEntry("spec.suspend=true", "gold", "silver", "plain"),
			labelEntry("spec.suspend=false"),
			labelEntry("spec.suspend!=false", "gold", "silver", "plain"),
			labelEntry("spec.builder.name=other", "silver"),
			labelEntry("spec.builder.name==mock,metadata.name!=plain", "gold"),
		)

		It("is both, of labels and of fields, across namespaces", func(ctx SpecContext) {
			w.createLabelled(ctx)
			all, err := w.Goldsmith.ImagesV1alpha1().Images(metav1.NamespaceAll).List(ctx, metav1.ListOptions{
				LabelSelector: "colour", FieldSelector: "spec.builder.name=mock,metadata.namespace=" + w.Namespace,
			})
			Expect(err).NotTo(HaveOccurred())
			Expect(names(all)).To(ConsistOf("gold"))
		})

		It("of builds is by what they are of, why, and where they stand", func(ctx SpecContext) {
			// Its builder is not registered: it fails at once.
			build, err := w.Builds().Create(ctx, &v1alpha1.ImageBuild{
				ObjectMeta: metav1.ObjectMeta{Name: "web"},
				Spec:       v1alpha1.ImageBuildSpec{Inputs: unregistered()},
			}, metav1.CreateOptions{})
			Expect(err).NotTo(HaveOccurred())
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
			Entry("no field selector", "fieldSelector=metadata.name", "metadata.name"),
			Entry("no label selector", "labelSelector="+url.QueryEscape("colour in gold"), "found 'gold' expected"),
			Entry("an unclosed set", "labelSelector="+url.QueryEscape("colour in (gold"), "expected: ',' or ')'"),
			Entry("a key that is none", "labelSelector="+url.QueryEscape("-colour=gold"), "-colour"),
			Entry("a value that is none", "labelSelector="+url.QueryEscape("colour=-gold"), "-gold"),
			Entry("a comparison with no number", "labelSelector="+url.QueryEscape("colour>gold"), "gold"),
		)

		DescribeTable("can be deleted:", func(ctx SpecContext, options metav1.ListOptions, remain ...string) {
			w.createLabelled(ctx)
			Expect(w.Images().DeleteCollection(ctx, metav1.DeleteOptions{}, options)).To(Succeed())
			w.Eventually(ctx, func() []string { return names(w.list(ctx, metav1.ListOptions{})) }).Should(ConsistOf(remain))
		},
			Entry("by labels", metav1.ListOptions{LabelSelector: "colour in (gold,silver)"}, "plain"),
			Entry("by fields", metav1.ListOptions{FieldSelector: "spec.builder.name=mock"}, "silver"),
			Entry("by both", metav1.ListOptions{LabelSelector: "colour", FieldSelector: "spec.builder.name=mock"}, "silver", "plain"),
			Entry("by name", metav1.ListOptions{FieldSelector: "metadata.name=gold"}, "silver", "plain"),
			Entry("when nothing is in it", metav1.ListOptions{LabelSelector: "colour=rust"}, "gold", "silver", "plain"),
			Entry("everything", metav1.ListOptions{}),
		)

		It("that is deleted is not more than it, and is told of to who watches it", func(ctx SpecContext) {
			w.createLabelled(ctx)
			version := w.list(ctx, metav1.ListOptions{}).ResourceVersion
			gone := w.follow(ctx, metav1.ListOptions{ResourceVersion: version, LabelSelector: "colour=gold"})
			all := w.follow(ctx, metav1.ListOptions{ResourceVersion: version})
			all.steps = map[string]string{"gold": "", "silver": "", "plain": ""}
			Expect(w.Images().DeleteCollection(ctx, metav1.DeleteOptions{PropagationPolicy: new(metav1.DeletePropagationBackground)},
				metav1.ListOptions{LabelSelector: "colour=gold"})).To(Succeed())
			gone.steps["gold"] = ""
			gone.expects(ctx, "DELETED gold")
			all.expects(ctx, "DELETED gold")
		})
	})
}

// labelEntry is described by its selector.
func labelEntry(selector string, expected ...string) TableEntry {
	parameters := []any{selector}
	for _, name := range expected {
		parameters = append(parameters, name)
	}
	return Entry(selector, parameters...)
}

func (w *fixture) createLabelled(ctx context.Context) {
	GinkgoHelper()
	w.create(ctx, "gold", labelled("colour", "gold"), labelled("weight", "9"))
	w.create(ctx, "silver", labelled("colour", "silver"), labelled("weight", "4"), func(image *v1alpha1.Image) { image.Spec.Builder.Name = "other" })
	w.create(ctx, "plain")
}

// unregistered are inputs whose builder is not there.
func unregistered() v1alpha1.BuildInputs {
	inputs := image("web").Spec.BuildInputs
	inputs.Builder.Name = "unregistered"
	return inputs
}
