// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/client-go/rest"
	"k8s.io/kubectl/pkg/cmd/apply"
	"k8s.io/kubectl/pkg/util"
	"k8s.io/utils/clock"
	"sigs.k8s.io/yaml"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver"
	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/apiserver/corekinds"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/exit"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

// The users of the tests, whose tokens are their names.
const (
	admin  = "admin"  // may do everything
	viewer = "viewer" // may only read images other than secret, and plan
	nobody = "nobody" // may only plan
)

func may(_ context.Context, attributes authorizer.Attributes) (authorizer.Decision, string, error) {
	reads, isOurs := attributes.GetVerb() == "get", attributes.GetAPIGroup() == v1alpha1.GroupName
	if asks := attributes.GetResource() == "imageplans" || attributes.GetResource() == "selfsubjectaccessreviews"; asks {
		return authorizer.DecisionAllow, "", nil
	}
	if attributes.GetUser().GetName() == viewer && isOurs && reads && attributes.GetName() != "secret" {
		return authorizer.DecisionAllow, "", nil
	}
	return authorizer.DecisionNoOpinion, "", nil
}

type noLogs struct{}

func (noLogs) OpenLog(context.Context, *corev1.Pod, *corev1.PodLogOptions) (io.ReadCloser, error) {
	return nil, errors.New("there are none")
}

// serve starts a server without controllers.
func serve(t *testing.T) *rest.Config {
	t.Helper()
	builder.QuietLogs(io.Discard)
	users := authenticator.TokenFunc(func(_ context.Context, token string) (*authenticator.Response, bool, error) {
		return &authenticator.Response{User: &user.DefaultInfo{Name: token}}, true, nil
	})
	server := apiserver.Register(builder.New("test"), apiserver.Options{
		Builders: func() (inputs.Builders, error) {
			return inputs.Builders{Registered: map[string]inputs.Builder{"mock": {Image: "mock:v1"}}}, nil
		},
	})
	options, err := corekinds.Register(server, noLogs{}).WithStorage(builder.Memory()).
		WithBearerToken(admin, &user.DefaultInfo{Name: admin, Groups: []string{user.SystemPrivilegedGroup}}).
		WithGuests(users, authorizer.AuthorizerFunc(may)).ToServerOptions()
	require.NoError(t, err)
	running, err := options.Start(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() {
		if err := running.Wait(); err != nil {
			t.Error(err)
		}
	})
	require.NoError(t, running.WaitReady(t.Context()))
	return running.ClientConfig()
}

// cluster is the server as a user of a test.
type cluster struct {
	*testing.T
	config *rest.Config
}

func (c *cluster) as(name string) *client.Connection {
	c.Helper()
	config := rest.CopyConfig(c.config)
	config.BearerToken = name
	clients, err := versioned.NewForConfig(config)
	require.NoError(c, err)
	return &client.Connection{Interface: clients, Namespace: "default", Config: config}
}

// manifest is a file with an Image.
func manifest(name string, change ...string) string {
	return strings.NewReplacer(append(change, "NAME", name)...).Replace(`apiVersion: images.goldsmith.dev/v1alpha1
kind: Image
metadata: {name: NAME, labels: {team: a}}
spec:
  builder: {name: mock}
  base: {reference: debian:bookworm}
  targets: [{platform: linux/amd64, format: raw}]
`)
}

// apply applies a manifest of an Image that does not exist, as `kubectl apply` does, or with a manager `kubectl apply --server-side`.
func (c *cluster) apply(manifest, manager string) {
	c.Helper()
	object := &unstructured.Unstructured{}
	require.NoError(c, yaml.Unmarshal([]byte(manifest), &object.Object))
	if manager != "" {
		c.patch(object.GetName(), types.ApplyPatchType, manifest, manager)
		return
	}
	require.NoError(c, util.CreateApplyAnnotation(object, unstructured.UnstructuredJSONScheme))
	asJSON, err := json.Marshal(object)
	require.NoError(c, err)
	err = c.as(admin).ImagesV1alpha1().RESTClient().Post().Namespace("default").Resource("images").
		Param("fieldManager", apply.FieldManagerClientSideApply).SetHeader("Content-Type", "application/json").Body(asJSON).Do(c.Context()).Error()
	require.NoError(c, err)
}

func (c *cluster) patch(image string, kind types.PatchType, patch, manager string) {
	c.Helper()
	_, err := c.as(admin).ImagesV1alpha1().Images("default").Patch(c.Context(), image, kind, []byte(patch), metav1.PatchOptions{FieldManager: manager})
	require.NoError(c, err)
}

// build makes a build of an Image, with its inputs resolved as asked for.
func (c *cluster) build(image string, resolve bool) {
	c.Helper()
	api := c.as(admin).ImagesV1alpha1()
	build, err := api.Images("default").Instantiate(c.Context(), image, &v1alpha1.BuildRequest{}, metav1.CreateOptions{})
	require.NoError(c, err)
	if !resolve {
		return
	}
	resolved, failure := inputs.Resolve(build.Spec.Inputs, inputs.Found{})
	if failure != nil {
		c.Fatal(failure.Message)
	}
	build.Status.Resolved = resolved
	if _, err := api.ImageBuilds("default").UpdateStatus(c.Context(), build, metav1.UpdateOptions{}); err != nil {
		c.Fatal(err)
	}
}

func TestAPlanAnswersForTheImageThatAnApplyWouldStore(t *testing.T) {
	c := &cluster{t, serve(t)}
	const full = "spec:\n"
	for _, image := range []string{"client", "server", "flux"} {
		manager := map[string]string{"server": "kubectl", "flux": "kustomize-controller"}[image]
		c.apply(manifest(image, full, full+"  parameters: [{name: size, value: small}]\n"), manager)
		c.patch(image, types.MergePatchType, `{"spec": {"template": {"nodeSelector": {"disk": "fast"}}}}`, "kubectl-patch")
		c.build(image, true)
	}
	env := func(more string) string {
		return manifest("env", full, full+"  template: {env: [{name: A, value: a}"+more+"]}\n")
	}
	c.apply(env(", {name: B, value: b}"), "")
	c.patch("env", types.StrategicMergePatchType, `{"spec": {"template": {"env": [{"name": "C", "value": "c"}]}}}`, "kubectl-patch")
	c.build("env", true)
	c.apply(manifest("suspended"), "")
	c.patch("suspended", types.MergePatchType, `{"spec": {"suspend": true}}`, "kubectl-patch")
	c.apply(manifest("queued"), "")
	c.build("queued", false)

	same := func(image string) string {
		return manifest(image, full, full+"  parameters: [{name: size, value: small}]\n")
	}
	other := func(image string) string {
		return manifest(image, full, full+"  parameters: [{name: size, value: large}]\n")
	}
	badLabel := func(image string) string { return manifest(image, "team: a", "owner: Team Golden Images") }
	disk := manifest("server", full, full+"  template: {nodeSelector: {disk: slow}}\n")
	for _, test := range []struct {
		name, content string
		user          string // admin by default
		asked         options
		namespace     string
		want, stderr  string
		err           string
		code          int
	}{
		{name: "a field that the file lacks", content: same("client"), want: "client would not be built now\n  why          InputsUnchanged"},
		{name: "a field that the file lacks, server-side", content: same("server"), want: "server would not be built now\n  why          InputsUnchanged"},
		{name: "a field that the file lacks, by another manager", content: same("flux"), asked: options{manager: "kustomize-controller"},
			want: "flux would not be built now\n  why          InputsUnchanged"},
		{name: "an element of a list that the file lacks", content: env(", {name: B, value: b}"), want: "env would not be built now\n  why          InputsUnchanged"},
		{name: "a removed element of a list", content: env(""), want: "changes   template.env[B]   b → none\n  inputs", code: exit.BuildDue},
		{name: "a changed field", content: other("client"), want: "client would be built now, as client-2", code: exit.BuildDue},
		{name: "a changed field, server-side", content: other("server"), want: "server would be built now, as server-2", code: exit.BuildDue},
		{name: "a removed field", content: manifest("client"), want: "parameters[size]   small → none", code: exit.BuildDue},
		{name: "a removed field, server-side", content: manifest("server"), want: "parameters[size]   small → none", code: exit.BuildDue},
		{name: "a conflict", content: disk, err: `conflict with "kubectl-patch" using images.goldsmith.dev/v1alpha1: .spec.template.nodeSelector.disk: remove the fields from the file, or set --force-conflicts`, code: exit.Failure},
		{name: "a conflict, by force", content: disk, asked: options{force: true}, want: "template.nodeSelector[disk]   fast  → slow", code: exit.BuildDue},
		{name: "a new image", content: manifest("new"), want: "new would be built now, as new-1", code: exit.BuildDue},
		{name: "an image that is suspended", content: manifest("suspended"), want: "suspended would not be built now\n  why          Suspended"},
		{name: "an image whose build waits", content: manifest("queued"), want: "queued would not be built now\n  why          BuildQueued"},
		{name: "an image whose inputs do not resolve", content: manifest("new", "name: mock", "name: packer"), want: "new would not be built now\n  why   BuilderNotFound"},
		{name: "a label", content: badLabel("client"), err: "stdin: plan image client: Image.images.goldsmith.dev \"client\" is invalid: metadata.labels: Invalid value", code: exit.Failure},
		{name: "a label of a new image", content: badLabel("new"), err: "metadata.labels: Invalid value", code: exit.Failure},
		{name: "one that is refused, and one that would be built", content: badLabel("new") + "---\n" + manifest("other"),
			want: "image other would be built now", err: "metadata.labels: Invalid value", code: exit.Failure},
		{name: "several", content: manifest("client") + "---\n" + manifest("suspended"), want: "\n\nimage suspended would not be built now", code: exit.BuildDue},
		{name: "several for programs", content: manifest("client") + "---\n" + manifest("suspended"), asked: options{format: output.YAML}, want: "kind: List", code: exit.BuildDue},
		{name: "one for programs", content: manifest("client"), asked: options{format: output.JSON}, want: `"kind": "ImagePlan"`, code: exit.BuildDue},
		{name: "another namespace", content: manifest("new", "labels", "namespace: other, labels"), namespace: "team",
			err: "stdin: image new: metadata.namespace is other, but --namespace is team: correct one of the two", code: exit.Failure},
		{name: "a namespace that does not exist", content: manifest("new", "labels", "namespace: other, labels"), err: `namespaces "other" not found`, code: exit.Failure},

		{name: "without permission to patch", user: viewer, content: same("client"), want: "client would not be built now\n  why          InputsUnchanged",
			stderr: "stdin: image client: you may not patch it, so it is planned without the cluster's webhooks and policies for images\n"},
		{name: "without permission to patch, a removed element of a list", user: viewer, content: env(""), want: "changes   template.env[B]   b → none\n  inputs",
			stderr: "you may not patch it", code: exit.BuildDue},
		{name: "without permission to patch, a label", user: viewer, content: badLabel("client"), err: "metadata.labels: Invalid value", code: exit.Failure, stderr: "you may not patch it"},
		{name: "without permission to patch, server-side", user: viewer, content: same("server"),
			err: "only the server can merge it, because kubectl applies it with server-side apply: ask for permission to patch images: ", code: exit.Failure},
		{name: "without permission to create", user: viewer, content: manifest("new"), want: "new would be built now", stderr: "you may not create it", code: exit.BuildDue},
		{name: "without permission to get", user: nobody, content: same("client"), want: "client would not be built now\n  why   Forbidden",
			err: `plan image client: user "nobody" may not get images "client"`, code: exit.Failure},
		{name: "one without permission to get, and one that would be built", user: viewer, content: manifest("new") + "---\n" + strings.Replace(manifest("other"), "reference: debian:bookworm", "imageRef: {name: secret}", 1),
			stderr: "you may not create it", want: "image new would be built now", err: `plan image other: user "viewer" may not get images "secret"`, code: exit.Failure},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := &cluster{t, c.config}
			asked := test.asked
			asked.files, asked.exitCode, asked.clock = []string{stdinName}, true, clock.RealClock{}
			if asked.manager == "" {
				asked.manager = serverSideManager
			}
			if test.user == "" {
				test.user = admin
			}
			var stderr, out bytes.Buffer
			documents, err := asked.read(strings.NewReader(test.content), &stderr)
			require.NoError(t, err)
			applier, err := newApplier(c.as(test.user), &asked, &stderr)
			require.NoError(t, err)
			err = ofDocuments(t.Context(), applier, test.namespace, documents, &asked, &out)
			if code := exit.Code(t.Context(), err); code != test.code {
				t.Errorf("got exit code %d, want %d", code, test.code)
			}
			if test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err)) || test.err == "" && err != nil && !exit.IsShown(err) {
				t.Errorf("got error %v, want %q", err, test.err)
			}
			if !strings.Contains(out.String(), test.want) || !strings.Contains(stderr.String(), test.stderr) || test.stderr == "" && stderr.Len() > 0 {
				t.Errorf("stderr %q, and wrote\n%s\nwant %q and\n%s", &stderr, &out, test.stderr, test.want)
			}
		})
	}
	images, err := c.as(admin).ImagesV1alpha1().Images("").List(t.Context(), metav1.ListOptions{})
	if err != nil || len(images.Items) != 6 {
		t.Errorf("after all plans there are %d images, error %v", len(images.Items), err)
	}
}

func TestARefusalByAdmissionIsNoMissingPermission(t *testing.T) {
	answer := func(out http.ResponseWriter, code int, object any) {
		out.Header().Set("Content-Type", "application/json")
		out.WriteHeader(code)
		_ = json.NewEncoder(out).Encode(object) // the client closed the connection
	}
	server := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, in *http.Request) {
		switch in.Method + " " + in.URL.Path {
		case "GET /apis/images.goldsmith.dev/v1alpha1/namespaces/default/images/debian":
			answer(out, http.StatusOK, json.RawMessage(`{"apiVersion": "images.goldsmith.dev/v1alpha1", "kind": "Image", "metadata": {"name": "debian"}}`))
		case "PATCH /apis/images.goldsmith.dev/v1alpha1/namespaces/default/images/debian":
			refusal := apierrors.NewForbidden(v1alpha1.Resource("images"), "debian", errors.New("denied by a policy")).ErrStatus
			refusal.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}
			answer(out, http.StatusForbidden, refusal)
		case "POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews":
			answer(out, http.StatusCreated, authorizationv1.SelfSubjectAccessReview{Status: authorizationv1.SubjectAccessReviewStatus{Allowed: true}})
		default:
			if !strings.HasPrefix(in.URL.Path, "/openapi/") {
				t.Errorf("asked for %s %s", in.Method, in.URL)
			}
			http.NotFound(out, in)
		}
	}))
	defer server.Close()
	c := &cluster{t, &rest.Config{Host: server.URL, ContentConfig: rest.ContentConfig{ContentType: "application/json"}}}
	asked := options{sources: sources{files: []string{stdinName}}, manager: serverSideManager}
	documents, err := asked.read(strings.NewReader(debian), io.Discard)
	require.NoError(t, err)
	applier, err := newApplier(c.as(admin), &asked, io.Discard)
	require.NoError(t, err)
	err = ofDocuments(t.Context(), applier, "", documents, &asked, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "denied by a policy") {
		t.Errorf("got error %v", err)
	}
}
