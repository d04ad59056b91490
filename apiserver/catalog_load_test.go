// SPDX-License-Identifier: Apache-2.0

package apiserver_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// wideKind returns an ImageKind with many fields, each with a pattern.
func wideKind(number, fields int) *v1alpha1.ImageKind {
	plural := fmt.Sprintf("wides%d", number)
	version := v1alpha1.ImageKindVersion{Name: "v1"}
	schema := `{"type": "object", "properties": {`
	for i := range fields {
		name := fmt.Sprintf("field%d", i)
		schema += fmt.Sprintf(`"%s": {"type": "string", "maxLength": 63, "minLength": 1, "pattern": "^[a-z]+$"},`, name)
		version.Bindings = append(version.Bindings, v1alpha1.ImageKindBinding{Field: "spec." + name, To: "spec.parameters[" + name + "]"})
	}
	version.Schema = runtime.RawExtension{Raw: []byte(schema[:len(schema)-1] + "}}")}
	return &v1alpha1.ImageKind{
		ObjectMeta: metav1.ObjectMeta{Name: plural},
		Spec: v1alpha1.ImageKindSpec{
			Names: v1alpha1.ImageKindNames{Kind: fmt.Sprintf("Wide%d", number)},
			Template: runtime.RawExtension{Raw: []byte(
				`{"builder": {"name": "mock"}, "base": {"reference": "debian:trixie"}, "targets": [{"platform": "linux/amd64", "format": "raw"}]}`)},
			Versions: []v1alpha1.ImageKindVersion{version},
		},
	}
}

// fewer returns a tenth of a number in short tests.
func fewer(number int) int {
	if testing.Short() {
		return number / 10
	}
	return number
}

var _ = Describe("the ImageKinds of a server", func() {
	It("have a limit of their size together", func(ctx SpecContext) {
		stored := client.ImagesV1alpha1().ImageKinds()
		described := func(number, size int) *v1alpha1.ImageKind {
			kind := wideKind(number, 1)
			kind.Spec.Versions[0].Schema.Raw = []byte(strings.Replace(string(kind.Spec.Versions[0].Schema.Raw), "{", `{"description": "`+strings.Repeat("a", size)+`",`, 1))
			return kind
		}
		const large, more = 246_900, 15_000
		refused := func(err error) {
			GinkgoHelper()
			Expect(apierrors.IsForbidden(err)).To(BeTrue(), "%v", err)
			Expect(err).To(MatchError(ContainSubstring("at most 4 MiB are allowed together")))
		}
		created := 0
		for {
			kind := described(created, large)
			if _, err := stored.Create(ctx, kind, metav1.CreateOptions{}); err != nil {
				refused(err)
				break
			}
			DeferCleanup(func(ctx SpecContext) { remove(ctx, kind.Name) })
			created++
		}
		Expect(created).To(Equal(16), "each spec has a little more than a 17th of 4 MiB")
		update := func(kind *v1alpha1.ImageKind) error {
			patch := must(json.Marshal(map[string]any{"spec": kind.Spec}))
			_, err := stored.Patch(ctx, kind.Name, types.MergePatchType, patch, metav1.PatchOptions{})
			return err
		}
		grown := func(number int) *v1alpha1.ImageKind { return described(number, large+more) }
		var err error
		for i := 0; i < created && err == nil; i++ { // as far as there is room
			err = update(grown(i))
		}
		refused(err)
		Expect(update(described(0, 100))).To(Succeed(), "a spec can become smaller")
		Expect(update(grown(created-1))).To(Succeed(), "there is room again")
	})
})

var _ = Describe("many users of the catalog", func() {
	It("use many kinds of 100 fields each", func(ctx SpecContext) {
		const fields = 100
		count := fewer(100)
		stored := client.ImagesV1alpha1().ImageKinds()
		for i := range count {
			must(stored.Create(ctx, wideKind(i, fields), metav1.CreateOptions{}))
			DeferCleanup(func(ctx SpecContext) { remove(ctx, fmt.Sprintf("wides%d", i)) })
		}
		for i := range count {
			Eventually(ctx, func() bool { return established(ctx, fmt.Sprintf("wides%d", i)) }).Should(BeTrue())
		}
		listed := must(client.Discovery().ServerResourcesForGroupVersion(debianServers.GroupVersion().String()))
		for i := range count {
			Expect(listed.APIResources).To(ContainElement(HaveField("Name", fmt.Sprintf("wides%d", i))))
		}
		last := must(dynamic.NewForConfig(config)).Resource(debianServers.GroupVersion().WithResource(fmt.Sprintf("wides%d", count-1))).Namespace(newNamespace())
		object := newServer("web")
		object.SetKind(fmt.Sprintf("Wide%d", count-1))
		object.Object["spec"] = map[string]any{"field99": "a"}
		Expect(specOf(must(last.Create(ctx, object, metav1.CreateOptions{})))).To(Equal(map[string]any{"field99": "a"}))
		object.SetName("other")
		object.Object["spec"] = map[string]any{"field99": "1"}
		Expect(errorOf(last.Create(ctx, object, metav1.CreateOptions{}))).To(MatchError(ContainSubstring("spec.field99: Invalid value")))
	})

	It("miss nothing while their kind changes in a loop", func(ctx SpecContext) {
		users, changes := fewer(50), fewer(20)
		declare(ctx, "restless", "Restless")
		namespace := newNamespace()
		DeferCleanup(func(ctx SpecContext) { remove(ctx, "restless") })
		resource := debianServers.GroupVersion().WithResource("restless")
		objects := must(dynamic.NewForConfig(config)).Resource(resource).Namespace(namespace)
		object := newServer("web")
		object.SetKind("Restless")
		must(objects.Create(ctx, object, metav1.CreateOptions{}))

		unlimited := rest.CopyConfig(config)
		unlimited.QPS = -1
		watching, stop := context.WithCancel(ctx)
		var informers []cache.SharedIndexInformer
		for range users {
			factory := dynamicinformer.NewFilteredDynamicSharedInformerFactory(must(dynamic.NewForConfig(unlimited)), 0, namespace, nil)
			informers = append(informers, factory.ForResource(resource).Informer())
			factory.Start(watching.Done())
			DeferCleanup(factory.Shutdown)
		}
		DeferCleanup(stop)
		for i := range changes {
			template := fmt.Sprintf(`{"spec": {"template": {"parameters": [{"name": "round", "value": "%d"}]}}}`, i)
			must(client.ImagesV1alpha1().ImageKinds().Patch(ctx, "restless", types.MergePatchType, []byte(template), metav1.PatchOptions{}))
			must(objects.Patch(ctx, "web", types.MergePatchType, fmt.Appendf(nil, `{"metadata": {"labels": {"round": "%d"}}}`, i), metav1.PatchOptions{}))
		}
		final := must(objects.Get(ctx, "web", metav1.GetOptions{})).GetResourceVersion()
		for _, informer := range informers {
			Eventually(ctx, func() []any { return informer.GetStore().List() }).Should(ConsistOf(
				WithTransform(func(object metav1.Object) string { return object.GetResourceVersion() }, Equal(final))))
		}
	})
})
