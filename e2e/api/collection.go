// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// describeCollection: the garbage collector takes an object of a kind and its Image for two objects. Each has the UID that their owners and
// dependents name, and the builds belong to the Image.
func describeCollection(w *subject) {
	// owned returns a ConfigMap that an object owns, and owner a reference to it.
	owner := func(object *unstructured.Unstructured) metav1.OwnerReference {
		return metav1.OwnerReference{
			APIVersion: object.GetAPIVersion(), Kind: object.GetKind(), Name: object.GetName(), UID: object.GetUID(), BlockOwnerDeletion: new(true),
		}
	}
	configMap := func(ctx context.Context, name string, owners ...metav1.OwnerReference) *corev1.ConfigMap {
		GinkgoHelper()
		created, err := w.Kube.CoreV1().ConfigMaps(w.Namespace).Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name, OwnerReferences: owners}}, metav1.CreateOptions{})
		Expect(err).NotTo(HaveOccurred())
		return created
	}
	waitForCollection := func(ctx context.Context, name string) {
		GinkgoHelper()
		w.Eventually(ctx, func(ctx context.Context) error {
			_, err := w.Kube.CoreV1().ConfigMaps(w.Namespace).Get(ctx, name, metav1.GetOptions{})
			return err
		}).Should(Satisfy(apierrors.IsNotFound))
	}
	// built creates an object that is built once.
	built := func(ctx context.Context) *unstructured.Unstructured {
		GinkgoHelper()
		created := w.create(ctx, "web", set("spec.suspend", false))
		w.Succeeded(ctx, "web-1")
		return created
	}
	builds := func(ctx context.Context) ([]v1alpha1.ImageBuild, error) {
		list, err := w.Builds().List(ctx, metav1.ListOptions{})
		return list.Items, err
	}

	Describe("The garbage collector", func() {
		DescribeTable("deletes what an object owns, and its builds, when the object is deleted", func(ctx SpecContext, policy metav1.DeletionPropagation) {
			configMap(ctx, "owned", owner(built(ctx)))
			Expect(w.client().Delete(ctx, "web", metav1.DeleteOptions{PropagationPolicy: &policy})).To(Succeed())
			w.waitForDeletion(ctx)
			if policy == metav1.DeletePropagationForeground {
				Expect(builds(ctx)).To(BeEmpty(), "a build blocks the deletion")
			}
			waitForCollection(ctx, "owned")
			w.Eventually(ctx, builds).Should(BeEmpty())
		},
			Entry("in the background", metav1.DeletePropagationBackground),
			Entry("in the foreground", metav1.DeletePropagationForeground),
		)

		It("leaves the builds if that is asked for", func(ctx SpecContext) {
			configMap(ctx, "owned", owner(built(ctx)))
			Expect(w.client().Delete(ctx, "web", metav1.DeleteOptions{PropagationPolicy: new(metav1.DeletePropagationOrphan)})).To(Succeed())
			w.waitForDeletion(ctx)
			Expect(builds(ctx)).To(ConsistOf(HaveField("OwnerReferences", BeEmpty())))
			waitForCollection(ctx, "owned") // the policy is that of the Image
		})

		It("deletes an object with its owner, and nothing while it is there", func(ctx SpecContext) {
			above := configMap(ctx, "above")
			created := w.create(ctx, "web", set("spec.suspend", false), func(object *unstructured.Unstructured) {
				object.SetOwnerReferences([]metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: above.Name, UID: above.UID}})
			})
			w.Succeeded(ctx, "web-1")
			// An owner that is no object is collected, so the collector knows the kind.
			nobody := owner(created)
			nobody.Name, nobody.UID = "nobody", above.UID
			configMap(ctx, "orphan", nobody)
			waitForCollection(ctx, "orphan")
			Expect(w.read(ctx).GetUID()).To(Equal(created.GetUID()))
			Expect(builds(ctx)).To(HaveLen(1))
			configMap(ctx, "owned", owner(created))
			Expect(w.Kube.CoreV1().ConfigMaps(w.Namespace).Delete(ctx, "above", metav1.DeleteOptions{})).To(Succeed())
			w.waitForDeletion(ctx)
			waitForCollection(ctx, "owned")
			w.Eventually(ctx, builds).Should(BeEmpty())
		})
	})

	It("A namespace with objects terminates", func(ctx SpecContext) {
		configMap(ctx, "owned", owner(built(ctx)))
		Expect(w.Kube.CoreV1().Namespaces().Delete(ctx, w.Namespace, metav1.DeleteOptions{})).To(Succeed())
		w.Eventually(ctx, func(ctx context.Context) error {
			_, err := w.Kube.CoreV1().Namespaces().Get(ctx, w.Namespace, metav1.GetOptions{})
			return err
		}).Should(Satisfy(apierrors.IsNotFound))
		Expect(w.list(ctx, metav1.ListOptions{}).Items).To(BeEmpty())
	})
}
