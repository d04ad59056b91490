// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	kubetypes "k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/yaml"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/workspace"
)

// describeKindDeletion describes the deletion of ImageKinds, which a controller ends. Each spec has a kind of its own.
func describeKindDeletion(w *fixture) {
	var client dynamic.Interface
	var declared *unstructured.Unstructured
	var kinds, images, instances dynamic.ResourceInterface
	// offer creates a kind with an instance.
	offer := func(ctx context.Context, onDelete v1alpha1.ImageKindDeletion) {
		GinkgoHelper()
		kind := "K" + strings.ReplaceAll(w.Namespace, "-", "")
		declared = &unstructured.Unstructured{}
		Expect(yaml.Unmarshal([]byte(strings.NewReplacer("appliances", strings.ToLower(kind)+"s", "Appliance", kind, "[apl]", "[]").Replace(workspace.Appliances)), &declared.Object)).To(Succeed())
		Expect(unstructured.SetNestedField(declared.Object, string(onDelete), "spec", "onDelete")).To(Succeed())
		var err error
		client, err = dynamic.NewForConfig(w.Config)
		Expect(err).NotTo(HaveOccurred())
		kinds = client.Resource(v1alpha1.SchemeGroupVersion.WithResource("imagekinds"))
		images = client.Resource(v1alpha1.SchemeGroupVersion.WithResource("images")).Namespace(w.Namespace)
		instances = client.Resource(schema.GroupVersionResource{Group: "catalog.goldsmith.dev", Version: "v1", Resource: declared.GetName()}).Namespace(w.Namespace)
		_, err = kinds.Create(ctx, declared, metav1.CreateOptions{})
		Expect(err).NotTo(HaveOccurred())
		instance := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "catalog.goldsmith.dev/v1", "kind": kind, "metadata": map[string]any{"name": "web"}, "spec": map[string]any{"release": "trixie", "suspend": true},
		}}
		w.Eventually(ctx, func() error {
			_, err := instances.Create(ctx, instance, metav1.CreateOptions{})
			return err
		}).Should(Succeed())
	}
	gone := func(ctx context.Context) bool {
		GinkgoHelper()
		_, err := kinds.Get(ctx, declared.GetName(), metav1.GetOptions{})
		return apierrors.IsNotFound(err)
	}

	It("waits for the last object of a deleted kind", func(ctx SpecContext) {
		offer(ctx, v1alpha1.ImageKindWait)
		Expect(kinds.Delete(ctx, declared.GetName(), metav1.DeleteOptions{})).To(Succeed())
		w.Eventually(ctx, func() (any, error) {
			stored, err := kinds.Get(ctx, declared.GetName(), metav1.GetOptions{})
			if err != nil {
				return nil, err
			}
			return field(stored, "status.conditions"), nil
		}).Should(ContainElement(And(HaveKeyWithValue("type", v1alpha1.ImageKindTerminating), HaveKeyWithValue("status", "True"),
			HaveKeyWithValue("reason", v1alpha1.ReasonInstancesRemain), HaveKeyWithValue("message", ContainSubstring("namespaces: 1;")))))
		_, err := instances.Patch(ctx, "web", kubetypes.MergePatchType, []byte(`{"spec": {"release": "bookworm"}}`), metav1.PatchOptions{})
		Expect(err).NotTo(HaveOccurred())
		Expect(instances.Delete(ctx, "web", metav1.DeleteOptions{})).To(Succeed())
		w.Eventually(ctx, func() bool { return gone(ctx) }).Should(BeTrue())
	})

	It("releases the Images of a deleted kind", func(ctx SpecContext) {
		offer(ctx, v1alpha1.ImageKindRelease)
		before, err := images.Get(ctx, "web", metav1.GetOptions{})
		Expect(err).NotTo(HaveOccurred())
		Expect(before.GetLabels()).To(HaveLen(2))
		Expect(kinds.Delete(ctx, declared.GetName(), metav1.DeleteOptions{})).To(Succeed())
		w.Eventually(ctx, func() bool { return gone(ctx) }).Should(BeTrue())
		after, err := images.Get(ctx, "web", metav1.GetOptions{})
		Expect(err).NotTo(HaveOccurred())
		Expect(after.GetUID()).To(Equal(before.GetUID()))
		Expect(after.GetLabels()).To(BeEmpty())
		Expect(field(after, "spec")).To(Equal(field(before, "spec")))
	})

	It("deletes a kind that is not served without its Images", func(ctx SpecContext) {
		offer(ctx, v1alpha1.ImageKindRelease)
		other := declared.DeepCopy()
		other.SetName("other-" + declared.GetName())
		_, err := kinds.Create(ctx, other, metav1.CreateOptions{})
		Expect(err).NotTo(HaveOccurred())
		labelled := (&subject{fixture: w, resource: v1alpha1.SchemeGroupVersion.WithResource("images"), kind: "Image", content: imageContent}).object("labelled")
		labelled.SetLabels(map[string]string{"catalog.goldsmith.dev/kind": other.GetName()})
		_, err = images.Create(ctx, labelled, metav1.CreateOptions{})
		Expect(err).NotTo(HaveOccurred())
		Expect(kinds.Delete(ctx, other.GetName(), metav1.DeleteOptions{})).To(Succeed())
		w.Eventually(ctx, func() bool {
			_, err := kinds.Get(ctx, other.GetName(), metav1.GetOptions{})
			return apierrors.IsNotFound(err)
		}).Should(BeTrue())
		for name, labels := range map[string]int{"labelled": 1, "web": 2} {
			image, err := images.Get(ctx, name, metav1.GetOptions{})
			Expect(err).NotTo(HaveOccurred())
			Expect(image.GetLabels()).To(HaveLen(labels))
		}
		Expect(kinds.Delete(ctx, declared.GetName(), metav1.DeleteOptions{})).To(Succeed())
		w.Eventually(ctx, func() bool { return gone(ctx) }).Should(BeTrue())
	})
}
