// SPDX-License-Identifier: Apache-2.0

package builder_test

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"

	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/apiserver/builder/buildertest"
	"goldsmith.dev/goldsmith/apiserver/corekinds"
	"goldsmith.dev/goldsmith/apiserver/resources"
	"goldsmith.dev/goldsmith/apiserver/storage/etcd"
	"goldsmith.dev/goldsmith/apiserver/storage/files"
	"goldsmith.dev/goldsmith/apiserver/storage/memory"
	"goldsmith.dev/goldsmith/e2e/require"
)

// eachBackend runs a test over every storage that is part of the library. Revisions older than an interval are compacted.
func eachBackend(t *testing.T, compaction time.Duration, test func(*testing.T, builder.StorageBackend)) {
	t.Helper()
	for name, backend := range map[string]builder.StorageBackend{
		"memory": builder.Memory(memory.WithCompactionInterval(compaction)),
		"files":  builder.Files(t.TempDir(), files.WithCompactionInterval(compaction)),
		"etcd":   builder.EmbeddedEtcd(t.TempDir(), etcd.WithCompactionInterval(compaction)),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, backend)
		})
	}
}

func configMapsOf(t *testing.T, running *builder.Running) typedcorev1.ConfigMapInterface {
	t.Helper()
	return require.Value(kubernetes.NewForConfig(running.ClientConfig()))(t).CoreV1().ConfigMaps(metav1.NamespaceDefault)
}

func configMap(name string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}}
}

func create(t *testing.T, client typedcorev1.ConfigMapInterface, object *corev1.ConfigMap) *corev1.ConfigMap {
	t.Helper()
	return require.Value(client.Create(t.Context(), object, metav1.CreateOptions{}))(t)
}

func update(t *testing.T, client typedcorev1.ConfigMapInterface, object *corev1.ConfigMap, value string) *corev1.ConfigMap {
	t.Helper()
	object = object.DeepCopy()
	object.Data = map[string]string{"value": value}
	return require.Value(client.Update(t.Context(), object, metav1.UpdateOptions{}))(t)
}

func TestEveryStorage(t *testing.T) {
	t.Parallel()
	eachBackend(t, 2*buildertest.Patience, func(t *testing.T, backend builder.StorageBackend) {
		running, _ := buildertest.Start(t, buildertest.CoreKinds(backend))
		client := configMapsOf(t, running)
		t.Run("reads consistently from the cache", func(t *testing.T) { readsConsistently(t, running, client) })
		t.Run("refuses what is too large", func(t *testing.T) { refusesTooLarge(t, running) })
	})
}

func number(t *testing.T, object interface{ GetResourceVersion() string }) uint64 {
	t.Helper()
	return require.Value(strconv.ParseUint(object.GetResourceVersion(), 10, 64))(t)
}

// next returns a watch's next event that is not a bookmark.
func next(t *testing.T, events watch.Interface) watch.Event {
	t.Helper()
	for {
		select {
		case event, open := <-events.ResultChan():
			if !open {
				t.Fatal("the watch ended")
			}
			if event.Type != watch.Bookmark {
				return event
			}
		case <-time.After(buildertest.Patience):
			t.Fatal("no event")
		}
	}
}

// readsConsistently lists a resource after writes of another resource. The cache has to ask the storage for its revision.
// Without an answer the cache would wait for seconds, which the metrics show.
func readsConsistently(t *testing.T, running *builder.Running, client typedcorev1.ConfigMapInterface) {
	g := NewWithT(t)
	all := require.Value(kubernetes.NewForConfig(running.ClientConfig()))(t)
	object := create(t, client, configMap("moving"))
	for i := range 20 {
		object = update(t, client, object, strconv.Itoa(i))
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second) // the cache gives up after 3
		list, err := all.BatchV1().Jobs("").List(ctx, metav1.ListOptions{})
		cancel()
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(number(t, list)).To(BeNumerically(">=", number(t, object)))
	}
}

func refusesTooLarge(t *testing.T, running *builder.Running) {
	g := NewWithT(t)
	client := require.Value(kubernetes.NewForConfig(running.ClientConfig()))(t)
	pods := client.CoreV1().Pods(metav1.NamespaceDefault)
	g.Expect(errorOf(pods.Create(t.Context(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "large"},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "image", Args: []string{strings.Repeat("x", 1_600_000)}}}},
	}, metav1.CreateOptions{}))).To(Satisfy(apierrors.IsRequestEntityTooLargeError))
	g.Expect(errorOf(pods.Get(t.Context(), "large", metav1.GetOptions{}))).To(Satisfy(apierrors.IsNotFound))
}

// TestEveryStorageCompactsAtItsInterval has the server forget old versions.
func TestEveryStorageCompactsAtItsInterval(t *testing.T) {
	t.Parallel()
	eachBackend(t, time.Second, func(t *testing.T, backend builder.StorageBackend) {
		running, _ := buildertest.Start(t, buildertest.CoreKinds(backend))
		client := configMapsOf(t, running)
		object := create(t, client, configMap("gone"))
		first := object.ResourceVersion
		NewWithT(t).Eventually(func() error {
			object = update(t, client, object, object.ResourceVersion)
			_, err := client.List(t.Context(), metav1.ListOptions{ResourceVersion: first, ResourceVersionMatch: metav1.ResourceVersionMatchExact})
			return err
		}).WithTimeout(buildertest.Patience).Should(Satisfy(apierrors.IsResourceExpired))
	})
}

// briefly is a server whose config maps live for a second.
func briefly(backend builder.StorageBackend) *builder.Server {
	return builder.New("briefly").
		WithScheme(corekinds.Install).
		WithOpenAPI("", "", corekinds.OpenAPIDefinitions).
		WithResource(corev1.SchemeGroupVersion, "configmaps", func(scope *resources.Scope) (resources.Storages, error) {
			store, err := resources.NewStore(scope, resources.Resource{
				New:        func() runtime.Object { return &corev1.ConfigMap{} },
				NewList:    func() runtime.Object { return &corev1.ConfigMapList{} },
				Resource:   corev1.Resource("configmaps"),
				Singular:   "configmap",
				Strategy:   resources.NewDefaultStrategy(scope.Scheme, corev1.SchemeGroupVersion),
				TTLSeconds: 1,
			})
			return resources.Storages{"": store}, err
		}).
		WithBearerToken(buildertest.Token, buildertest.Admin).
		WithStorage(backend)
}

func TestEveryStorageForgetsWhatLivesBriefly(t *testing.T) {
	t.Parallel()
	eachBackend(t, 2*buildertest.Patience, func(t *testing.T, backend builder.StorageBackend) {
		g := NewWithT(t)
		running, _ := buildertest.Start(t, briefly(backend))
		client := configMapsOf(t, running)
		events := require.Value(client.Watch(t.Context(), metav1.ListOptions{}))(t)
		defer events.Stop()
		created := create(t, client, configMap("brief"))
		g.Expect(next(t, events)).To(Equal(watch.Event{Type: watch.Added, Object: created}))
		g.Expect(next(t, events).Type).To(Equal(watch.Deleted))
		g.Expect(require.Value(client.List(t.Context(), metav1.ListOptions{}))(t).Items).To(BeEmpty())
	})
}

// errorOf returns the error of a call that also returns a value.
func errorOf[T any](_ T, err error) error { return err }
