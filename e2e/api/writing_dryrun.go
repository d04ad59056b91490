// SPDX-License-Identifier: Apache-2.0

package api

import (
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

func describeDryRun(w *subject) {
	Describe("A dry run", func() {
		It("of a creation answers what would be created, and creates nothing", func(ctx SpecContext) {
			answered, err := w.client().Create(ctx, w.object("web"), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
			Expect(err).NotTo(HaveOccurred())
			Expect(answered.GetUID()).NotTo(BeEmpty())
			Expect(answered.GetCreationTimestamp().Time).NotTo(BeZero())
			Expect(answered.GetGeneration()).To(BeEquivalentTo(1))
			Expect(answered.GetResourceVersion()).To(BeEmpty())
			Expect(field(answered, "spec.retry.limit")).To(BeEquivalentTo(2), "the default")
			Expect(w.list(ctx, metav1.ListOptions{}).Items).To(BeEmpty())
		})

		It("of an apply answers what would become of the object, and changes nothing", func(ctx SpecContext) {
			w.create(ctx, "web")
			before := w.waitUntilObserved(ctx)
			annotated := w.object("web", set("metadata.annotations", map[string]any{"a": "b"}))
			answered, err := w.client().Apply(ctx, "web", annotated, metav1.ApplyOptions{DryRun: []string{metav1.DryRunAll}, FieldManager: "one"})
			Expect(err).NotTo(HaveOccurred())
			Expect(answered.GetUID()).To(Equal(before.GetUID()))
			Expect(answered.GetAnnotations()).To(HaveKeyWithValue("a", "b"))
			Expect(w.read(ctx)).To(BeComparableTo(before))
		})

		It("of a deletion deletes nothing, and marks nothing", func(ctx SpecContext) {
			w.create(ctx, "web", addFinalizer)
			before := w.waitUntilObserved(ctx)
			Expect(w.client().Delete(ctx, "web", metav1.DeleteOptions{DryRun: []string{metav1.DryRunAll}})).To(Succeed())
			Expect(w.client().Delete(ctx, "web", metav1.DeleteOptions{DryRun: []string{metav1.DryRunAll}, PropagationPolicy: new(metav1.DeletePropagationForeground)})).To(Succeed())
			Expect(w.client().DeleteCollection(ctx, metav1.DeleteOptions{DryRun: []string{metav1.DryRunAll}}, metav1.ListOptions{})).To(Succeed())
			Expect(w.read(ctx)).To(BeComparableTo(before))
			w.release(ctx, "web")
		})
	})
}

func describeImageDryRun(w *fixture) {
	Describe("A dry run", func() {
		It("of the creation of a build creates nothing", func(ctx SpecContext) {
			_, err := w.Builds().Create(ctx, newBuild("once"), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
			Expect(err).NotTo(HaveOccurred())
			Expect(w.Builds().List(ctx, metav1.ListOptions{})).To(HaveField("Items", BeEmpty()))
		})

		It("of an update of the status answers the new status, and changes nothing", func(ctx SpecContext) {
			w.create(ctx, "web")
			before := w.observedImage(ctx)
			changed := image("web")
			changed.Status.ActiveBuilds = 7
			answered, err := w.Images().UpdateStatus(ctx, changed, metav1.UpdateOptions{DryRun: []string{metav1.DryRunAll}})
			Expect(err).NotTo(HaveOccurred())
			Expect(answered.Status.ActiveBuilds).To(BeEquivalentTo(7))
			Expect(w.getImage(ctx)).To(BeComparableTo(before))
		})

		It("of instantiate answers a whole build, and uses up no number", func(ctx SpecContext) {
			w.create(ctx, "web", func(image *v1alpha1.Image) { image.Spec.Builder.Name = "nobody" })
			before := w.observedImage(ctx)
			build, err := w.Images().Instantiate(ctx, "web", &v1alpha1.BuildRequest{RequestID: "first"}, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
			Expect(err).NotTo(HaveOccurred())
			Expect(build.Name).To(Equal("web-1"))
			Expect(build.UID).NotTo(BeEmpty())
			Expect(build.Spec.ImageRef).To(HaveValue(Equal(v1alpha1.ImageReference{Name: "web", UID: before.UID})))
			Expect(build.Status.Phase).To(Equal(v1alpha1.BuildPending))
			Expect(build.OwnerReferences).To(HaveLen(1))
			Expect(w.getImage(ctx)).To(BeComparableTo(before))
			Expect(w.Builds().List(ctx, metav1.ListOptions{})).To(HaveField("Items", BeEmpty()))

			_, err = w.Images().Instantiate(ctx, "web", &v1alpha1.BuildRequest{RequestID: strings.Repeat("x", 256)}, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
			Expect(apierrors.IsInvalid(err)).To(BeTrue(), "%v", err)
			made, err := w.Images().Instantiate(ctx, "web", &v1alpha1.BuildRequest{RequestID: "first"}, metav1.CreateOptions{})
			Expect(err).NotTo(HaveOccurred())
			Expect(made.Name).To(Equal("web-1"))
			Expect(made.UID).NotTo(Equal(build.UID))
			// Of what was asked for already it answers the build that there is.
			again, err := w.Images().Instantiate(ctx, "web", &v1alpha1.BuildRequest{RequestID: "first"}, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
			Expect(err).NotTo(HaveOccurred())
			Expect(again.UID).To(Equal(made.UID))
		})

		It("of cancel answers the build as it would be, and lets it go on", func(ctx SpecContext) {
			build := newBuild("once")
			build.Spec.Inputs.Builder.Name = "mock"
			build.Spec.Inputs.Parameters = []v1alpha1.Parameter{{Name: "duration", Value: "10m"}}
			build, err := w.Builds().Create(ctx, build, metav1.CreateOptions{})
			Expect(err).NotTo(HaveOccurred())
			answered, err := w.Builds().Cancel(ctx, "once", &v1alpha1.CancelRequest{Reason: "no need"}, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
			Expect(err).NotTo(HaveOccurred())
			Expect(answered.Spec.CancelRequested).To(HaveValue(HaveField("Reason", "no need")))
			Expect(answered.Generation).To(BeEquivalentTo(2))
			stored, err := w.Builds().Get(ctx, "once", metav1.GetOptions{})
			Expect(err).NotTo(HaveOccurred())
			Expect(stored.Spec).To(Equal(build.Spec))
			Expect(stored.Generation).To(BeEquivalentTo(1))
		})
	})
}
