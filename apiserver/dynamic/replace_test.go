// SPDX-License-Identifier: Apache-2.0

package dynamic_test

import (
	"context"
	"fmt"
	"net/http"
	goruntime "runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"unsafe"

	. "github.com/onsi/gomega"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/apiserver/pkg/registry/rest"
	dynamicclient "k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"

	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/apiserver/builder/buildertest"
	"goldsmith.dev/goldsmith/apiserver/dynamic"
	"goldsmith.dev/goldsmith/apiserver/resources"
	"goldsmith.dev/goldsmith/e2e/require"
)

func TestReplacedKindsEndTheirWatches(t *testing.T) {
	g := buildertest.Parallel(t)
	shelf := newShelf()
	game := shelf.kind(definition("games", "Game", toyFields()), "1")
	group, running := shop(t, shelf.toy("1"), game)
	client := clientOf(t, running)
	watchOf := func(resource string) watch.Interface {
		events := require.Value(client.Resource(toys.GroupVersion().WithResource(resource)).Watch(t.Context(), metav1.ListOptions{}))(t)
		t.Cleanup(events.Stop)
		return events
	}
	ofToys, ofGames := watchOf("toys"), watchOf("games")
	require.NoError(t, group.Replace([]dynamic.Kind{shelf.toy("2"), game}))
	var last watch.Event
	g.Eventually(ofToys.ResultChan()).Should(Receive(&last))
	g.Expect(last.Type).To(Equal(watch.Error))
	g.Expect(apierrors.IsResourceExpired(apierrors.FromObject(last.Object))).To(BeTrue(), "%v", last.Object)
	g.Eventually(ofToys.ResultChan()).Should(BeClosed())

	require.Value(client.Resource(toys.GroupVersion().WithResource("games")).Namespace("default").Create(t.Context(), newObject("Game", "chess", nil), metav1.CreateOptions{}))(t)
	g.Eventually(ofGames.ResultChan()).Should(Receive(&last))
	g.Expect(last.Type).To(Equal(watch.Added), "a kind of the same revision is kept, with its watches")

	require.NoError(t, group.Replace(nil))
	g.Eventually(ofGames.ResultChan()).Should(Receive(&last))
	g.Expect(apierrors.IsResourceExpired(apierrors.FromObject(last.Object))).To(BeTrue(), "%v", last.Object)
	_, err := client.Resource(toys).List(t.Context(), metav1.ListOptions{})
	g.Expect(apierrors.IsNotFound(err)).To(BeTrue(), "%v", err)
}

func TestAnInformerMissesNothingWhenItsKindIsReplaced(t *testing.T) {
	g := buildertest.Parallel(t)
	shelf := newShelf()
	group, running := shop(t, shelf.toy("1"))
	client := clientOf(t, running)
	created := 0
	create := func() {
		created++
		require.Value(client.Resource(toys).Namespace("default").Create(t.Context(), newToy(fmt.Sprint("toy-", created), nil), metav1.CreateOptions{}))(t)
	}
	create()
	// Each new list or watch of the informer is a request.
	var requests atomic.Int32
	counting := running.ClientConfig()
	counting.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(request *http.Request) (*http.Response, error) {
			requests.Add(1)
			return next.RoundTrip(request)
		})
	})
	informers := dynamicinformer.NewDynamicSharedInformerFactory(require.Value(dynamicclient.NewForConfig(counting))(t), 0)
	informer := informers.ForResource(toys)
	informer.Informer()
	informers.Start(t.Context().Done())
	known := func() int { return len(informer.Informer().GetStore().ListKeys()) }
	g.Eventually(known).Should(Equal(1))
	before := requests.Load()
	require.NoError(t, group.Replace([]dynamic.Kind{shelf.toy("2")}))
	create()
	g.Eventually(known, "10s").Should(Equal(created))
	g.Expect(requests.Load()).To(BeNumerically(">", before), "the informer lists again")
	require.NoError(t, client.Resource(toys).Namespace("default").Delete(t.Context(), "toy-1", metav1.DeleteOptions{}))
	g.Eventually(known).Should(Equal(created - 1))
}

// TestFiftyWatchersWhileKindsAreReplaced also looks for data races, with go test -race.
func TestFiftyWatchersWhileKindsAreReplaced(t *testing.T) {
	g := buildertest.Parallel(t)
	const watchers, replacements = 50, 50
	kind := definition("toys", "Toy", toyFields())
	group, running := shop(t, computed(kind, "0", []*View{newView("first")}))
	client := clientOf(t, running).Resource(toys)
	ctx, stop := context.WithTimeout(t.Context(), buildertest.Patience)
	defer stop()
	began, failures := make(chan struct{}, watchers), make(chan error, watchers)
	for range watchers {
		go func() { failures <- seeLast(ctx, client, sync.OnceFunc(func() { began <- struct{}{} })) }()
	}
	for range watchers {
		g.Eventually(began).WithTimeout(buildertest.Patience).Should(Receive())
	}
	for i := range replacements {
		require.NoError(t, group.Replace([]dynamic.Kind{computed(kind, fmt.Sprint("changed-", i), []*View{newView("next")})}))
		require.Value(client.List(t.Context(), metav1.ListOptions{}))(t)
	}
	require.NoError(t, group.Replace([]dynamic.Kind{computed(kind, "last", []*View{newView("last")})}))
	for range watchers {
		g.Expect(<-failures).NotTo(HaveOccurred())
	}
}

// roundTripper is a function as an http.RoundTripper.
type roundTripper func(*http.Request) (*http.Response, error)

func (r roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return r(request) }

// seeLast watches again whenever a watch ends, until a toy has the last colour.
func seeLast(ctx context.Context, client dynamicclient.ResourceInterface, began func()) error {
	for ctx.Err() == nil {
		events, err := client.Watch(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		for event := range events.ResultChan() {
			if event.Type == watch.Error {
				if err := apierrors.FromObject(event.Object); !apierrors.IsResourceExpired(err) {
					return err
				}
				continue
			}
			began()
			if event.Object.(*unstructured.Unstructured).Object["spec"].(map[string]any)["colour"] == "last" {
				events.Stop()
				return nil
			}
		}
	}
	return ctx.Err()
}

// slowStorage answers when it is told to.
type slowStorage struct {
	*computedStorage
	started, answer, destroyed chan struct{}
}

func (s *slowStorage) Get(ctx context.Context, name string, options *metav1.GetOptions) (runtime.Object, error) {
	close(s.started)
	<-s.answer
	return s.computedStorage.Get(ctx, name, options)
}

func (s *slowStorage) Destroy() { close(s.destroyed) }

func TestARequestFinishesWithTheKindThatItBeganWith(t *testing.T) {
	g := buildertest.Parallel(t)
	kind := definition("toys", "Toy", toyFields())
	slow := computed(kind, "1", nil)
	storage := &slowStorage{started: make(chan struct{}), answer: make(chan struct{}), destroyed: make(chan struct{})}
	slow.Storages = func(serving dynamic.Serving) (resources.Storages, error) {
		storage.computedStorage = &computedStorage{TableConvertor: serving.Table, definition: kind, views: []*View{newView("old")}}
		return resources.Storages{"": storage}, nil
	}
	group, running := shop(t, slow)
	client := clientOf(t, running).Resource(toys).Namespace("default")
	colour := make(chan any, 1)
	go func() {
		bear, err := client.Get(t.Context(), "bear", metav1.GetOptions{})
		if err != nil {
			colour <- err
			return
		}
		colour <- bear.Object["spec"].(map[string]any)["colour"]
	}()
	g.Eventually(storage.started).Should(BeClosed())
	require.NoError(t, group.Replace([]dynamic.Kind{computed(kind, "2", []*View{newView("new")})}))
	bear := require.Value(client.Get(t.Context(), "bear", metav1.GetOptions{}))(t)
	g.Expect(bear.Object["spec"]).To(HaveKeyWithValue("colour", "new"))
	g.Expect(storage.destroyed).NotTo(BeClosed(), "a request still uses the storage")
	close(storage.answer)
	g.Eventually(colour).Should(Receive(Equal("old")))
	g.Eventually(storage.destroyed).Should(BeClosed())
}

// refused are mistakes in kinds.
var refused = map[string]func(kind *dynamic.Kind){
	"read the schema of kind Game": func(kind *dynamic.Kind) {
		kind.Structural = nil
		kind.Definition.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["untyped"] = apiextensionsv1.JSONSchemaProps{}
	},
	"needs a definition": func(kind *dynamic.Kind) { kind.Revision = "" },
	"has 2 versions, not 1": func(kind *dynamic.Kind) {
		kind.Definition.Spec.Versions = append(kind.Definition.Spec.Versions, kind.Definition.Spec.Versions[0])
	},
	"not of group shop.example.com":      func(kind *dynamic.Kind) { kind.Definition.Spec.Group = "other.example.com" },
	"needs a plural and a singular name": func(kind *dynamic.Kind) { kind.Definition.Spec.Names.ListKind = "" },
	"has no schema":                      func(kind *dynamic.Kind) { kind.Definition.Spec.Versions[0].Schema = nil },
	"unrecognized column":                func(kind *dynamic.Kind) { kind.Definition.Spec.Versions[0].AdditionalPrinterColumns[0].JSONPath = "{" },
	"two kinds have the names of Toy":    func(kind *dynamic.Kind) { kind.Definition.Spec.Names.Kind = "Toy" },
	"no storages today": func(kind *dynamic.Kind) {
		kind.Storages = func(dynamic.Serving) (resources.Storages, error) { return nil, fmt.Errorf("no storages today") }
	},
	"has no storage for the resource itself": func(kind *dynamic.Kind) {
		kind.Storages = func(dynamic.Serving) (resources.Storages, error) { return nil, nil }
	},
	"additionalProperties of spec.box[*].wrong must": func(kind *dynamic.Kind) {
		kind.Definition.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"].Properties["box"] = apiextensionsv1.JSONSchemaProps{
			Type: "array", Items: &apiextensionsv1.JSONSchemaPropsOrArray{Schema: &apiextensionsv1.JSONSchemaProps{Type: "object", Properties: map[string]apiextensionsv1.JSONSchemaProps{
				"wrong": {Type: "object", AdditionalProperties: &apiextensionsv1.JSONSchemaPropsOrBool{Allows: true}},
			}}},
		}
	},
	"must make new objects": func(kind *dynamic.Kind) {
		kind.Storages = func(dynamic.Serving) (resources.Storages, error) {
			return resources.Storages{"": typedStorage{}}, nil
		}
	},
}

// typedStorage makes objects that requests cannot be decoded into.
type typedStorage struct {
	rest.Storage
	rest.Creater
}

func (typedStorage) New() runtime.Object { return &View{} }
func (typedStorage) Destroy()            {}

func TestReplaceIsAllOrNothing(t *testing.T) {
	t.Parallel()
	shelf := newShelf()
	group, running := shop(t, shelf.toy("1"))
	client := clientOf(t, running).Resource(toys).Namespace("default")
	events := require.Value(client.Watch(t.Context(), metav1.ListOptions{}))(t)
	defer events.Stop()
	for message, mistake := range refused {
		t.Run(message, func(t *testing.T) {
			g := NewWithT(t)
			wrong := shelf.kind(definition("games", "Game", toyFields()), "1")
			mistake(&wrong)
			g.Expect(group.Replace([]dynamic.Kind{shelf.toy("2"), wrong})).To(MatchError(ContainSubstring(message)))
			require.Value(client.List(t.Context(), metav1.ListOptions{}))(t)
		})
	}
	g := NewWithT(t)
	g.Expect(events.ResultChan()).NotTo(Receive(), "the watch of the first kind goes on")
	require.Value(client.Create(t.Context(), newToy("bear", nil), metav1.CreateOptions{}))(t)
	var event watch.Event
	g.Eventually(events.ResultChan()).Should(Receive(&event))
	g.Expect(event.Type).To(Equal(watch.Added))
}

func TestReplacedKindsAreDescribedAnew(t *testing.T) {
	g := buildertest.Parallel(t)
	fields := toyFields()
	group, running := shop(t, computed(definition("toys", "Toy", fields), "1", nil))
	documents := []string{"/openapi/v2", "/openapi/v3/apis/" + shopGroup + "/v1", "/apis/" + shopGroup + "/v1"}
	read := func(path string) string {
		_, body := request(t, running, http.MethodGet, path, "", "Accept", "application/json")
		return body
	}
	for _, path := range documents {
		g.Expect(read(path)).To(And(ContainSubstring("Toy"), Not(ContainSubstring("Game"))), path)
	}
	_, before := request(t, running, http.MethodGet, "/openapi/v3", "")
	require.NoError(t, group.Replace([]dynamic.Kind{computed(definition("games", "Game", fields), "1", nil)}))
	for _, path := range documents {
		g.Expect(read(path)).To(And(ContainSubstring("Game"), Not(ContainSubstring("Toy"))), path)
	}
	_, after := request(t, running, http.MethodGet, "/openapi/v3", "")
	g.Expect(after).NotTo(Equal(before), "the hash of the document changes")
}

// TestRemovedKindsGiveTheirMemoryBack reads everything that keeps a part of a kind, and then removes the kind. A part of its description is shared by
// all of them.
func TestRemovedKindsGiveTheirMemoryBack(t *testing.T) {
	g := buildertest.Parallel(t)
	var freed atomic.Int32
	describedKind := func(revision string) dynamic.Kind {
		fields := toyFields()
		text := []byte(strings.Repeat("a long description ", 1000))
		goruntime.AddCleanup(&text[0], func(int) { freed.Add(1) }, 0)
		fields["described"] = apiextensionsv1.JSONSchemaProps{Type: "string", Description: unsafe.String(&text[0], len(text))}
		return computed(definition("toys", "Toy", fields), revision, nil)
	}
	group, running := shop(t, describedKind("1"))
	client := clientOf(t, running).Resource(toys)
	for _, revision := range []string{"2", "3"} {
		require.Value(client.List(t.Context(), metav1.ListOptions{}))(t)
		for _, path := range []string{"/openapi/v2", "/openapi/v3/apis/" + shopGroup + "/v1", "/apis/" + shopGroup + "/v1"} {
			_, body := request(t, running, http.MethodGet, path, "", "Accept", "application/json")
			g.Expect(body).To(ContainSubstring("Toy"))
		}
		require.NoError(t, group.Replace([]dynamic.Kind{describedKind(revision)}))
	}
	require.NoError(t, group.Replace(nil))
	g.Eventually(func() int32 {
		goruntime.GC()
		return freed.Load()
	}).WithTimeout(buildertest.Patience).Should(BeEquivalentTo(3))
}

func TestGroupsOfOneServer(t *testing.T) {
	g := buildertest.Parallel(t)
	first, second := dynamic.NewGroup(shopGroup, "v1"), dynamic.NewGroup("other.example.com", "v1")
	other := definition("games", "Game", toyFields())
	other.Spec.Group = "other.example.com"
	require.NoError(t, first.Replace([]dynamic.Kind{computed(definition("toys", "Toy", toyFields()), "1", nil)}))
	require.NoError(t, second.Replace([]dynamic.Kind{computed(other, "1", nil)}))
	running, stop := buildertest.Start(t, buildertest.CoreKinds(builder.Memory()).WithDynamicGroup(first).WithDynamicGroup(second))
	_, body := request(t, running, http.MethodGet, "/openapi/v2", "", "Accept", "application/json")
	g.Expect(body).To(And(ContainSubstring("com.example.shop.v1.Toy"), ContainSubstring("com.example.other.v1.Game")))
	g.Expect(require.Value(buildertest.CoreKinds(builder.Memory()).WithDynamicGroup(first).ToServerOptions())(t).Start(t.Context())).Error().
		To(MatchError(ContainSubstring("it belongs to another server")))
	g.Expect(require.Value(buildertest.CoreKinds(builder.Memory()).WithDynamicGroup(dynamic.NewGroup("empty.example.com")).ToServerOptions())(t).Start(t.Context())).Error().
		To(MatchError(ContainSubstring("it has no versions")))
	stop()
	g.Expect(first.Check().Check(nil)).NotTo(Succeed())
}

func TestDynamicGroupsAreDescribedOnce(t *testing.T) {
	g := buildertest.Parallel(t)
	for _, server := range []*builder.Server{
		buildertest.CoreKinds(builder.Memory()).WithDynamicGroup(dynamic.NewGroup("batch", "v1")),
		buildertest.CoreKinds(builder.Memory()).WithDynamicGroup(dynamic.NewGroup(shopGroup, "v1")).WithDynamicGroup(dynamic.NewGroup(shopGroup, "v1")),
	} {
		g.Expect(server.ToServerOptions()).Error().To(MatchError(ContainSubstring("is registered twice")))
	}
}
