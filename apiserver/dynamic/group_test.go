// SPDX-License-Identifier: Apache-2.0

package dynamic_test

import (
	"net/http"
	"testing"

	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	dynamicclient "k8s.io/client-go/dynamic"

	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/apiserver/builder/buildertest"
	"goldsmith.dev/goldsmith/apiserver/dynamic"
	"goldsmith.dev/goldsmith/e2e/require"
)

func TestMain(m *testing.M) { buildertest.Main(m) }

// shop runs a server of the group with these kinds.
func shop(t *testing.T, kinds ...dynamic.Kind) (*dynamic.Group, *builder.Running) {
	t.Helper()
	group := dynamic.NewGroup(shopGroup, "v1")
	require.NoError(t, group.Replace(kinds))
	running, _ := buildertest.Start(t, buildertest.CoreKinds(builder.Memory()).WithDynamicGroup(group))
	return group, running
}

func clientOf(t *testing.T, running *builder.Running) dynamicclient.Interface {
	t.Helper()
	return require.Value(dynamicclient.NewForConfig(running.ClientConfig()))(t)
}

// newToy is a toy with a spec.
func newToy(name string, spec map[string]any) *unstructured.Unstructured {
	return newObject("Toy", name, spec)
}

func newObject(kind, name string, spec map[string]any) *unstructured.Unstructured {
	if spec == nil {
		spec = map[string]any{}
	}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": shopGroup + "/v1", "kind": kind, "metadata": map[string]any{"name": name}, "spec": spec,
	}}
}

func TestADynamicKindIsServedLikeACustomResource(t *testing.T) {
	t.Parallel()
	_, running := shop(t, newShelf().toy("1"))
	t.Run("create, get, list, update, patch and delete", func(t *testing.T) { changesToys(t, running) })
}

func changesToys(t *testing.T, running *builder.Running) {
	g := NewWithT(t)
	client := clientOf(t, running).Resource(toys).Namespace("default")
	created := require.Value(client.Create(t.Context(), newToy("bear", map[string]any{"colour": "brown", "wheels": int64(4)}), metav1.CreateOptions{FieldValidation: "Ignore"}))(t)
	g.Expect(created.Object["spec"]).To(Equal(map[string]any{"colour": "brown", "size": "small"}), "defaults are set, unknown fields removed")
	g.Expect(created.GetManagedFields()).To(HaveLen(1))
	list := require.Value(client.List(t.Context(), metav1.ListOptions{}))(t)
	g.Expect(list.GetKind()).To(Equal("ToyList"))
	g.Expect(list.Items).To(HaveLen(1))

	created.Object["spec"].(map[string]any)["colour"] = "black"
	updated := require.Value(client.Update(t.Context(), created, metav1.UpdateOptions{}))(t)
	g.Expect(updated.GetResourceVersion()).NotTo(Equal(created.GetResourceVersion()))
	_, err := client.Update(t.Context(), created, metav1.UpdateOptions{})
	g.Expect(apierrors.IsConflict(err)).To(BeTrue(), "%v", err)
	for kind, patch := range map[types.PatchType]string{
		types.MergePatchType: `{"spec": {"colour": "merged"}}`,
		types.JSONPatchType:  `[{"op": "replace", "path": "/spec/colour", "value": "json"}]`,
	} {
		patched := require.Value(client.Patch(t.Context(), "bear", kind, []byte(patch), metav1.PatchOptions{}))(t)
		g.Expect(patched.Object["spec"]).To(HaveKeyWithValue("colour", Or(Equal("merged"), Equal("json"))))
	}
	_, err = client.Patch(t.Context(), "bear", types.StrategicMergePatchType, []byte(`{}`), metav1.PatchOptions{})
	g.Expect(apierrors.ReasonForError(err)).To(Equal(metav1.StatusReasonUnsupportedMediaType))

	_, err = client.Create(t.Context(), newToy("wrong", map[string]any{"size": "medium"}), metav1.CreateOptions{})
	g.Expect(apierrors.IsInvalid(err)).To(BeTrue(), "%v", err)
	g.Expect(client.Delete(t.Context(), "bear", metav1.DeleteOptions{})).To(Succeed())
	_, err = client.Get(t.Context(), "bear", metav1.GetOptions{})
	g.Expect(apierrors.IsNotFound(err)).To(BeTrue(), "%v", err)
}

func TestADynamicGroupIsUnavailableUntilItKnowsItsKinds(t *testing.T) {
	g := buildertest.Parallel(t)
	group := dynamic.NewGroup(shopGroup, "v1", "v1beta1")
	options := require.Value(buildertest.CoreKinds(builder.Memory()).WithDynamicGroup(group).ToServerOptions())(t)
	running := require.Value(options.Start(t.Context()))(t)
	t.Cleanup(func() { g.Expect(running.Wait()).To(Succeed()) })
	client := require.Value(discovery.NewDiscoveryClientForConfig(running.ClientConfig()))(t)
	get := func(path string) (code int, err error) {
		result := client.RESTClient().Get().AbsPath(path).MaxRetries(0).Do(t.Context()).StatusCode(&code)
		return code, result.Error()
	}
	for _, path := range []string{"", "/v1", "/v1/toys", "/v1/namespaces/default/toys/bear", "/v2", "/v1/toys/bear/log"} {
		code, err := get("/apis/" + shopGroup + path)
		g.Expect(code).To(Equal(http.StatusServiceUnavailable), path)
		seconds, retry := apierrors.SuggestsClientDelay(err)
		g.Expect(retry).To(BeTrue(), path)
		g.Expect(seconds).To(Equal(1), path)
	}
	g.Eventually(func() (int, error) { code, _ := get("/readyz/ping"); return code, nil }).Should(Equal(http.StatusOK))
	code, _ := get("/readyz/kinds-of-" + shopGroup)
	g.Expect(code).To(Equal(http.StatusInternalServerError))

	g.Expect(group.Replace(nil)).To(Succeed())
	g.Expect(running.WaitReady(t.Context())).To(Succeed())
	for path, want := range map[string]int{"": 200, "/v1": 200, "/v1beta1": 200, "/v2": 404, "/v1/toys": 404} {
		code, _ := get("/apis/" + shopGroup + path)
		g.Expect(code).To(Equal(want), path)
	}
	g.Expect(group.Replace([]dynamic.Kind{computed(definition("toys", "Toy", toyFields()), "1", nil)})).To(Succeed())
	code, _ = get("/apis/" + shopGroup + "/v1/toys")
	g.Expect(code).To(Equal(200))
}
