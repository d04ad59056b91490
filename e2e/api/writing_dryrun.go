// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

func describeDryRun(w *fixture) {
	all := []string{metav1.DryRunAll}

	Describe("A dry run", func() {
		It("of a creation answers what would be created, and creates nothing", func(ctx SpecContext) {
			answered, err := w.Images().Create(ctx, image("web"), metav1.CreateOptions{DryRun: all})
			Expect(err).NotTo(HaveOccurred())
			Expect(answered.UID).NotTo(BeEmpty())
			Expect(answered.CreationTimestamp.IsZero()).To(BeFalse())
			Expect(answered.Generation).To(BeEquivalentTo(1))
			Expect(answered.ResourceVersion).To(BeEmpty())
			Expect(answered.Spec.RunPolicy).To(Equal(v1alpha1.RunPolicySerial))
			Expect(w.Images().List(ctx, metav1.ListOptions{})).To(HaveField("Items", BeEmpty()))

			_, err = w.Builds().Create(ctx, newBuild("once"), metav1.CreateOptions{DryRun: all})
			Expect(err).NotTo(HaveOccurred())
			Expect(w.Builds().List(ctx, metav1.ListOptions{})).To(HaveField("Items", BeEmpty()))
		})

		DescribeTable("of a change answers what would become of the object, and changes nothing:",
			func(ctx SpecContext, change func(ctx context.Context) (*v1alpha1.Image, error)) {
				w.create(ctx, "web")
				before := w.observedImage(ctx)
				answered, err := change(ctx)
				Expect(err).NotTo(HaveOccurred())
				Expect(answered.UID).To(Equal(before.UID))
				Expect(answered).NotTo(Equal(before))
				Expect(answered.Annotations["a"] == "b" || answered.Status.ActiveBuilds == 7).To(BeTrue(), "%v", answered)
				Expect(w.getImage(ctx)).To(BeComparableTo(before))
			},
			Entry("an apply", func(ctx context.Context) (*v1alpha1.Image, error) {
				return w.Images().Patch(ctx, "web", types.ApplyPatchType,
					[]byte(`{"apiVersion":"images.goldsmith.dev/v1alpha1","kind":"Image","metadata":{"annotations":{"a":"b"}}}`),
					metav1.PatchOptions{DryRun: all, FieldManager: "one"})
			}),
			Entry("an update of the status", func(ctx context.Context) (*v1alpha1.Image, error) {
				changed := image("web")
				changed.Status.ActiveBuilds = 7
				return w.Images().UpdateStatus(ctx, changed, metav1.UpdateOptions{DryRun: all})
			}),
		)

		It("of a deletion deletes nothing, and marks nothing", func(ctx SpecContext) {
			w.create(ctx, "web", held)
			before := w.observedImage(ctx)
			Expect(w.Images().Delete(ctx, "web", metav1.DeleteOptions{DryRun: all})).To(Succeed())
			Expect(w.Images().Delete(ctx, "web", metav1.DeleteOptions{DryRun: all, PropagationPolicy: new(metav1.DeletePropagationForeground)})).To(Succeed())
			Expect(w.Images().DeleteCollection(ctx, metav1.DeleteOptions{DryRun: all}, metav1.ListOptions{})).To(Succeed())
			Expect(w.getImage(ctx)).To(BeComparableTo(before))
			w.release(ctx, "web")
		})

		It("of instantiate answers a whole build, and uses up no number", func(ctx SpecContext) {
			w.create(ctx, "web", func(image *v1alpha1.Image) { image.Spec.Builder.Name = "nobody" })
			before := w.observedImage(ctx)
			build, err := w.Images().Instantiate(ctx, "web", &v1alpha1.BuildRequest{RequestID: "first"}, metav1.CreateOptions{DryRun: all})
			Expect(err).NotTo(HaveOccurred())
			Expect(build.Name).To(Equal("web-1"))
			Expect(build.UID).NotTo(BeEmpty())
			Expect(build.Spec.ImageRef).To(HaveValue(Equal(v1alpha1.ImageReference{Name: "web", UID: before.UID})))
			Expect(build.Status.Phase).To(Equal(v1alpha1.BuildPending))
			Expect(build.OwnerReferences).To(HaveLen(1))
			Expect(w.getImage(ctx)).To(BeComparableTo(before))
			Expect(w.Builds().List(ctx, metav1.ListOptions{})).To(HaveField("Items", BeEmpty()))

			_, err = w.Images().Instantiate(ctx, "web", &v1alpha1.BuildRequest{RequestID: strings.Repeat("x", 256)}, metav1.CreateOptions{DryRun: all})
			Expect(apierrors.IsInvalid(err)).To(BeTrue(), "%v", err)
			made, err := w.Images().Instantiate(ctx, "web", &v1alpha1.BuildRequest{RequestID: "first"}, metav1.CreateOptions{})
			Expect(err).NotTo(HaveOccurred())
			Expect(made.Name).To(Equal("web-1"))
			Expect(made.UID).NotTo(Equal(build.UID))
			// Of what was asked for already it answers the build that there is.
			again, err := w.Images().Instantiate(ctx, "web", &v1alpha1.BuildRequest{RequestID: "first"}, metav1.CreateOptions{DryRun: all})
			Expect(err).NotTo(HaveOccurred())
			Expect(again.UID).To(Equal(made.UID))
		})

		It("of cancel answers the build as it would be, and lets it go on", func(ctx SpecContext) {
			build := newBuild("once")
			build.Spec.Inputs.Builder.Name = "mock"
			build.Spec.Inputs.Parameters = []v1alpha1.Parameter{{Name: "duration", Value: "10m"}}
			build, err := w.Builds().Create(ctx, build, metav1.CreateOptions{})
			Expect(err).NotTo(HaveOccurred())
			answered, err := w.Builds().Cancel(ctx, "once", &v1alpha1.CancelRequest{Reason: "no need"}, metav1.CreateOptions{DryRun: all})
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
