// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

func describeDependents(w *fixture) {
	remove := func(ctx context.Context, name string, policy metav1.DeletionPropagation) {
		GinkgoHelper()
		Expect(w.Images().Delete(ctx, name, metav1.DeleteOptions{PropagationPolicy: &policy})).To(Succeed())
	}
	let := func(ctx context.Context, name string) {
		GinkgoHelper()
		_, err := w.Kube.CoreV1().ConfigMaps(w.Namespace).Patch(ctx, name, types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{})
		Expect(err).NotTo(HaveOccurred())
	}

	Describe("What an image owns", func() {
		DescribeTable("is told by its finalizers what becomes of it:", func(ctx SpecContext, options metav1.DeleteOptions, finalizers ...string) {
			w.create(ctx, "web", func(image *v1alpha1.Image) { image.Finalizers = []string{finalizer} })
			owner := w.observedImage(ctx, "web")
			w.dependent(ctx, owner, "kept", finalizer)
			answer, err := w.Images().Patch(ctx, "web", types.MergePatchType, []byte(`{}`), metav1.PatchOptions{})
			Expect(err).NotTo(HaveOccurred())
			Expect(answer.Finalizers).To(ConsistOf(finalizer))
			options.DryRun = []string{metav1.DryRunAll}
			var announced v1alpha1.Image
			Expect(w.Goldsmith.ImagesV1alpha1().RESTClient().Delete().Namespace(w.Namespace).Resource("images").Name("web").
				Body(&options).Do(ctx).Into(&announced)).To(Succeed())
			Expect(announced.Finalizers).To(ConsistOf(finalizers))
			Expect(announced.DeletionTimestamp).NotTo(BeNil())
			w.release(ctx, "web")
			let(ctx, "kept")
		},
			Entry("by default, and in the background", metav1.DeleteOptions{PropagationPolicy: new(metav1.DeletePropagationBackground)}, finalizer),
			Entry("in the foreground", metav1.DeleteOptions{PropagationPolicy: new(metav1.DeletePropagationForeground)}, finalizer, metav1.FinalizerDeleteDependents),
			Entry("as orphans", metav1.DeleteOptions{PropagationPolicy: new(metav1.DeletePropagationOrphan)}, finalizer, metav1.FinalizerOrphanDependents),
			Entry("as orphans, the old way", metav1.DeleteOptions{OrphanDependents: new(true)}, finalizer, metav1.FinalizerOrphanDependents), //nolint:staticcheck // clients still do
		)

		It("goes after it in the background", func(ctx SpecContext) {
			w.dependent(ctx, w.create(ctx, "web"), "settings")
			remove(ctx, "web", metav1.DeletePropagationBackground)
			_, err := w.Images().Get(ctx, "web", metav1.GetOptions{})
			Expect(apierrors.IsNotFound(err)).To(BeTrue(), "%v", err)
			w.collected(ctx, "settings")
		})

		It("goes before it in the foreground", func(ctx SpecContext) {
			w.dependent(ctx, w.create(ctx, "web"), "settings", finalizer)
			remove(ctx, "web", metav1.DeletePropagationForeground)
			w.Eventually(ctx, w.dependents("settings")).Should(HaveField("DeletionTimestamp", Not(BeNil())))
			Expect(w.getImage(ctx, "web").Finalizers).To(ConsistOf(metav1.FinalizerDeleteDependents))
			let(ctx, "settings")
			w.waitForImageDeletion(ctx, "web")
			w.collected(ctx, "settings")
		})

		It("stays as an orphan", func(ctx SpecContext) {
			w.dependent(ctx, w.create(ctx, "web"), "settings")
			remove(ctx, "web", metav1.DeletePropagationOrphan)
			w.waitForImageDeletion(ctx, "web")
			Expect(w.dependents("settings")(ctx)).To(And(HaveField("DeletionTimestamp", BeNil()), HaveField("OwnerReferences", BeEmpty())))
		})

		It("stays where the owner was another image of that name", func(ctx SpecContext) {
			w.create(ctx, "web")
			owner := w.getImage(ctx, "web")
			w.dependent(ctx, owner, "settings", finalizer)
			remove(ctx, "web", metav1.DeletePropagationBackground)
			w.Eventually(ctx, w.dependents("settings")).Should(HaveField("DeletionTimestamp", Not(BeNil())))
			again := w.create(ctx, "web")
			w.dependent(ctx, again, "others")
			let(ctx, "settings")
			w.collected(ctx, "settings")
			Expect(w.dependents("others")(ctx)).To(HaveField("DeletionTimestamp", BeNil()))
		})
	})

	It("An image that is owned goes with its owner", func(ctx SpecContext) {
		settings, err := w.Kube.CoreV1().ConfigMaps(w.Namespace).Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "settings"}}, metav1.CreateOptions{})
		Expect(err).NotTo(HaveOccurred())
		w.create(ctx, "owned", func(image *v1alpha1.Image) {
			image.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(settings, corev1.SchemeGroupVersion.WithKind("ConfigMap"))}
		})
		Expect(w.Kube.CoreV1().ConfigMaps(w.Namespace).Delete(ctx, "settings", metav1.DeleteOptions{})).To(Succeed())
		w.waitForImageDeletion(ctx, "owned")
	})
}
