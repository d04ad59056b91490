// SPDX-License-Identifier: Apache-2.0

package dynamic_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"testing"

	. "github.com/onsi/gomega"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/client-go/discovery"
	restclient "k8s.io/client-go/rest"
	"k8s.io/kube-openapi/pkg/spec3"

	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/apiserver/builder/buildertest"
	"goldsmith.dev/goldsmith/apiserver/dynamic"
	"goldsmith.dev/goldsmith/apiserver/resources"
	"goldsmith.dev/goldsmith/e2e/require"
)

// repair is a subresource that clients POST a Job to.
type repair struct{}

var (
	_ rest.NamedCreater    = repair{}
	_ rest.StorageMetadata = repair{}
)

func (repair) New() runtime.Object               { return &batchv1.Job{} }
func (repair) Destroy()                          {}
func (repair) ProducesMIMETypes(string) []string { return nil }
func (repair) ProducesObject(string) any         { return batchv1.Job{} }

func (repair) Create(ctx context.Context, name string, object runtime.Object, admit rest.ValidateObjectFunc, _ *metav1.CreateOptions) (runtime.Object, error) {
	if err := admit(ctx, object); err != nil {
		return nil, err
	}
	job := object.(*batchv1.Job)
	job.Annotations = map[string]string{"repairs": name}
	return job, nil
}

// diary is a subresource that streams text.
type diary struct {
	destroyed chan<- struct{} // closed by Destroy
}

var (
	_ rest.GetterWithOptions = diary{}
	_ rest.StorageMetadata   = diary{}
)

func (d diary) New() runtime.Object { return newToy("", nil) }
func (d diary) Destroy()            { close(d.destroyed) }
func (diary) NewGetOptions() (runtime.Object, bool, string) {
	return &corev1.PodLogOptions{}, false, ""
}
func (diary) ProducesMIMETypes(string) []string { return []string{"text/plain"} }
func (diary) ProducesObject(string) any         { return "" }
func (diary) GetObjectKind() schema.ObjectKind  { return schema.EmptyObjectKind }
func (d diary) DeepCopyObject() runtime.Object  { return d }

func (d diary) Get(_ context.Context, _ string, options runtime.Object) (runtime.Object, error) {
	if !options.(*corev1.PodLogOptions).Follow {
		return nil, apierrors.NewBadRequest("it has no end: follow it")
	}
	return d, nil
}

func (diary) InputStream(ctx context.Context, _, _ string) (io.ReadCloser, bool, string, error) {
	stream, err := buildertest.EndlessLogs{}.OpenLog(ctx, nil, nil)
	return stream, true, "text/plain", err
}

// repairable is a kind with a revision whose objects nobody stores. The channel is closed when its storages are.
func repairable(revision string) (dynamic.Kind, <-chan struct{}) {
	destroyed := make(chan struct{})
	kind := computed(definition("toys", "Toy", toyFields()), revision, nil)
	of := kind.Storages
	kind.Storages = func(serving dynamic.Serving) (resources.Storages, error) {
		storages, err := of(serving)
		delete(storages, "status")
		storages["repair"], storages["log"] = repair{}, diary{destroyed: destroyed}
		return storages, err
	}
	return kind, destroyed
}

func TestRequestsAtASubresourceCanBeOfAnotherKind(t *testing.T) {
	t.Parallel()
	kind, _ := repairable("1")
	_, running := shop(t, kind)
	path := toysPath + "/bear/repair"
	job := `{"apiVersion": "batch/v1", "kind": "Job", "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "i"}]}}}`
	for name, c := range map[string]struct {
		method, path, body, want string
		code                     int
	}{
		"a request":           {http.MethodPost, path, job + `}`, `"repairs":"bear"`, http.StatusCreated},
		"defaults":            {http.MethodPost, path, job + `}`, `"dnsPolicy":"ClusterFirst"`, http.StatusCreated},
		"an unknown field":    {http.MethodPost, path + "?fieldValidation=Strict", job + `, "colour": "red"}`, `unknown field \"colour\"`, http.StatusBadRequest},
		"a wrong type":        {http.MethodPost, path, `{"apiVersion": "batch/v1", "kind": "Job", "spec": {"parallelism": "many"}}`, "spec.parallelism", http.StatusBadRequest},
		"another kind":        {http.MethodPost, path, `{"apiVersion": "v1", "kind": "ConfigMap"}`, "kind: must be Job, not ConfigMap", http.StatusBadRequest},
		"the resource's kind": {http.MethodPost, path, `{"apiVersion": "shop.example.com/v1", "kind": "Toy"}`, "kind: must be Job, not Toy", http.StatusBadRequest},
		"another verb":        {http.MethodGet, path, "", "MethodNotAllowed", http.StatusMethodNotAllowed},
		"wrong options":       {http.MethodGet, toysPath + "/bear/log?tailLines=many", "", "tailLines", http.StatusBadRequest},
		"no stream":           {http.MethodGet, toysPath + "/bear/log", "", "it has no end: follow it", http.StatusBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			code, body := request(t, running, c.method, c.path, c.body, "Content-Type", "application/json")
			g.Expect(code).To(Equal(c.code), body)
			g.Expect(body).To(ContainSubstring(c.want))
		})
	}
	t.Run("discovery", func(t *testing.T) { discoversRepairs(t, running) })
	t.Run("OpenAPI", func(t *testing.T) { describesRepairs(t, running) })
}

func discoversRepairs(t *testing.T, running *builder.Running) {
	g := NewWithT(t)
	client := require.Value(discovery.NewDiscoveryClientForConfig(running.ClientConfig()))(t)
	for _, client := range []discovery.DiscoveryInterface{client, client.WithLegacy()} {
		_, lists, err := client.ServerGroupsAndResources()
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(lists).To(ContainElement(And(HaveField("GroupVersion", shopGroup+"/v1"), HaveField("APIResources", ContainElements(
			And(HaveField("Name", "toys/repair"), HaveField("Group", "batch"), HaveField("Version", "v1"), HaveField("Kind", "Job"), HaveField("Verbs", ConsistOf("create"))),
			And(HaveField("Name", "toys/log"), HaveField("Kind", "Toy"), HaveField("Verbs", ConsistOf("get"))),
		)))))
	}
}

func describesRepairs(t *testing.T, running *builder.Running) {
	g := NewWithT(t)
	v3 := &spec3.OpenAPI{}
	_, text := request(t, running, http.MethodGet, "/openapi/v3/apis/"+shopGroup+"/v1", "", "Accept", "application/json")
	require.NoError(t, json.Unmarshal([]byte(text), v3))
	base := "/apis/" + shopGroup + "/v1/namespaces/{namespace}/toys/{name}"
	repair := v3.Paths.Paths[base+"/repair"]
	g.Expect(repair.Post.RequestBody.Content["application/json"].Schema.Ref.String()).To(Equal("#/components/schemas/io.k8s.api.batch.v1.Job"))
	g.Expect(repair.Post.Responses.StatusCodeResponses[201].Content["application/json"].Schema.Ref.String()).To(Equal("#/components/schemas/io.k8s.api.batch.v1.Job"))
	g.Expect(v3.Components.Schemas).To(HaveKey("io.k8s.api.batch.v1.Job"))
	g.Expect(repair.Post.Extensions).To(HaveKeyWithValue("x-kubernetes-group-version-kind", HaveKeyWithValue("kind", "Job")))
	log := v3.Paths.Paths[base+"/log"]
	g.Expect(log.Get.Responses.StatusCodeResponses[200].Content).To(HaveKey("text/plain"))
	g.Expect(log.Parameters).To(ContainElement(HaveField("Name", "tailLines")))

	client := require.Value(discovery.NewDiscoveryClientForConfig(running.ClientConfig()))(t)
	v2 := require.Value(client.OpenAPISchema())(t)
	paths := map[string]string{}
	for _, path := range v2.GetPaths().GetPath() {
		for _, parameter := range path.GetValue().GetPost().GetParameters() {
			if body := parameter.GetParameter().GetBodyParameter(); body != nil {
				paths[path.GetName()] = body.GetSchema().GetXRef()
			}
		}
		for _, parameter := range path.GetValue().GetParameters() {
			if body := parameter.GetParameter().GetBodyParameter(); body != nil {
				paths[path.GetName()] = body.GetSchema().GetXRef()
			}
		}
	}
	g.Expect(paths).To(HaveKeyWithValue(base+"/repair", "#/definitions/io.k8s.api.batch.v1.Job"))
}

// A stream goes on when its kind is replaced. The storages are closed when it has ended.
func TestAStreamOutlivesItsKind(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	first, destroyed := repairable("1")
	group := dynamic.NewGroup(shopGroup, "v1")
	require.NoError(t, group.Replace([]dynamic.Kind{first}))
	running, stopServer := buildertest.Start(t, buildertest.CoreKinds(builder.Memory()).WithDynamicGroup(group))
	stop, ended := followLog(t, running)

	second, stopped := repairable("2")
	require.NoError(t, group.Replace(nil))
	require.NoError(t, group.Replace([]dynamic.Kind{second}))
	g.Expect(ended).NotTo(Receive())
	g.Expect(destroyed).NotTo(BeClosed())
	stop()
	g.Eventually(ended).Should(Receive(HaveOccurred()))
	g.Eventually(destroyed).Should(BeClosed())

	_, ended = followLog(t, running)
	stopServer()
	g.Eventually(ended).Should(Receive(HaveOccurred()))
	g.Expect(stopped).To(BeClosed())
}

// followLog reads the first line of a log, and returns how to end the stream, and how it ended.
func followLog(t *testing.T, running *builder.Running) (stop func(), ended <-chan error) {
	t.Helper()
	config := running.ClientConfig()
	client := require.Value(restclient.HTTPClientFor(config))(t)
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(stop)
	follow := require.Value(http.NewRequestWithContext(ctx, http.MethodGet, config.Host+toysPath+"/bear/log?follow=true", nil))(t)
	response := require.Value(client.Do(follow))(t) //nolint:bodyclose // the cleanup closes it
	t.Cleanup(func() { _ = response.Body.Close() })
	lines := bufio.NewReader(response.Body)
	NewWithT(t).Expect(require.Value(lines.ReadString('\n'))(t)).To(Equal("line\n"))
	result := make(chan error, 1)
	go func() {
		_, err := lines.ReadString('\n')
		result <- err
	}()
	return stop, result
}
