// SPDX-License-Identifier: Apache-2.0

package builder_test

import (
	"context"
	"fmt"
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
	"goldsmith.dev/goldsmith/apiserver/corekinds"
	"goldsmith.dev/goldsmith/apiserver/storage/etcd"
	"goldsmith.dev/goldsmith/apiserver/storage/files"
	"goldsmith.dev/goldsmith/apiserver/storage/memory"
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
	client, err := kubernetes.NewForConfig(running.ClientConfig())
	if err != nil {
		t.Fatal(err)
	}
	return client.CoreV1().ConfigMaps(metav1.NamespaceDefault)
}

func configMap(name string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}}
}

func create(t *testing.T, client typedcorev1.ConfigMapInterface, object *corev1.ConfigMap) *corev1.ConfigMap {
	t.Helper()
	created, err := client.Create(t.Context(), object, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return created
}

func update(t *testing.T, client typedcorev1.ConfigMapInterface, object *corev1.ConfigMap, value string) *corev1.ConfigMap {
	t.Helper()
	object = object.DeepCopy()
	object.Data = map[string]string{"value": value}
	updated, err := client.Update(t.Context(), object, metav1.UpdateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return updated
}

func TestEveryStorage(t *testing.T) {
	t.Parallel()
	eachBackend(t, 2*patience, func(t *testing.T, backend builder.StorageBackend) {
		running, _ := start(t, storing(backend))
		client := configMapsOf(t, running)
		t.Run("keeps versions apart", func(t *testing.T) { keepsVersionsApart(t, client) })
		t.Run("deletes only what is meant", func(t *testing.T) { deletesOnlyWhatIsMeant(t, client) })
		t.Run("lists in pages of one revision", func(t *testing.T) { listsInPages(t, client) })
		t.Run("resumes a watch", func(t *testing.T) { resumesAWatch(t, client) })
		t.Run("ends the initial events of a watch-list", func(t *testing.T) { endsInitialEvents(t, client) })
		t.Run("reads consistently from the cache", func(t *testing.T) { readsConsistently(t, running, client) })
		t.Run("refuses what is too large", func(t *testing.T) { refusesTooLarge(t, running) })
	})
}

func keepsVersionsApart(t *testing.T, client typedcorev1.ConfigMapInterface) {
	g := NewWithT(t)
	first := create(t, client, configMap("versions"))
	_, err := client.Create(t.Context(), configMap("versions"), metav1.CreateOptions{})
	g.Expect(apierrors.IsAlreadyExists(err)).To(BeTrue(), "%v", err)
	second := update(t, client, first, "second")
	g.Expect(number(t, second)).To(BeNumerically(">", number(t, first)))
	_, err = client.Update(t.Context(), first, metav1.UpdateOptions{})
	g.Expect(apierrors.IsConflict(err)).To(BeTrue(), "%v", err)
	g.Expect(update(t, client, second, "second").ResourceVersion).To(Equal(second.ResourceVersion), "nothing changed")
}

func number(t *testing.T, object interface{ GetResourceVersion() string }) uint64 {
	t.Helper()
	version, err := strconv.ParseUint(object.GetResourceVersion(), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return version
}

func deletesOnlyWhatIsMeant(t *testing.T, client typedcorev1.ConfigMapInterface) {
	g := NewWithT(t)
	first := create(t, client, configMap("meant"))
	second := update(t, client, first, "second")
	err := client.Delete(t.Context(), "meant", metav1.DeleteOptions{Preconditions: &metav1.Preconditions{ResourceVersion: &first.ResourceVersion}})
	g.Expect(apierrors.IsConflict(err)).To(BeTrue(), "%v", err)
	g.Expect(client.Delete(t.Context(), "meant", metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &second.UID}})).To(Succeed())
	_, err = client.Get(t.Context(), "meant", metav1.GetOptions{})
	g.Expect(apierrors.IsNotFound(err)).To(BeTrue(), "%v", err)
}

func listsInPages(t *testing.T, client typedcorev1.ConfigMapInterface) {
	g := NewWithT(t)
	selected := map[string]string{"test": "pages"}
	var objects []*corev1.ConfigMap
	for i := range 5 {
		object := configMap(fmt.Sprintf("page-%d", i))
		object.Labels = selected
		objects = append(objects, create(t, client, object))
	}
	whole, err := client.List(t.Context(), metav1.ListOptions{})
	g.Expect(err).NotTo(HaveOccurred())
	page, err := client.List(t.Context(), metav1.ListOptions{Limit: 2})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(page.RemainingItemCount).To(HaveValue(BeEquivalentTo(len(whole.Items) - 2)))
	revision, items := page.ResourceVersion, page.Items
	update(t, client, objects[4], "after the first page")
	for page.Continue != "" {
		page, err = client.List(t.Context(), metav1.ListOptions{Limit: 2, Continue: page.Continue})
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(page.ResourceVersion).To(Equal(revision))
		items = append(items, page.Items...)
	}
	g.Expect(items).To(Equal(whole.Items))
	exact, err := client.List(t.Context(), metav1.ListOptions{
		ResourceVersion: objects[2].ResourceVersion, ResourceVersionMatch: metav1.ResourceVersionMatchExact, LabelSelector: "test=pages",
	})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(exact.Items).To(HaveLen(3))
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
		case <-time.After(patience):
			t.Fatal("no event")
		}
	}
}

func resumesAWatch(t *testing.T, client typedcorev1.ConfigMapInterface) {
	g := NewWithT(t)
	only := metav1.SingleObject(metav1.ObjectMeta{Name: "resumed"})
	first := create(t, client, configMap("resumed"))
	second := update(t, client, first, "second")
	third := update(t, client, second, "third")
	g.Expect(client.Delete(t.Context(), "resumed", metav1.DeleteOptions{})).To(Succeed())
	only.ResourceVersion = first.ResourceVersion
	events, err := client.Watch(t.Context(), only)
	g.Expect(err).NotTo(HaveOccurred())
	defer events.Stop()
	g.Expect(next(t, events)).To(Equal(watch.Event{Type: watch.Modified, Object: second}))
	g.Expect(next(t, events)).To(Equal(watch.Event{Type: watch.Modified, Object: third}))
	deleted := next(t, events)
	g.Expect(deleted.Type).To(Equal(watch.Deleted))
	g.Expect(number(t, deleted.Object.(*corev1.ConfigMap))).To(BeNumerically(">", number(t, third)))
}

func endsInitialEvents(t *testing.T, client typedcorev1.ConfigMapInterface) {
	g := NewWithT(t)
	yes := true
	for _, selector := range []string{"test=none", ""} {
		events, err := client.Watch(t.Context(), metav1.ListOptions{
			SendInitialEvents: &yes, AllowWatchBookmarks: true, ResourceVersionMatch: metav1.ResourceVersionMatchNotOlderThan, LabelSelector: selector,
		})
		g.Expect(err).NotTo(HaveOccurred())
		g.Eventually(events.ResultChan()).WithTimeout(patience).Should(Receive(WithTransform(func(event watch.Event) string {
			if object, ok := event.Object.(metav1.Object); ok && event.Type == watch.Bookmark {
				return object.GetAnnotations()[metav1.InitialEventsAnnotationKey]
			}
			return ""
		}, Equal("true"))))
		events.Stop()
	}
}

// readsConsistently lists a resource after writes of another resource. The cache has to ask the storage for its revision.
// Without an answer the cache would wait for seconds, which the metrics show.
func readsConsistently(t *testing.T, running *builder.Running, client typedcorev1.ConfigMapInterface) {
	g := NewWithT(t)
	all, err := kubernetes.NewForConfig(running.ClientConfig())
	g.Expect(err).NotTo(HaveOccurred())
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
	client, err := kubernetes.NewForConfig(running.ClientConfig())
	g.Expect(err).NotTo(HaveOccurred())
	pods := client.CoreV1().Pods(metav1.NamespaceDefault)
	_, err = pods.Create(t.Context(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "large"},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "image", Args: []string{strings.Repeat("x", 1_600_000)}}}},
	}, metav1.CreateOptions{})
	g.Expect(apierrors.IsRequestEntityTooLargeError(err)).To(BeTrue(), "%v", err)
	_, err = pods.Get(t.Context(), "large", metav1.GetOptions{})
	g.Expect(apierrors.IsNotFound(err)).To(BeTrue(), "%v", err)
}

func TestEveryStorageAnswersGoneToWhatWasCompacted(t *testing.T) {
	t.Parallel()
	eachBackend(t, time.Second, func(t *testing.T, backend builder.StorageBackend) {
		running, _ := start(t, storing(backend))
		answersGone(t, configMapsOf(t, running))
	})
}

func answersGone(t *testing.T, client typedcorev1.ConfigMapInterface) {
	g := NewWithT(t)
	object := create(t, client, configMap("gone"))
	create(t, client, configMap("gone-too"))
	page, err := client.List(t.Context(), metav1.ListOptions{Limit: 1})
	g.Expect(err).NotTo(HaveOccurred())
	first := object.ResourceVersion
	g.Eventually(func() error {
		object = update(t, client, object, object.ResourceVersion)
		_, err = client.List(t.Context(), metav1.ListOptions{Limit: 1, Continue: page.Continue})
		return err
	}).WithTimeout(patience).Should(Satisfy(apierrors.IsResourceExpired))
	_, older := client.List(t.Context(), metav1.ListOptions{ResourceVersion: first, ResourceVersionMatch: metav1.ResourceVersionMatchExact})
	g.Expect(apierrors.IsResourceExpired(older)).To(BeTrue(), "%v", older)
	var expired *apierrors.StatusError
	g.Expect(err).To(BeAssignableToTypeOf(expired))
	anew := err.(apierrors.APIStatus).Status().Continue
	g.Expect(anew).NotTo(BeEmpty(), "the list can be continued inconsistently")
	rest, err := client.List(t.Context(), metav1.ListOptions{Continue: anew})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(rest.Items).NotTo(BeEmpty())
}

// briefly is a server whose config maps live for a second.
func briefly(backend builder.StorageBackend) *builder.Server {
	return builder.New("briefly").
		WithScheme(corekinds.Install).
		WithOpenAPI("", "", corekinds.OpenAPIDefinitions).
		WithResource(corev1.SchemeGroupVersion, "configmaps", func(scope *builder.Scope) (builder.Storages, error) {
			store, err := builder.NewStore(scope, builder.Resource{
				New:        func() runtime.Object { return &corev1.ConfigMap{} },
				NewList:    func() runtime.Object { return &corev1.ConfigMapList{} },
				Resource:   corev1.Resource("configmaps"),
				Singular:   "configmap",
				Strategy:   builder.NewDefaultStrategy(scope.Scheme, corev1.SchemeGroupVersion),
				TTLSeconds: 1,
			})
			return builder.Storages{"": store}, err
		}).
		WithBearerToken(token, admin).
		WithConnProvider(builder.InMemoryConnections()).
		WithStorage(backend)
}

func TestEveryStorageForgetsWhatLivesBriefly(t *testing.T) {
	t.Parallel()
	eachBackend(t, 2*patience, func(t *testing.T, backend builder.StorageBackend) {
		g := NewWithT(t)
		running, _ := start(t, briefly(backend))
		client := configMapsOf(t, running)
		events, err := client.Watch(t.Context(), metav1.ListOptions{})
		g.Expect(err).NotTo(HaveOccurred())
		defer events.Stop()
		created := create(t, client, configMap("brief"))
		g.Expect(next(t, events)).To(Equal(watch.Event{Type: watch.Added, Object: created}))
		g.Expect(next(t, events).Type).To(Equal(watch.Deleted))
		list, err := client.List(t.Context(), metav1.ListOptions{})
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(list.Items).To(BeEmpty())
	})
}
