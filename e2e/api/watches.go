// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/metadata/metadatainformer"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

func describeWatches(w *fixture) {
	Describe("a watch", func() {
		It("goes on where a list ended: nothing is lost, and nothing comes twice", Label("gate"), func(ctx SpecContext) {
			w.create(ctx, "old", labelled(step, "1"))
			list := w.list(ctx, metav1.ListOptions{})
			w.create(ctx, "new", labelled(step, "1"))
			w.ChangeImage(ctx, "old", labelled(step, "2"))
			watch := w.follow(ctx, metav1.ListOptions{ResourceVersion: list.ResourceVersion})
			watch.steps["old"] = "1"
			watch.expects(ctx, "ADDED new 1", "MODIFIED old 2")
			w.remove(ctx, "old")
			w.ChangeImage(ctx, "new", labelled(step, "2"))
			watch.expects(ctx, "DELETED old 2", "MODIFIED new 2")
		})

		It("begins with a list, if that is asked for, and a bookmark at its end", func(ctx SpecContext) {
			w.create(ctx, "web", labelled(step, "1"))
			watch := w.follow(ctx, metav1.ListOptions{
				SendInitialEvents: new(true), AllowWatchBookmarks: true, ResourceVersionMatch: metav1.ResourceVersionMatchNotOlderThan,
			})
			watch.expects(ctx, "ADDED web 1", "BOOKMARK")
			w.remove(ctx, "web")
			watch.expects(ctx, "DELETED web 1")
		})

		It("adds and deletes what enters and leaves its selection", func(ctx SpecContext) {
			version := w.list(ctx, metav1.ListOptions{}).ResourceVersion
			watch := w.follow(ctx, metav1.ListOptions{
				ResourceVersion: version, FieldSelector: "spec.builder.name!=rust,spec.suspend=true", LabelSelector: step,
			})
			built := func(builder, at string) func(*v1alpha1.Image) {
				return func(image *v1alpha1.Image) {
					image.Spec.Builder.Name, image.Labels = builder, map[string]string{step: at}
				}
			}
			w.create(ctx, "web", built("rust", "1"))
			w.ChangeImage(ctx, "web", built("gold", "2"))
			w.ChangeImage(ctx, "web", built("rust", "3"))
			watch.expects(ctx, "ADDED web 2", "DELETED web 2") // as it was last seen there
		})

		It("keeps an informer of metadata up to date", func(ctx SpecContext) {
			w.create(ctx, "web", labelled(step, "1"))
			client, err := metadata.NewForConfig(w.Config)
			Expect(err).NotTo(HaveOccurred())
			factory := metadatainformer.NewFilteredSharedInformerFactory(client, 0, w.Namespace, nil)
			informer := factory.ForResource(v1alpha1.SchemeGroupVersion.WithResource("images")).Informer()
			running, stop := context.WithCancel(context.WithoutCancel(ctx))
			DeferCleanup(factory.Shutdown)
			DeferCleanup(stop)
			factory.Start(running.Done())
			w.Eventually(ctx, informer.HasSynced).Should(BeTrue())
			w.ChangeImage(ctx, "web", labelled(step, "2"))
			w.create(ctx, "other", labelled(step, "3"))
			w.Eventually(ctx, func() map[string]string {
				steps := map[string]string{}
				for _, object := range informer.GetStore().List() {
					kept := object.(*metav1.PartialObjectMetadata)
					steps[kept.Name] = kept.Labels[step]
				}
				return steps
			}).Should(Equal(map[string]string{"web": "2", "other": "3"}))
		})
	})
}
