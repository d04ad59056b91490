// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"encoding/json"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/metadata/metadatainformer"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

func describeMetadata(w *fixture) {
	Describe("metadata alone", func() {
		var images metadata.ResourceInterface
		BeforeEach(func(ctx SpecContext) {
			client, err := metadata.NewForConfig(w.Config)
			Expect(err).NotTo(HaveOccurred())
			images = client.Resource(v1alpha1.SchemeGroupVersion.WithResource("images")).Namespace(w.Namespace)
			w.create(ctx, "web", labelled(step, "1"))
		})

		It("is read, listed, patched, watched and deleted by", func(ctx SpecContext) {
			read, err := images.Get(ctx, "web", metav1.GetOptions{})
			Expect(err).NotTo(HaveOccurred())
			Expect(read.Labels).To(HaveKeyWithValue(step, "1"))

			w.create(ctx, "other")
			list, err := images.List(ctx, metav1.ListOptions{Limit: 1})
			Expect(err).NotTo(HaveOccurred())
			Expect(list.Items).To(ConsistOf(HaveField("Name", "other")))
			Expect(list.Continue).NotTo(BeEmpty())
			Expect(list.RemainingItemCount).To(HaveValue(BeEquivalentTo(1)))

			watching, err := images.Watch(ctx, metav1.ListOptions{FieldSelector: "metadata.name=web"})
			Expect(err).NotTo(HaveOccurred())
			DeferCleanup(watching.Stop)
			Expect(w.receive(ctx, watching).Type).To(Equal(watch.Added))

			patched, err := images.Patch(ctx, "web", types.MergePatchType, []byte(`{"metadata":{"labels":{"step":"2"}}}`), metav1.PatchOptions{})
			Expect(err).NotTo(HaveOccurred())
			Expect(patched.Labels).To(HaveKeyWithValue(step, "2"))

			Expect(images.Delete(ctx, "web", metav1.DeleteOptions{})).To(Succeed())
			event := w.receive(ctx, watching)
			for event.Type == watch.Modified {
				event = w.receive(ctx, watching)
			}
			Expect(event.Type).To(Equal(watch.Deleted))
			Expect(event.Object.(*metav1.PartialObjectMetadata).Labels).To(HaveKeyWithValue(step, "2"))
		})

		It("has nothing of the rest", func(ctx SpecContext) {
			for path, kind := range map[string]string{"images/web": "PartialObjectMetadata", "images": "PartialObjectMetadataList"} {
				read := w.get(ctx, w.at(path), "Accept: application/json;as="+kind+";v=v1;g=meta.k8s.io")
				var fields map[string]any
				Expect(json.Unmarshal(read.body, &fields)).To(Succeed(), "%s", read.body)
				Expect(fields).To(And(HaveKeyWithValue("kind", kind), HaveKeyWithValue("apiVersion", "meta.k8s.io/v1"), HaveKey("metadata")))
				Expect(fields).NotTo(Or(HaveKey("spec"), HaveKey("status")))
				Expect(string(read.body)).NotTo(ContainSubstring("debian:bookworm"))
			}
		})

		It("is what an informer can keep", func(ctx SpecContext) {
			client, err := metadata.NewForConfig(w.Config)
			Expect(err).NotTo(HaveOccurred())
			factory := metadatainformer.NewFilteredSharedInformerFactory(client, 0, w.Namespace, nil)
			informer := factory.ForResource(v1alpha1.SchemeGroupVersion.WithResource("images"))
			running, stop := context.WithCancel(context.WithoutCancel(ctx))
			DeferCleanup(factory.Shutdown)
			DeferCleanup(stop)
			informer.Informer()
			factory.Start(running.Done())
			w.Eventually(ctx, informer.Informer().HasSynced).Should(BeTrue())
			w.ChangeImage(ctx, "web", labelled(step, "2"))
			w.create(ctx, "other", labelled(step, "3"))
			w.Eventually(ctx, func() map[string]string {
				steps := map[string]string{}
				for _, object := range informer.Informer().GetStore().List() {
					kept := object.(*metav1.PartialObjectMetadata)
					steps[kept.Name] = kept.Labels[step]
				}
				return steps
			}).Should(Equal(map[string]string{"web": "2", "other": "3"}))
		})
	})
}
