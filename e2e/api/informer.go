// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"strings"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	kubetypes "k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/tools/cache"

	"goldsmith.dev/goldsmith/e2e/workspace"
)

// describeInformer: an informer that runs while its kind changes has the same objects as a new list.
func describeInformer(w *subject) {
	It("An informer goes on when its kind changes", func(ctx SpecContext) {
		kind := *w // of this spec only: it changes
		kind.resource.Resource, kind.kind = "machines", "Machine"
		manifest := strings.NewReplacer("appliances", "machines", "Appliance", "Machine", "[apl]", "[mch]").Replace(workspace.Appliances)
		w.EstablishKind(ctx, manifest)
		DeferCleanup(func(ctx SpecContext) { Expect(workspace.RemoveKind(ctx, w.Config, manifest)).To(Succeed()) })
		kind.create(ctx, "web")

		client, err := dynamic.NewForConfig(w.Config)
		Expect(err).NotTo(HaveOccurred())
		running, stop := context.WithCancel(ctx)
		defer stop()
		factory := dynamicinformer.NewFilteredDynamicSharedInformerFactory(client, 0, w.Namespace, nil)
		informer := factory.ForResource(kind.resource).Informer()
		seen := &deletions{}
		_, err = informer.AddEventHandler(seen)
		Expect(err).NotTo(HaveOccurred())
		factory.Start(running.Done())
		release := func(name string) any {
			cached, exists, err := informer.GetStore().GetByKey(w.Namespace + "/" + name)
			if err != nil || !exists {
				return err
			}
			return field(cached.(*unstructured.Unstructured), "spec.release")
		}
		w.Eventually(ctx, func() any { return release("web") }).Should(Equal("bookworm"))

		// The value of the field is another one, although no Image has changed.
		_, err = w.Goldsmith.ImagesV1alpha1().ImageKinds().Patch(ctx, "machines", kubetypes.JSONPatchType, []byte(`[
			{"op":"replace","path":"/spec/versions/0/schema/properties/release/enum/0","value":"stable"},
			{"op":"replace","path":"/spec/versions/0/bindings/0","value":{"field":"spec.release","to":"spec.base.reference",
				"values":[{"value":"stable","to":"debian:bookworm"},{"value":"trixie","to":"debian:trixie"}]}}]`), metav1.PatchOptions{})
		Expect(err).NotTo(HaveOccurred())
		w.Eventually(ctx, func() any { return release("web") }).Should(Equal("stable"))
		kind.create(ctx, "next", set("spec.release", "trixie"))
		w.Eventually(ctx, func() any { return release("next") }).Should(Equal("trixie"))
		kind.remove(ctx, "next")
		w.Eventually(ctx, seen.names).Should(Equal([]string{"next"}), "nothing else was deleted meanwhile")
	})
}

// deletions are the objects whose deletion an informer has reported.
type deletions struct {
	cache.ResourceEventHandlerFuncs
	lock    sync.Mutex
	deleted []string
}

// OnDelete notes the name of an object.
func (d *deletions) OnDelete(object any) {
	d.lock.Lock()
	defer d.lock.Unlock()
	name, err := cache.DeletionHandlingObjectToName(object)
	if err == nil {
		d.deleted = append(d.deleted, name.Name)
	}
}

func (d *deletions) names() []string {
	d.lock.Lock()
	defer d.lock.Unlock()
	return append([]string(nil), d.deleted...)
}
