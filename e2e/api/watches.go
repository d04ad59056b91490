// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/metadata/metadatainformer"
)

func describeWatches(w *subject) {
	Describe("a watch", func() {
		It("goes on where a list ended: nothing is lost, and nothing comes twice", Label("gate"), func(ctx SpecContext) {
			w.create(ctx, "old", labelled(step, "1"))
			list := w.list(ctx, metav1.ListOptions{})
			w.create(ctx, "new", labelled(step, "1"))
			w.change(ctx, "old", labelled(step, "2"))
			watch := w.follow(ctx, metav1.ListOptions{ResourceVersion: list.GetResourceVersion()})
			watch.steps["old"] = "1"
			watch.expects(ctx, "ADDED new 1", "MODIFIED old 2")
			w.remove(ctx, "old")
			w.change(ctx, "new", labelled(step, "2"))
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
			version := w.list(ctx, metav1.ListOptions{}).GetResourceVersion()
			watch := w.follow(ctx, metav1.ListOptions{
				ResourceVersion: version, FieldSelector: w.selector, LabelSelector: step + ",value!=" + w.other,
			})
			having := func(value, at string) func(*unstructured.Unstructured) {
				return func(object *unstructured.Unstructured) {
					set(w.edited, value)(object)
					object.SetLabels(map[string]string{step: at, "value": value})
				}
			}
			w.create(ctx, "web", having(w.other, "1"))
			w.change(ctx, "web", having(w.value, "2"))
			w.change(ctx, "web", having(w.other, "3"))
			watch.expects(ctx, "ADDED web 2", "DELETED web 2") // as it was last seen there
		})

		It("keeps an informer of metadata up to date", func(ctx SpecContext) {
			w.create(ctx, "web", labelled(step, "1"))
			client, err := metadata.NewForConfig(w.Config)
			Expect(err).NotTo(HaveOccurred())
			factory := metadatainformer.NewFilteredSharedInformerFactory(client, 0, w.Namespace, nil)
			informer := factory.ForResource(w.resource).Informer()
			running, stop := context.WithCancel(context.WithoutCancel(ctx))
			DeferCleanup(factory.Shutdown)
			DeferCleanup(stop)
			factory.Start(running.Done())
			w.Eventually(ctx, informer.HasSynced).Should(BeTrue())
			w.change(ctx, "web", labelled(step, "2"))
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
