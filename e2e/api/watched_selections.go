// SPDX-License-Identifier: Apache-2.0

package api

import (
	. "github.com/onsi/ginkgo/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

func describeWatchedSelections(w *fixture) {
	named := func(builder string) func(*v1alpha1.Image) {
		return func(image *v1alpha1.Image) { image.Spec.Builder.Name = builder }
	}

	DescribeTable("an object that enters or leaves what is watched is added or deleted there",
		func(ctx SpecContext, options metav1.ListOptions, enter, leave func(*v1alpha1.Image)) {
			outside := w.create(ctx, "web", leave, labelled(step, "1"))
			w.create(ctx, "other", leave, labelled(step, "1"))
			w.create(ctx, "inside", enter, labelled(step, "1"))
			options.ResourceVersion = outside.ResourceVersion
			watch := w.follow(ctx, options)
			watch.expects(ctx, "ADDED inside 1")
			w.ChangeImage(ctx, "other", labelled(step, "2"))
			w.ChangeImage(ctx, "web", func(image *v1alpha1.Image) { enter(image); labelled(step, "2")(image) })
			watch.expects(ctx, "ADDED web 2")
			w.ChangeImage(ctx, "web", labelled(step, "3"))
			watch.expects(ctx, "MODIFIED web 3")
			// It is shown as it was when it was last seen there.
			w.ChangeImage(ctx, "web", func(image *v1alpha1.Image) { leave(image); labelled(step, "4")(image) })
			watch.expects(ctx, "DELETED web 3")
			w.ChangeImage(ctx, "web", labelled(step, "5"))
			w.remove(ctx, "web")
			w.remove(ctx, "inside")
			watch.expects(ctx, "DELETED inside 1")
		},
		Entry("by labels", metav1.ListOptions{LabelSelector: "colour in (gold, silver)"}, labelled("colour", "gold"), labelled("colour", "rust")),
		Entry("by the absence of a label", metav1.ListOptions{LabelSelector: "!rust"},
			func(image *v1alpha1.Image) { delete(image.Labels, "rust") }, labelled("rust", "")),
		Entry("by fields", metav1.ListOptions{FieldSelector: "spec.builder.name=gold"}, named("gold"), named("rust")),
		Entry("by both", metav1.ListOptions{FieldSelector: "spec.builder.name!=rust,spec.suspend=true", LabelSelector: "step"}, named("gold"), named("rust")),
	)
}
