// SPDX-License-Identifier: Apache-2.0

package dynamic_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	apidiscoveryv2 "k8s.io/api/apidiscovery/v2"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/metadata"
	restclient "k8s.io/client-go/rest"
	"k8s.io/kube-openapi/pkg/spec3"

	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/apiserver/dynamic"
	"goldsmith.dev/goldsmith/e2e/require"
)

// request sends a request without a client library.
func request(t *testing.T, running *builder.Running, method, path, body string, headers ...string) (int, string) {
	t.Helper()
	client := require.Value(restclient.HTTPClientFor(running.ClientConfig()))(t)
	request := require.Value(http.NewRequestWithContext(t.Context(), method, running.Address()+path, strings.NewReader(body)))(t)
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := client.Do(request)
	require.NoError(t, err)
	defer func() { require.NoError(t, response.Body.Close()) }()
	return response.StatusCode, string(require.Value(io.ReadAll(response.Body))(t))
}

const (
	toysPath     = "/apis/" + shopGroup + "/v1/namespaces/default/toys"
	asTable      = "application/json;as=Table;g=meta.k8s.io;v=v1"
	asMetadata   = "application/vnd.kubernetes.protobuf;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
	jsonMetadata = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
)

func TestObjectsOfDynamicKindsHaveTheFormatsOfCustomResources(t *testing.T) {
	t.Parallel()
	shelf := newShelf()
	_, running := shop(t, shelf.toy("1"), readable(t))
	require.Value(clientOf(t, running).Resource(toys).Namespace("default").Create(t.Context(), newToy("bear", map[string]any{"size": "large"}), metav1.CreateOptions{}))(t)
	t.Run("tables", func(t *testing.T) { printsToys(t, running) })
	t.Run("metadata", func(t *testing.T) { showsMetadata(t, running) })
	t.Run("field validation", func(t *testing.T) { validatesFields(t, running) })
	t.Run("server-side apply", func(t *testing.T) { appliesToys(t, running) })
	t.Run("dry runs", func(t *testing.T) { runsDry(t, running) })
	t.Run("refusals", func(t *testing.T) { refuses(t, running) })
	t.Run("Go types", func(t *testing.T) { showsGoTypes(t, running) })
	t.Run("discovery", func(t *testing.T) { discovers(t, running) })
	t.Run("metrics", func(t *testing.T) { counts(t, running) })
	t.Run("OpenAPI", func(t *testing.T) { describesToys(t, running) })
}

// readable is a kind with a status, whose objects can only be read. They have a Go type.
func readable(t *testing.T) dynamic.Kind {
	t.Helper()
	kind := definition("views", "View", toyFields())
	kind.Spec.Versions[0].Subresources = &apiextensionsv1.CustomResourceSubresources{Status: &apiextensionsv1.CustomResourceSubresourceStatus{}}
	view := newView("brown")
	view.Kind = "View"
	return computed(kind, "1", []*View{view})
}

func printsToys(t *testing.T, running *builder.Running) {
	g := NewWithT(t)
	for path, size := range map[string]any{toysPath: "large", toysPath + "/bear": "large", strings.Replace(toysPath, "toys", "views", 1): nil} {
		code, body := request(t, running, http.MethodGet, path, "", "Accept", asTable)
		g.Expect(code).To(Equal(http.StatusOK), body)
		table := &metav1.Table{}
		require.NoError(t, json.Unmarshal([]byte(body), table))
		g.Expect(table.ColumnDefinitions).To(HaveLen(2))
		g.Expect(table.Rows).To(HaveLen(1))
		g.Expect(table.Rows[0].Cells).To(Equal([]any{"bear", size}))
	}
}

func showsMetadata(t *testing.T, running *builder.Running) {
	g := NewWithT(t)
	client := require.Value(metadata.NewForConfig(running.ClientConfig()))(t) // it asks for protobuf
	for _, resource := range []string{"toys", "views"} {
		of := client.Resource(toys.GroupVersion().WithResource(resource))
		list := require.Value(of.Namespace("default").List(t.Context(), metav1.ListOptions{}))(t)
		g.Expect(list.Items).To(HaveLen(1))
		g.Expect(list.Items[0].Name).To(Equal("bear"))
		g.Expect(require.Value(of.Namespace("default").Get(t.Context(), "bear", metav1.GetOptions{}))(t).Name).To(Equal("bear"))
		events := require.Value(of.Watch(t.Context(), metav1.ListOptions{}))(t)
		var event watch.Event
		g.Eventually(events.ResultChan()).Should(Receive(&event))
		g.Expect(event.Object.(*metav1.PartialObjectMetadata).Name).To(Equal("bear"))
		events.Stop()
		path := strings.Replace(toysPath, "toys", resource, 1) + "/bear"
		code, body := request(t, running, http.MethodGet, path, "", "Accept", jsonMetadata)
		g.Expect(code).To(Equal(http.StatusOK))
		g.Expect(body).To(And(ContainSubstring(`"kind":"PartialObjectMetadata"`), ContainSubstring(`"name":"bear"`), Not(ContainSubstring(`"spec":`))))
		code, body = request(t, running, http.MethodGet, path, "", "Accept", asMetadata)
		g.Expect(code).To(Equal(http.StatusOK))
		g.Expect(body).To(HavePrefix("k8s\x00"))
		code, _ = request(t, running, http.MethodGet, path, "", "Accept", runtime.ContentTypeProtobuf)
		g.Expect(code).To(Equal(http.StatusNotAcceptable), "objects themselves have no protobuf")
	}
	// kubectl delete --all, and the garbage collector, send options in protobuf.
	of := client.Resource(toys).Namespace("default")
	require.Value(clientOf(t, running).Resource(toys).Namespace("default").Create(t.Context(), newToy("lost", nil), metav1.CreateOptions{}))(t)
	uid := types.UID("another")
	err := of.Delete(t.Context(), "lost", metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid}})
	g.Expect(apierrors.IsConflict(err)).To(BeTrue(), "%v", err)
	g.Expect(of.DeleteCollection(t.Context(), metav1.DeleteOptions{}, metav1.ListOptions{FieldSelector: "metadata.name=lost"})).To(Succeed())
	list := require.Value(of.List(t.Context(), metav1.ListOptions{}))(t)
	g.Expect(list.Items).To(HaveLen(1))
}

func validatesFields(t *testing.T, running *builder.Running) {
	g := NewWithT(t)
	const body = `{"apiVersion": "shop.example.com/v1", "kind": "Toy", "metadata": {"name": "odd", "colour": "no"}, "spec": {"wheels": 4, "colour": "red", "colour": "green"}}`
	code, answer := request(t, running, http.MethodPost, toysPath+"?dryRun=All&fieldValidation=Strict", body, "Content-Type", "application/json")
	g.Expect(code).To(Equal(http.StatusBadRequest))
	g.Expect(answer).To(And(ContainSubstring(`unknown field \"spec.wheels\"`), ContainSubstring(`unknown field \"metadata.colour\"`), ContainSubstring(`duplicate field \"spec.colour\"`)))
	code, answer = request(t, running, http.MethodPost, toysPath+"?dryRun=All&fieldValidation=Ignore", body, "Content-Type", "application/json")
	g.Expect(code).To(Equal(http.StatusCreated))
	g.Expect(answer).To(And(ContainSubstring("green"), Not(ContainSubstring("wheels"))))

	warnings := &warnings{}
	config := running.ClientConfig()
	config.WarningHandler = warnings
	client := require.Value(discovery.NewDiscoveryClientForConfig(config))(t).RESTClient()
	g.Expect(client.Post().AbsPath(toysPath).Param("dryRun", "All").Param("fieldValidation", "Warn").SetHeader("Content-Type", "application/yaml").
		Body([]byte("apiVersion: shop.example.com/v1\nkind: Toy\nmetadata: {name: odd}\nspec: {wheels: 4}\n")).Do(t.Context()).Error()).To(Succeed())
	g.Expect(warnings.texts).To(ConsistOf(`unknown field "spec.wheels"`))
	for _, patch := range []struct{ kind, body string }{
		{string(types.MergePatchType), `{"spec": {"wheels": 4}}`},
		{string(types.JSONPatchType), `[{"op": "add", "path": "/spec/wheels", "value": 4}]`},
	} {
		code, answer = request(t, running, http.MethodPatch, toysPath+"/bear?fieldValidation=Strict", patch.body, "Content-Type", patch.kind)
		g.Expect(code).To(Equal(http.StatusUnprocessableEntity), patch.kind)
		g.Expect(answer).To(ContainSubstring("spec.wheels"))
	}
}

type warnings struct{ texts []string }

func (w *warnings) HandleWarningHeader(_ int, _ string, text string) { w.texts = append(w.texts, text) }

func appliesToys(t *testing.T, running *builder.Running) {
	g := NewWithT(t)
	client := clientOf(t, running).Resource(toys).Namespace("default")
	applied := require.Value(client.Apply(t.Context(), "doll", newToy("doll", map[string]any{"colour": "red"}), metav1.ApplyOptions{FieldManager: "ann"}))(t)
	g.Expect(applied.Object["spec"]).To(Equal(map[string]any{"colour": "red", "size": "small"}))
	_, err := client.Apply(t.Context(), "doll", newToy("doll", map[string]any{"colour": "blue"}), metav1.ApplyOptions{FieldManager: "ben"})
	g.Expect(apierrors.IsConflict(err)).To(BeTrue(), "%v", err)
	g.Expect(err.Error()).To(And(ContainSubstring(`"ann"`), ContainSubstring(".spec.colour")))
	applied = require.Value(client.Apply(t.Context(), "doll", newToy("doll", map[string]any{"colour": "blue"}), metav1.ApplyOptions{FieldManager: "ben", Force: true}))(t)
	g.Expect(applied.Object["spec"]).To(HaveKeyWithValue("colour", "blue"))
	applied = require.Value(client.Apply(t.Context(), "doll", newToy("doll", nil), metav1.ApplyOptions{FieldManager: "ben"}))(t)
	g.Expect(applied.Object["spec"]).To(Equal(map[string]any{"size": "small"}), "fields that nobody applies any more are removed")
	_, err = client.Apply(t.Context(), "doll", newToy("doll", map[string]any{"wheels": int64(4)}), metav1.ApplyOptions{FieldManager: "ben"})
	g.Expect(apierrors.IsBadRequest(err)).To(BeTrue(), "%v", err)
	g.Expect(err).To(MatchError("the patch cannot be applied: spec.wheels: field not declared in schema"))
	_, err = client.Apply(t.Context(), "doll", newToy("doll", map[string]any{"colour": int64(4)}), metav1.ApplyOptions{FieldManager: "ben"})
	g.Expect(err).To(MatchError("the patch cannot be applied: spec.colour: expected string"))
	require.NoError(t, client.Delete(t.Context(), "doll", metav1.DeleteOptions{}))
}

func runsDry(t *testing.T, running *builder.Running) {
	g := NewWithT(t)
	client := clientOf(t, running).Resource(toys).Namespace("default")
	all := []string{metav1.DryRunAll}
	require.Value(client.Create(t.Context(), newToy("dry", nil), metav1.CreateOptions{DryRun: all}))(t)
	require.Value(client.Patch(t.Context(), "bear", types.MergePatchType, []byte(`{"spec": {"colour": "grey"}}`), metav1.PatchOptions{DryRun: all}))(t)
	g.Expect(client.Delete(t.Context(), "bear", metav1.DeleteOptions{DryRun: all})).To(Succeed())
	list := require.Value(client.List(t.Context(), metav1.ListOptions{}))(t)
	g.Expect(list.Items).To(HaveLen(1))
	g.Expect(list.Items[0].Object["spec"]).NotTo(HaveKey("colour"))
}

func refuses(t *testing.T, running *builder.Running) {
	g := NewWithT(t)
	const toy = `{"apiVersion": "shop.example.com/v1", "kind": "Toy", "metadata": {"name": "toy"}}`
	views := strings.Replace(toysPath, "toys", "views", 1)
	code, body := request(t, running, http.MethodPost, toysPath+"?dryRun=All", `{"metadata": {"name": "toy"}}`, "Content-Type", "application/json")
	g.Expect(code).To(Equal(http.StatusCreated), "the URL tells the kind: %s", body)
	for _, wrong := range []struct {
		method, path, body string
		code               int
		message            string
	}{
		{http.MethodPost, toysPath, strings.Replace(toy, "Toy", "Game", 1), 400, "kind: must be Toy, not Game"},
		{http.MethodPost, toysPath, strings.Replace(toy, "/v1", "/v2", 1), 400, "does not match the expected API version"},
		{http.MethodPost, toysPath, strings.Replace(toy, `"toy"`, `7`, 1), 400, "metadata.name: must be a string, not a number"},
		{http.MethodPost, toysPath, `{"spec": "` + strings.Repeat("x", 3<<20) + `"}`, 413, "limit is"},
		{http.MethodPost, "/apis/" + shopGroup + "/v1/toys", toy, 404, ""},
		{http.MethodGet, "/apis/" + shopGroup + "/v1/toys/bear", "", 404, ""},
		{http.MethodGet, toysPath + "/bear/status", "", 404, ""},
		{http.MethodGet, toysPath + "?fieldSelector=spec.size=large", "", 400, "field label not supported: spec.size"},
		{http.MethodGet, toysPath + "?limit=many", "", 400, `limit must be a number`},
		{http.MethodDelete, toysPath + "/bear", `{"gracePeriodSeconds": "soon"}`, 400, "the options of the deletion: gracePeriodSeconds"},
		{http.MethodPatch, toysPath + "/bear", `[]`, 400, "must be an object, not a list"},
		{http.MethodPatch, toysPath + "/bear", `{"metadata": {"labels": 7}}`, 422, "metadata.labels: must be an object, not a number"},
		{http.MethodPatch, toysPath + "/bear", `{"metadata": {"resourceVersion": "new"}}`, 400, "is no version of an object"},
		{http.MethodPut, toysPath + "/bear", strings.Replace(toy, `"toy"`, `"bear", "resourceVersion": "new"`, 1), 400, "is no version of an object"},
		{http.MethodPost, views, toy, 405, "create"},
		{http.MethodPut, views + "/bear", toy, 405, "update"},
		{http.MethodPatch, views + "/bear", "{}", 405, "patch"},
		{http.MethodDelete, views + "/bear", "", 405, "delete"},
		{http.MethodDelete, views, "", 405, "deletecollection"},
		{http.MethodPut, views + "/bear/status", toy, 405, "update"},
		{http.MethodPost, views + "/bear/log", "", 405, "create"},
		{http.MethodGet, views + "/bear/other", "", 404, ""},
	} {
		contentType := "application/json"
		if wrong.method == http.MethodPatch {
			contentType = string(types.MergePatchType)
		}
		code, body := request(t, running, wrong.method, wrong.path, wrong.body, "Content-Type", contentType)
		g.Expect(code).To(Equal(wrong.code), "%s %s: %s", wrong.method, wrong.path, body)
		g.Expect(body).To(ContainSubstring(wrong.message))
	}
}

func showsGoTypes(t *testing.T, running *builder.Running) {
	g := NewWithT(t)
	views := clientOf(t, running).Resource(toys.GroupVersion().WithResource("views")).Namespace("default")
	bear := require.Value(views.Get(t.Context(), "bear", metav1.GetOptions{}))(t)
	g.Expect(bear.Object["spec"]).To(Equal(map[string]any{"colour": "brown"}))
	list := require.Value(views.List(t.Context(), metav1.ListOptions{}))(t)
	g.Expect(list.GetKind()).To(Equal("ViewList"))
	g.Expect(list.Items).To(ConsistOf(*bear))
	g.Expect(require.Value(views.Get(t.Context(), "bear", metav1.GetOptions{}, "status"))(t)).To(Equal(bear))
	_, body := request(t, running, http.MethodGet, strings.Replace(toysPath, "toys", "views", 1)+"/bear/log", "")
	g.Expect(body).To(Equal("the log of bear"))
	code, body := request(t, running, http.MethodGet, strings.Replace(toysPath, "toys", "views", 1)+"/bear", "", "Accept", "application/yaml")
	g.Expect(code).To(Equal(http.StatusOK))
	g.Expect(body).To(ContainSubstring("colour: brown"))
}

func discovers(t *testing.T, running *builder.Running) {
	g := NewWithT(t)
	client := require.Value(discovery.NewDiscoveryClientForConfig(running.ClientConfig()))(t)
	groups := require.Value(client.ServerGroups())(t)
	g.Expect(groups.Groups).To(ContainElement(HaveField("Name", shopGroup)))
	legacy := require.Value(client.ServerResourcesForGroupVersion(shopGroup + "/v1"))(t)
	verbs := map[string]string{}
	for _, resource := range legacy.APIResources {
		verbs[resource.Name] = strings.Join(resource.Verbs, " ")
		g.Expect(resource.Namespaced).To(BeTrue())
	}
	g.Expect(verbs).To(Equal(map[string]string{
		"toys": "create delete deletecollection get list patch update watch", "views": "get list watch", "views/status": "get", "views/log": "get",
	}))
	code, body := request(t, running, http.MethodGet, "/apis", "", "Accept", "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList")
	g.Expect(code).To(Equal(http.StatusOK))
	all := &apidiscoveryv2.APIGroupDiscoveryList{}
	require.NoError(t, json.Unmarshal([]byte(body), all))
	for _, group := range all.Items {
		if group.Name == shopGroup {
			g.Expect(group.Versions[0].Freshness).To(Equal(apidiscoveryv2.DiscoveryFreshnessCurrent))
			g.Expect(group.Versions[0].Resources[0]).To(HaveField("ResponseKind.Kind", "Toy"))
			g.Expect(group.Versions[0].Resources[1].Subresources).To(ConsistOf(HaveField("Subresource", "log"), HaveField("Subresource", "status")))
		}
	}
	_, resources, err := client.ServerGroupsAndResources()
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(resources).To(ContainElement(And(HaveField("GroupVersion", shopGroup+"/v1"), HaveField("APIResources", HaveLen(4)))))
}

func counts(t *testing.T, running *builder.Running) {
	g := NewWithT(t)
	_, text := request(t, running, http.MethodGet, "/metrics", "")
	for _, labels := range []string{`code="201".*group="shop.example.com",resource="toys",scope="resource",subresource="",verb="POST",version="v1"`, `resource="views".*subresource="log",verb="CONNECT"`} {
		g.Expect(text).To(MatchRegexp(`apiserver_request_total{` + ".*" + labels))
	}
}

func describesToys(t *testing.T, running *builder.Running) {
	g := NewWithT(t)
	client := require.Value(discovery.NewDiscoveryClientForConfig(running.ClientConfig()))(t)
	v2 := require.Value(client.OpenAPISchema())(t) // in protobuf, which the server made by reading the document like kubectl
	names, renamed := []string{}, []string{}
	for _, definition := range v2.GetDefinitions().GetAdditionalProperties() {
		names = append(names, definition.GetName())
		if strings.HasSuffix(definition.GetName(), "_v2") {
			renamed = append(renamed, definition.GetName())
		}
	}
	g.Expect(names).To(ContainElements("com.example.shop.v1.Toy", "com.example.shop.v1.ToyList", "com.example.shop.v1.View", "io.k8s.api.core.v1.Pod"))
	g.Expect(renamed).To(BeEmpty(), "no definition of the server differs from that of a kind")
	_, text := request(t, running, http.MethodGet, "/openapi/v2", "", "Accept", "application/json")
	g.Expect(text).NotTo(MatchRegexp(`"additionalProperties": ?(true|false)`))
	v3 := &spec3.OpenAPI{}
	_, text = request(t, running, http.MethodGet, "/openapi/v3/apis/"+shopGroup+"/v1", "", "Accept", "application/json")
	require.NoError(t, json.Unmarshal([]byte(text), v3))
	toy := v3.Components.Schemas["com.example.shop.v1.Toy"]
	g.Expect(toy.Extensions).To(HaveKeyWithValue("x-kubernetes-group-version-kind", ConsistOf(map[string]any{"group": shopGroup, "version": "v1", "kind": "Toy"})))
	g.Expect(toy.Properties["spec"].Description).To(Equal("spec is what the kind is about."))
	actions := map[string][]string{}
	for path, item := range v3.Paths.Paths {
		for method, operation := range map[string]*spec3.Operation{"get": item.Get, "put": item.Put, "post": item.Post, "delete": item.Delete, "patch": item.Patch} {
			if operation != nil {
				kind := operation.Extensions["x-kubernetes-group-version-kind"].(map[string]any)["kind"].(string)
				action, _ := operation.Extensions.GetString("x-kubernetes-action")
				actions[kind] = append(actions[kind], fmt.Sprint(method, " ", strings.TrimPrefix(path, "/apis/"+shopGroup+"/v1/namespaces/{namespace}"), ": ", action))
			}
		}
	}
	g.Expect(actions["Toy"]).To(ConsistOf("get /apis/shop.example.com/v1/toys: list", "get /toys: list", "post /toys: post", "delete /toys: deletecollection",
		"get /toys/{name}: get", "put /toys/{name}: put", "delete /toys/{name}: delete", "patch /toys/{name}: patch"))
	g.Expect(actions["View"]).To(ConsistOf("get /apis/shop.example.com/v1/views: list", "get /views: list", "get /views/{name}: get", "get /views/{name}/status: get"))
}
