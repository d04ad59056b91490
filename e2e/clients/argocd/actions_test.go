// SPDX-License-Identifier: Apache-2.0

package argocd_test

import (
	"context"
	"maps"
	"reflect"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/clients/argocd"
	"goldsmith.dev/goldsmith/e2e/clients/server"
	"goldsmith.dev/goldsmith/e2e/deadline"
	"goldsmith.dev/goldsmith/e2e/require"
)

// TestActions runs each action on a server, in the order of a person who tries them.
func TestActions(t *testing.T) {
	a := newPerson(t)
	image := a.create(t, `
apiVersion: images.goldsmith.dev/v1alpha1
kind: Image
metadata: {name: debian, annotations: {}}
spec:
  builder: {name: mock}
  base: {reference: debian:bookworm}
  targets: [{platform: linux/amd64, format: raw}]
  history: {ttl: {}}
  triggers: {onSpecChange: false}
`)
	is := func(status string) func(*unstructured.Unstructured) bool {
		return func(object *unstructured.Unstructured) bool { return a.health(t, object) == status }
	}
	expect(t, "the health of a new image", a.health(t, image), "Progressing")
	a.await(t, "Image", "debian", is("Suspended")) // its triggers are off

	a.act(t, image, "build", "build", "suspend")
	first := a.await(t, "ImageBuild", "debian-1", is("Healthy"))
	expect(t, "the trigger of a build", trigger(first), v1alpha1.BuildTrigger{Reason: "Manual", Message: "requested in Argo CD", RequestedBy: "goldsmith-admin"})

	image = a.await(t, "Image", "debian", is("Healthy"))
	a.act(t, image, "suspend", "build", "suspend")
	image = a.await(t, "Image", "debian", is("Healthy"))
	expect(t, "a suspended image's spec.suspend", suspended(image), true)
	a.act(t, image, "resume", "build", "resume")
	image = a.await(t, "Image", "debian", is("Healthy"))
	expect(t, "a resumed image's spec.suspend", suspended(image), false)

	a.act(t, first, "rerun", "rerun")
	rerun := a.await(t, "ImageBuild", "debian-2", is("Healthy"))
	expect(t, "the trigger of a rerun", trigger(rerun),
		v1alpha1.BuildTrigger{Reason: "Rerun", RerunOf: "debian-1", Message: "requested in Argo CD", RequestedBy: "goldsmith-admin"})

	direct := a.create(t, `
apiVersion: images.goldsmith.dev/v1alpha1
kind: ImageBuild
metadata: {name: once}
spec:
  inputs:
    builder: {name: mock}
    base: {reference: debian:bookworm}
    parameters: [{name: duration, value: 1h}]
    targets: [{platform: linux/amd64, format: raw}]
`)
	expect(t, "the health of a new build", a.health(t, direct), "Progressing")
	a.act(t, direct, "cancel", "cancel")
	cancelled := a.await(t, "ImageBuild", "once", is("Degraded"))
	reason, _, _ := unstructured.NestedString(cancelled.Object, "spec", "cancelRequested", "reason")
	expect(t, "the reason of a cancellation", reason, "requested in Argo CD")
	a.offers(t, cancelled)
}

// person uses Argo CD's actions in a namespace.
type person struct {
	settings  argocd.Settings
	client    dynamic.Interface
	mapper    meta.RESTMapper
	namespace string
}

func newPerson(t *testing.T) person {
	t.Helper()
	s := server.Start(t)
	namespace, err := kubernetes.NewForConfigOrDie(s.Config).CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{
		ObjectMeta: metav1.ObjectMeta{Name: "argocd-actions"},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	return person{
		settings: settings(t), client: dynamic.NewForConfigOrDie(s.Config), namespace: namespace.Name,
		mapper: restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(discovery.NewDiscoveryClientForConfigOrDie(s.Config))),
	}
}

func (p person) resource(t *testing.T, kind string) dynamic.ResourceInterface {
	t.Helper()
	mapping, err := p.mapper.RESTMapping(v1alpha1.Kind(kind).GroupKind(), v1alpha1.SchemeGroupVersion.Version)
	require.NoError(t, err)
	return p.client.Resource(mapping.Resource).Namespace(p.namespace)
}

func (p person) create(t *testing.T, manifest string) *unstructured.Unstructured {
	t.Helper()
	object, err := argocd.Parse([]byte(manifest))
	require.NoError(t, err)
	created, err := p.resource(t, object.GetKind()).Create(t.Context(), object, metav1.CreateOptions{})
	require.NoError(t, err)
	return created
}

// act runs an action, which must be among those that are offered.
func (p person) act(t *testing.T, object *unstructured.Unstructured, action string, offered ...string) {
	t.Helper()
	p.offers(t, object, offered...)
	require.NoError(t, p.settings.Run(t.Context(), p.client, p.mapper, object, action))
}

func (p person) offers(t *testing.T, object *unstructured.Unstructured, want ...string) {
	t.Helper()
	actions, err := p.settings.Actions(t.Context(), object)
	require.NoError(t, err)
	if got := slices.Sorted(maps.Keys(actions)); !slices.Equal(got, want) {
		t.Errorf("%s %s has the actions %v, want %v", object.GetKind(), object.GetName(), got, want)
	}
}

// await returns the object once it meets a condition.
func (p person) await(t *testing.T, kind, name string, met func(*unstructured.Unstructured) bool) *unstructured.Unstructured {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deadline.Local.Deadline())
	defer cancel()
	resource, only := p.resource(t, kind), fields.OneTermEqualSelector("metadata.name", name).String()
	source := &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			options.FieldSelector = only
			return resource.List(ctx, options)
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			options.FieldSelector = only
			return resource.Watch(ctx, options)
		},
	}
	event, err := watchtools.UntilWithSync(ctx, source, &unstructured.Unstructured{}, nil, func(event watch.Event) (bool, error) {
		object, ok := event.Object.(*unstructured.Unstructured)
		return ok && met(object), nil
	})
	if err != nil {
		t.Fatalf("%s %s: %v", kind, name, err)
	}
	return event.Object.(*unstructured.Unstructured)
}

func (p person) health(t *testing.T, object *unstructured.Unstructured) string {
	t.Helper()
	health, err := p.settings.Health(t.Context(), object)
	require.NoError(t, err)
	return health.Status
}

func suspended(image *unstructured.Unstructured) bool {
	suspend, _, _ := unstructured.NestedBool(image.Object, "spec", "suspend")
	return suspend
}

// trigger is the trigger of a build, without its random request ID.
func trigger(build *unstructured.Unstructured) v1alpha1.BuildTrigger {
	var typed v1alpha1.ImageBuild
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(build.Object, &typed); err != nil || typed.Spec.Trigger == nil {
		return v1alpha1.BuildTrigger{}
	}
	typed.Spec.Trigger.RequestID = ""
	return *typed.Spec.Trigger
}

func expect[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s is %+v, want %+v", what, got, want)
	}
}
