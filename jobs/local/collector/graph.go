// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"context"
	"fmt"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/metadata/metadatainformer"
	"k8s.io/client-go/tools/cache"
)

const ownerIndex = "owner"

// key names an object; the namespace of a cluster-scoped one is empty.
type key struct {
	resource        schema.GroupResource
	namespace, name string
}

func (k key) String() string {
	if k.namespace == "" {
		return fmt.Sprintf("%s %s", k.resource, k.name)
	}
	return fmt.Sprintf("%s %s/%s", k.resource, k.namespace, k.name)
}

// node is an object as the collector sees it: read only, and with the few fields that trim leaves.
type node struct {
	id key
	*metav1.ObjectMeta
}

// subscriber is called for every object, and for every change that matters to the collector. The graph has the change already.
type subscriber interface {
	added(n node)
	changed(before, after node)
	gone(n node)
}

// graph mirrors the metadata of every watched object, and finds it by owner and by namespace without asking the server.
type graph struct {
	informers map[schema.GroupResource]cache.SharedIndexInformer
}

func newGraph(client metadata.Interface, served *served) (*graph, error) {
	g := &graph{informers: map[schema.GroupResource]cache.SharedIndexInformer{}}
	for name, r := range served.resources {
		if !r.watched() {
			continue
		}
		indexers := cache.Indexers{ownerIndex: ownerUIDs, cache.NamespaceIndex: cache.MetaNamespaceIndexFunc}
		informer := metadatainformer.NewFilteredMetadataInformer(client, r.GroupVersionResource, metav1.NamespaceAll, 0, indexers, nil).Informer()
		if err := informer.SetTransform(trim); err != nil {
			return nil, fmt.Errorf("watch %s: %w", name, err)
		}
		g.informers[name] = informer
	}
	return g, nil
}

// trim keeps what collecting needs: annotations and managed fields would cost many times as much memory.
func trim(obj any) (any, error) {
	full, ok := obj.(*metav1.PartialObjectMetadata)
	if !ok {
		return obj, nil
	}
	return &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{
		Namespace:         full.Namespace,
		Name:              full.Name,
		UID:               full.UID,
		ResourceVersion:   full.ResourceVersion,
		DeletionTimestamp: full.DeletionTimestamp,
		Finalizers:        full.Finalizers,
		OwnerReferences:   full.OwnerReferences,
	}}, nil
}

func ownerUIDs(obj any) ([]string, error) {
	meta, ok := obj.(*metav1.PartialObjectMetadata)
	if !ok {
		return nil, fmt.Errorf("index by owner: unexpected %T", obj)
	}
	uids := make([]string, 0, len(meta.OwnerReferences))
	for _, reference := range meta.OwnerReferences {
		uids = append(uids, string(reference.UID))
	}
	return uids, nil
}

// subscribe must be called before run.
func (g *graph) subscribe(subscribers ...subscriber) error {
	for name, informer := range g.informers {
		for _, s := range subscribers {
			if _, err := informer.AddEventHandler(handler(name, s)); err != nil {
				return fmt.Errorf("watch %s: %w", name, err)
			}
		}
	}
	return nil
}

func handler(name schema.GroupResource, s subscriber) cache.ResourceEventHandler {
	return cache.ResourceEventHandlerFuncs{
		AddFunc: func(obj any) {
			if n, ok := newNode(name, obj); ok {
				s.added(n)
			}
		},
		UpdateFunc: func(old, obj any) {
			before, ok := newNode(name, old)
			after, ok2 := newNode(name, obj)
			switch {
			case !ok || !ok2:
			case before.UID == after.UID:
				s.changed(before, after)
			default: // deleted and created again between two looks
				s.gone(before)
				s.added(after)
			}
		},
		DeleteFunc: func(obj any) {
			if unseen, ok := obj.(cache.DeletedFinalStateUnknown); ok {
				obj = unseen.Obj
			}
			if n, ok := newNode(name, obj); ok {
				s.gone(n)
			}
		},
	}
}

func newNode(name schema.GroupResource, obj any) (node, bool) {
	meta, ok := obj.(*metav1.PartialObjectMetadata)
	if !ok {
		return node{}, false
	}
	return node{key{name, meta.Namespace, meta.Name}, &meta.ObjectMeta}, true
}

// run watches until ctx is done.
func (g *graph) run(ctx context.Context) {
	var running sync.WaitGroup
	for _, informer := range g.informers {
		running.Go(func() { informer.RunWithContext(ctx) })
	}
	running.Wait()
}

// waitForSync returns true once the graph is complete, or false when ctx is done before.
func (g *graph) waitForSync(ctx context.Context) bool {
	checkers := make([]cache.DoneChecker, 0, len(g.informers))
	for _, informer := range g.informers {
		checkers = append(checkers, informer.HasSyncedChecker())
	}
	return cache.WaitFor(ctx, "", checkers...)
}

// get returns the object of that name, and false when there is none in the graph.
func (g *graph) get(id key) (node, bool) {
	informer, watched := g.informers[id.resource]
	if !watched {
		return node{}, false
	}
	obj, found, err := informer.GetIndexer().GetByKey(cache.NewObjectName(id.namespace, id.name).String())
	if err != nil || !found {
		return node{}, false
	}
	return newNode(id.resource, obj)
}

// dependents returns the objects with a reference to the owner of that UID.
func (g *graph) dependents(owner types.UID) []node {
	return g.byIndex(ownerIndex, string(owner))
}

// inNamespace returns the namespace's objects.
func (g *graph) inNamespace(namespace string) []node {
	return g.byIndex(cache.NamespaceIndex, namespace)
}

func (g *graph) byIndex(index, value string) []node {
	var found []node
	for name, informer := range g.informers {
		objects, err := informer.GetIndexer().ByIndex(index, value)
		if err != nil {
			continue // only an index that does not exist fails
		}
		for _, obj := range objects {
			if n, ok := newNode(name, obj); ok {
				found = append(found, n)
			}
		}
	}
	return found
}
