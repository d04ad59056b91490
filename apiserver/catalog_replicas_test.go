// SPDX-License-Identifier: Apache-2.0

package apiserver_test

import (
	"os"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/yaml"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver"
	"goldsmith.dev/goldsmith/apiserver/builder"
	registry "goldsmith.dev/goldsmith/apiserver/registry/catalog"
	"goldsmith.dev/goldsmith/apiserver/storage/etcd"
	"goldsmith.dev/goldsmith/jobs/catalog"
)

// While the documents of a kind change, the replicas of a server have different revisions of the kind for a moment.
var _ = Describe("Two replicas with different revisions of a kind", func() {
	var former, next dynamic.ResourceInterface
	var images func(ctx SpecContext) map[string]string // the parameters of the Image web
	BeforeEach(func(ctx SpecContext) {
		database := must(etcd.Start(ctx, ""))
		DeferCleanup(func() { Expect(database.Stop()).To(Succeed()) })
		const ofOwner = "        owner:\n"
		changed := strings.NewReplacer(ofOwner, "        swap: {type: string, maxLength: 8, description: Size of the swap space.}\n"+ofOwner,
			"    bindings:\n", "    bindings:\n    - {field: spec.swap, to: \"spec.parameters[swap]\"}\n").
			Replace(string(must(os.ReadFile("testdata/catalog/debianservers-changed.yaml"))))
		declared := &v1alpha1.ImageKind{}
		Expect(yaml.UnmarshalStrict([]byte(changed), declared)).To(Succeed())
		second, errs := catalog.Compile(ctx, declared)
		Expect(errs).To(BeEmpty())
		replica := func(kind *catalog.Kind) *builder.Running {
			return startOn(ctx, builder.ExternalEtcd(database.Transport()), apiserver.Register(builder.New("replica"), apiserver.Options{
				Logs: logs, Kinds: registry.NewConfiguration([]*catalog.Kind{kind}),
			}))
		}
		ofFormer, ofNext := replica(readKind(ctx, "testdata/catalog/debianservers.yaml")), replica(second)
		former = must(dynamic.NewForConfig(ofFormer.ClientConfig())).Resource(debianServers).Namespace("default")
		next = must(dynamic.NewForConfig(ofNext.ClientConfig())).Resource(debianServers).Namespace("default")
		images = func(ctx SpecContext) map[string]string {
			return parametersOf(must(must(versioned.NewForConfig(ofFormer.ClientConfig())).ImagesV1alpha1().Images("default").Get(ctx, "web", metav1.GetOptions{})))
		}
	})

	It("both serve all objects, and the former one changes no field that only the next one has", func(ctx SpecContext) {
		server := newServer("web")
		server.Object["spec"].(map[string]any)["size"], server.Object["spec"].(map[string]any)["swap"] = "medium", "1Gi"
		created := must(next.Create(ctx, server, metav1.CreateOptions{}))
		read := must(former.Get(ctx, "web", metav1.GetOptions{}))
		Expect(specOf(read)).To(Equal(map[string]any{"packages": []any{"nginx"}, "release": "bookworm", "retention": "2160h"}), "what the former revision knows")
		Expect(read.GetUID()).To(Equal(created.GetUID()))
		stored := map[string]string{"disk": "50Gi", "host": "srv-web", "packages": `["nginx"]`, "swap": "1Gi"}
		Expect(images(ctx)).To(Equal(stored))

		must(former.Patch(ctx, "web", types.MergePatchType, []byte(`{"metadata": {"labels": {"team": "red"}}}`), metav1.PatchOptions{}))
		must(former.Patch(ctx, "web", types.JSONPatchType, []byte(`[{"op": "add", "path": "/metadata/labels/tier", "value": "web"}]`), metav1.PatchOptions{}))
		replaced := must(former.Get(ctx, "web", metav1.GetOptions{}))
		replaced.SetLabels(map[string]string{"team": "blue"})
		must(former.Update(ctx, replaced, metav1.UpdateOptions{}))
		Expect(images(ctx)).To(Equal(stored), "a replacement, too, of what the former one has shown")
		Expect(specOf(must(next.Get(ctx, "web", metav1.GetOptions{})))).To(And(HaveKeyWithValue("size", "medium"), HaveKeyWithValue("swap", "1Gi")))
		err := errorOf(former.Patch(ctx, "web", types.MergePatchType, []byte(`{"spec": {"release": "trixie"}}`), metav1.PatchOptions{}))
		Expect(err).To(MatchError(ContainSubstring("spec.size: Required value")), "the former one does not know the value")
	})

	It("the former one refuses what it does not know, or leaves it as it is", func(ctx SpecContext) {
		server := newServer("web")
		server.Object["spec"].(map[string]any)["swap"] = "1Gi"
		err := errorOf(former.Create(ctx, server, metav1.CreateOptions{FieldValidation: metav1.FieldValidationStrict}))
		Expect(apierrors.IsBadRequest(err)).To(BeTrue(), "%v", err)
		must(next.Create(ctx, server, metav1.CreateOptions{}))
		shown := must(next.Get(ctx, "web", metav1.GetOptions{}))
		Expect(unstructured.SetNestedField(shown.Object, "2Gi", "spec", "swap")).To(Succeed())
		must(former.Update(ctx, shown, metav1.UpdateOptions{}))
		Expect(images(ctx)).To(HaveKeyWithValue("swap", "1Gi"))
		read := must(former.Get(ctx, "web", metav1.GetOptions{}))
		read.SetLabels(map[string]string{"team": "blue"})
		must(former.Update(ctx, read, metav1.UpdateOptions{}))
		Expect(images(ctx)).To(HaveKeyWithValue("swap", "1Gi"), "also by a replacement of what the former one has shown")
	})
})
