// SPDX-License-Identifier: Apache-2.0

package corekinds_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

var _ = Describe("namespaces", func() {
	configMap := func(name string) *corev1.ConfigMap {
		return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}}
	}

	It("has the namespace default as soon as the server is ready", func(ctx SpecContext) {
		found := must(client.CoreV1().Namespaces().Get(ctx, "default", metav1.GetOptions{}))
		Expect(found.Status.Phase).To(Equal(corev1.NamespaceActive))
		Expect(found.Labels).To(HaveKeyWithValue(corev1.LabelMetadataName, "default"))
	})

	It("does not let the namespace default go", func(ctx SpecContext) {
		Expect(client.CoreV1().Namespaces().Delete(ctx, "default", metav1.DeleteOptions{})).To(Satisfy(apierrors.IsForbidden))
	})

	It("refuses objects in a namespace that does not exist", func(ctx SpecContext) {
		Expect(errorOf(client.CoreV1().ConfigMaps("missing").Create(ctx, configMap("a"), metav1.CreateOptions{}))).To(Satisfy(apierrors.IsNotFound))
	})

	It("keeps a deleted namespace until it is finalized, and lets nothing new in", func(ctx SpecContext) {
		namespaces := client.CoreV1().Namespaces()
		Expect(namespaces.Delete(ctx, namespace, metav1.DeleteOptions{})).To(Succeed())
		found := must(namespaces.Get(ctx, namespace, metav1.GetOptions{}))
		Expect(found.Status.Phase).To(Equal(corev1.NamespaceTerminating))
		Expect(found.DeletionTimestamp).NotTo(BeNil())

		_, err := client.CoreV1().ConfigMaps(namespace).Create(ctx, configMap("late"), metav1.CreateOptions{})
		Expect(apierrors.IsForbidden(err)).To(BeTrue(), "%v", err)
		Expect(apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause)).To(BeTrue())

		Expect(namespaces.Delete(ctx, namespace, metav1.DeleteOptions{})).To(Succeed(), "deleting it again changes nothing")

		found.Spec.Finalizers = nil
		must(namespaces.Finalize(ctx, found, metav1.UpdateOptions{}))
		Expect(errorOf(namespaces.Get(ctx, namespace, metav1.GetOptions{}))).To(Satisfy(apierrors.IsNotFound))
	})

	It("changes finalizers through finalize only, and the status through status only", func(ctx SpecContext) {
		namespaces := client.CoreV1().Namespaces()
		found := must(namespaces.Get(ctx, namespace, metav1.GetOptions{}))
		found.Spec.Finalizers = nil
		found.Status.Phase = "Nonsense"
		found.Labels["kept"] = "yes"
		updated := must(namespaces.Update(ctx, found, metav1.UpdateOptions{}))
		Expect(updated.Spec.Finalizers).To(ConsistOf(corev1.FinalizerKubernetes))
		Expect(updated.Status.Phase).To(Equal(corev1.NamespaceActive))
		Expect(updated.Labels).To(HaveKeyWithValue("kept", "yes"))

		updated.Status.Conditions = []corev1.NamespaceCondition{{Type: corev1.NamespaceDeletionContentFailure, Status: "False"}}
		Expect(must(namespaces.UpdateStatus(ctx, updated, metav1.UpdateOptions{})).Status.Conditions).To(HaveLen(1))
	})

	It("deletes with a precondition on the UID only the namespace that is meant", func(ctx SpecContext) {
		Expect(client.CoreV1().Namespaces().Delete(ctx, namespace, *metav1.NewPreconditionDeleteOptions("another"))).To(Satisfy(apierrors.IsConflict))
	})
})
