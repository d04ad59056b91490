// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"encoding/json"
	"strings"
	"testing"

	"k8s.io/apiextensions-apiserver/pkg/controller/openapi/builder"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/kube-openapi/pkg/validation/spec"

	"goldsmith.dev/goldsmith/apis/generated/openapi"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
)

// sides are an Image and its view, to which managers apply manifests as they do in a server.
type sides struct {
	testing.TB
	kind         *Kind
	image        *v1alpha1.Image
	views, hosts *managedfields.FieldManager
}

func newSides(t testing.TB) *sides {
	s := &sides{TB: t, kind: compile(t, debianServers)}
	v3 := require.Value(builder.BuildOpenAPIV3(s.kind.Definition(), "v1", builder.Options{}))(t)
	s.views = newFieldManager(t, v3.Components.Schemas, s.kind.GroupVersionKind())
	var document struct {
		Components struct {
			Schemas map[string]*spec.Schema `json:"schemas"`
		} `json:"components"`
	}
	require.NoError(t, json.Unmarshal([]byte(openapi.Document()), &document))
	s.hosts = newFieldManager(t, document.Components.Schemas, v1alpha1.SchemeGroupVersion.WithKind("Image"))
	return s
}

func newFieldManager(t testing.TB, schemas map[string]*spec.Schema, kind schema.GroupVersionKind) *managedfields.FieldManager {
	t.Helper()
	converter := require.Value(managedfields.NewTypeConverter(schemas, false))(t)
	return require.Value(managedfields.NewDefaultCRDFieldManager(converter, asItIs{}, asItIs{}, asItIs{}, kind, kind.GroupVersion(), "", nil))(t)
}

// asItIs converts nothing, because each kind has one version.
type asItIs struct{}

func (asItIs) Convert(any, any, any) error { return nil }

func (asItIs) ConvertToVersion(in runtime.Object, _ runtime.GroupVersioner) (runtime.Object, error) {
	return in, nil
}

func (asItIs) ConvertFieldLabel(_ schema.GroupVersionKind, label, value string) (string, string, error) {
	return label, value, nil
}

func (asItIs) Default(runtime.Object) {}

func (asItIs) New(kind schema.GroupVersionKind) (runtime.Object, error) {
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(kind)
	return object, nil
}

// applyView applies a manifest to the view.
func (s *sides) applyView(manager, manifest string, force bool) error {
	applied := object(s, "apiVersion: catalog.goldsmith.dev/v1\nkind: DebianServer\nmetadata: {name: web}\nspec: "+manifest)
	var before *unstructured.Unstructured
	live := object(s, "apiVersion: catalog.goldsmith.dev/v1\nkind: DebianServer\nmetadata: {name: web}")
	if s.image != nil {
		before = viewOf(s, s.kind, s.image)
		live = before
	}
	merged, err := s.views.Apply(live.DeepCopy(), applied, manager, force)
	if err != nil {
		return err
	}
	made := require.Value(s.kind.Put(s.Context(), normal(s, merged.(*unstructured.Unstructured)), before, s.image))(s)
	v1alpha1.SetObjectDefaults_Image(made)
	s.image = made
	return nil
}

// applyImage applies a manifest to the Image.
func (s *sides) applyImage(manager, manifest string, force bool) error {
	applied := object(s, "apiVersion: images.goldsmith.dev/v1alpha1\nkind: Image\nmetadata: {name: web}\nspec: "+manifest)
	live := &unstructured.Unstructured{Object: require.Value(runtime.DefaultUnstructuredConverter.ToUnstructured(s.image))(s)}
	live.SetGroupVersionKind(v1alpha1.SchemeGroupVersion.WithKind("Image"))
	merged, err := s.hosts.Apply(live, applied, manager, force)
	if err != nil {
		return err
	}
	made := &v1alpha1.Image{}
	require.NoError(s, json.Unmarshal([]byte(jsonOf(s, merged)), made))
	s.image = made
	return nil
}

func (s *sides) expectSpec(want string) {
	s.Helper()
	if got := string(require.Value(s.kind.Get(s.image))(s).Spec); got != want {
		s.Errorf("the spec is %s, want %s", got, want)
	}
}

func expectConflict(t *testing.T, err error, words ...string) {
	t.Helper()
	for _, word := range words {
		if err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("the error is %v, want %q", err, words)
		}
	}
}

// TestServerSideApplyOnBothSides lets managers apply a server through its kind and through its Image.
func TestServerSideApplyOnBothSides(t *testing.T) {
	s := newSides(t)
	require.NoError(t, s.applyView("argocd", "{size: small, owner: ada, packages: [nginx]}", false))
	s.expectSpec(`{"owner":"ada","packages":["nginx"],"paused":false,"release":"bookworm","retries":2,"size":"small"}`)

	// What a manager applied to the view conflicts with a change of the Image, and the other way round.
	expectConflict(t, s.applyImage("kubectl", `{parameters: [{name: disk, value: 100Gi}], runPolicy: Parallel}`, false), `conflict with "argocd"`, `.spec.parameters[name="disk"].value`)
	require.NoError(t, s.applyImage("kubectl", `{parameters: [{name: disk, value: 100Gi}], runPolicy: Parallel}`, true))
	s.expectSpec(`{"owner":"ada","packages":["nginx"],"paused":false,"release":"bookworm","retries":2,"size":"large"}`)
	expectConflict(t, s.applyView("argocd", "{size: small, packages: [nginx]}", false), `conflict with "kubectl"`, ".spec.size")

	// What a manager no longer applies to the view is removed from the Image, if nobody else owns it.
	require.NoError(t, s.applyView("argocd", "{size: large, packages: [nginx, curl]}", false))
	s.expectSpec(`{"packages":["nginx","curl"],"paused":false,"release":"bookworm","retries":2,"size":"large"}`)
	require.NoError(t, s.applyView("argocd", "{packages: [nginx]}", false))
	s.expectSpec(`{"packages":["nginx"],"paused":false,"release":"bookworm","retries":2,"size":"large"}`)

	// The template belongs to the kind, and what the view does not show to its owner.
	expectConflict(t, s.applyImage("kubectl", `{parameters: [{name: disk, value: 100Gi}, {name: flavour, value: desktop}]}`, false), `conflict with "goldsmith-catalog"`)
	if s.image.Spec.RunPolicy != v1alpha1.RunPolicyParallel {
		t.Errorf("the Image has %s", jsonOf(t, s.image.Spec))
	}
	require.NoError(t, s.applyImage("kubectl", `{}`, false))
	s.expectSpec(`{"packages":["nginx"],"paused":false,"release":"bookworm","retries":2}`)
	for i := range s.image.ManagedFields {
		if strings.Contains(s.image.ManagedFields[i].FieldsV1.GetRawString(), "disk") {
			t.Errorf("an owner has a parameter that does not exist: %s", jsonOf(t, s.image.ManagedFields[i]))
		}
	}

	// A manager of both sides is one owner.
	require.NoError(t, s.applyView("kubectl", "{size: small, packages: [curl]}", true))
	require.NoError(t, s.applyView("kubectl", "{size: small}", false))
	s.expectSpec(`{"paused":false,"release":"bookworm","retries":2,"size":"small"}`)
	require.NoError(t, s.applyImage("argocd", "{runPolicy: Serial}", false))
	if found := find(s.image.ManagedFields, owner{"argocd", "Apply"}); found == nil || found.FieldsV1.GetRawString() != `{"f:spec":{"f:runPolicy":{}}}` {
		t.Errorf("argocd owns %s", jsonOf(t, found))
	}
}
