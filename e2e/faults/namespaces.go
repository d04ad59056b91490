// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/cluster"
	"goldsmith.dev/goldsmith/e2e/deadline"
)

// newNamespace creates a namespace with an image that is being built, and returns its name.
func newNamespace(ctx context.Context, w *cluster.Workspace) string {
	GinkgoHelper()
	namespace, err := w.Kube.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "ended-"}}, metav1.CreateOptions{})
	Expect(err).NotTo(HaveOccurred())
	_, err = w.Goldsmith.ImagesV1alpha1().Images(namespace.Name).Create(ctx, cluster.NewImage("web", "duration=10m"), metav1.CreateOptions{})
	Expect(err).NotTo(HaveOccurred())
	w.Eventually(ctx, func(ctx context.Context) (*v1alpha1.ImageBuild, error) {
		return w.Goldsmith.ImagesV1alpha1().ImageBuilds(namespace.Name).Get(ctx, "web-1", metav1.GetOptions{})
	}).Should(HaveField("Status.Phase", v1alpha1.BuildRunning))
	return namespace.Name
}

func deleteNamespace(ctx context.Context, w *cluster.Workspace, name string) {
	GinkgoHelper()
	Expect(w.Kube.CoreV1().Namespaces().Delete(ctx, name, metav1.DeleteOptions{})).To(Succeed())
}

// waitForStuckNamespace waits until a namespace reports that it cannot terminate because our API is unavailable.
func waitForStuckNamespace(ctx context.Context, w *cluster.Workspace, name string) {
	GinkgoHelper()
	w.Eventually(ctx, func(ctx context.Context) ([]corev1.NamespaceCondition, error) {
		namespace, err := w.Kube.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
		return namespace.Status.Conditions, err
	}).Should(ContainElement(And(
		HaveField("Type", corev1.NamespaceDeletionDiscoveryFailure), HaveField("Status", corev1.ConditionTrue),
		HaveField("Message", ContainSubstring(v1alpha1.GroupName)),
	)))
}

// waitForNamespaceDeletion waits until a namespace is deleted, and expects no images or builds in it.
func waitForNamespaceDeletion(ctx context.Context, w *cluster.Workspace, name string) {
	GinkgoHelper()
	Eventually(ctx, func(ctx context.Context) bool {
		_, err := w.Kube.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
		return apierrors.IsNotFound(err)
	}).WithTimeout(deadline.NamespaceTerminates.Deadline()).WithPolling(time.Second).Should(BeTrue(), "namespace %s is gone", name)
	images, err := w.Goldsmith.ImagesV1alpha1().Images(name).List(ctx, metav1.ListOptions{})
	Expect(err).NotTo(HaveOccurred())
	Expect(images.Items).To(BeEmpty())
	builds, err := w.Goldsmith.ImagesV1alpha1().ImageBuilds(name).List(ctx, metav1.ListOptions{})
	Expect(err).NotTo(HaveOccurred())
	Expect(builds.Items).To(BeEmpty())
}
