// SPDX-License-Identifier: Apache-2.0

// Package cascade is the garbage collector and the namespace controller of goldsmith up, which has no kube-controller-manager. It
// deletes the dependents of a deleted owner, and the content of a terminating namespace. The chain Image, ImageBuild, Job, pod is
// the common case, but every kind of Kinds except Event can own objects and be owned.
//
// Everything is decided from the API as it is, one owner at a time, so a crash loses nothing. An owner counts as missing only if
// the server itself answers 404, or the name has another UID. Every deletion and patch must have the UID and resource version
// that the decision was based on as preconditions.
package cascade

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/metadata/metadatainformer"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/klog/v2"
	"k8s.io/utils/ptr"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apis/notfound"
)

const (
	// workers is how many owners are settled at once, and how many dependents of one owner are deleted at once.
	workers = 8

	firstRetry = 5 * time.Millisecond
	lastRetry  = 30 * time.Second

	byOwner = "owner" // the index of dependents
)

// Kind is a row of the table of kinds.
type Kind struct {
	schema.GroupVersionResource
	namespaced bool
}

// Kinds returns the kinds that are deleted with a namespace or an owner. All but events can own objects and be owned: a reference
// to any other kind, or to another version of one, keeps its object.
func Kinds() map[schema.GroupKind]Kind {
	images, core := v1alpha1.SchemeGroupVersion, corev1.SchemeGroupVersion
	batch, scheduling := batchv1.SchemeGroupVersion, schedulingv1.SchemeGroupVersion
	return map[schema.GroupKind]Kind{
		images.WithKind("Image").GroupKind():             {images.WithResource("images"), true},
		images.WithKind("ImageBuild").GroupKind():        {images.WithResource("imagebuilds"), true},
		images.WithKind("ImageKind").GroupKind():         {images.WithResource("imagekinds"), false},
		images.WithKind("Archive").GroupKind():           {images.WithResource("archives"), false},
		images.WithKind("RevokedArtifact").GroupKind():   {images.WithResource("revokedartifacts"), true},
		images.WithKind("SigningKey").GroupKind():        {images.WithResource("signingkeys"), false},
		batch.WithKind("Job").GroupKind():                {batch.WithResource("jobs"), true},
		core.WithKind("Pod").GroupKind():                 {core.WithResource("pods"), true},
		core.WithKind("ConfigMap").GroupKind():           {core.WithResource("configmaps"), true},
		core.WithKind("Secret").GroupKind():              {core.WithResource("secrets"), true},
		eventKind:                                        {core.WithResource("events"), true},
		namespaceKind:                                    {core.WithResource("namespaces"), false},
		scheduling.WithKind("PriorityClass").GroupKind(): {scheduling.WithResource("priorityclasses"), false},
	}
}

var (
	namespaceKind = corev1.SchemeGroupVersion.WithKind("Namespace").GroupKind()
	eventKind     = corev1.SchemeGroupVersion.WithKind("Event").GroupKind()
)

// owner names an object that others may depend on. A namespace without a UID stands for the place of its objects.
type owner struct {
	kind            schema.GroupKind
	namespace, name string
	uid             types.UID
}

// key is the value of the owner in the index.
func (o owner) key() string { return fmt.Sprintf("%s %q %q %q", o.kind, o.namespace, o.name, o.uid) }

// object is the metadata of an object. It is read only. An object of the cache has only the fields that trim keeps.
type object struct {
	kind schema.GroupKind
	*metav1.ObjectMeta
}

func (o object) owner() owner { return owner{o.kind, o.Namespace, o.Name, o.UID} }

// Cascade deletes dependents, and empties namespaces.
type Cascade struct {
	metadata   metadata.Interface
	namespaces corev1client.NamespaceInterface
	kinds      map[schema.GroupKind]Kind
	informers  map[schema.GroupKind]cache.SharedIndexInformer
	queue      workqueue.TypedRateLimitingInterface[owner]
}

// New returns a Cascade that does nothing until it is run. Each deleted object costs one request of the first client: a limit of
// its rate slows large deletions down.
func New(objects metadata.Interface, namespaces corev1client.NamespaceInterface) (*Cascade, error) {
	c := &Cascade{
		metadata: objects, namespaces: namespaces, kinds: Kinds(), informers: map[schema.GroupKind]cache.SharedIndexInformer{},
		queue: workqueue.NewTypedRateLimitingQueueWithConfig(
			workqueue.NewTypedItemExponentialFailureRateLimiter[owner](firstRetry, lastRetry),
			workqueue.TypedRateLimitingQueueConfig[owner]{Name: "cascade"}),
	}
	for of, k := range c.kinds {
		if of == eventKind {
			continue // events are many
		}
		index := cache.Indexers{byOwner: func(obj any) (keys []string, _ error) {
			for _, owner := range c.owners(object{of, meta(obj)}) {
				keys = append(keys, owner.key())
			}
			return keys, nil
		}}
		informer := metadatainformer.NewFilteredMetadataInformer(objects, k.GroupVersionResource, metav1.NamespaceAll, 0, index, nil).Informer()
		notice := func(obj any) { c.notice(object{of, meta(obj)}) }
		_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc: notice, DeleteFunc: notice,
			UpdateFunc: func(old, obj any) { notice(old); notice(obj) },
		})
		if err := errors.Join(err, informer.SetTransform(trim)); err != nil {
			return nil, fmt.Errorf("watch %s: %w", k.Resource, err)
		}
		c.informers[of] = informer
	}
	return c, nil
}

// trim keeps what is judged by: annotations and managed fields would cost many times as much memory.
func trim(obj any) (any, error) {
	m := meta(obj)
	return &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{
		Namespace: m.Namespace, Name: m.Name, UID: m.UID, ResourceVersion: m.ResourceVersion,
		DeletionTimestamp: m.DeletionTimestamp, Finalizers: m.Finalizers, OwnerReferences: m.OwnerReferences,
	}}, nil
}

func meta(obj any) *metav1.ObjectMeta {
	if unseen, ok := obj.(cache.DeletedFinalStateUnknown); ok {
		obj = unseen.Obj
	}
	if partial, ok := obj.(*metav1.PartialObjectMetadata); ok {
		return &partial.ObjectMeta
	}
	return &metav1.ObjectMeta{} // an informer of metadata holds nothing else
}

// Run deletes until ctx is done. It can be called once.
func (c *Cascade) Run(ctx context.Context) error {
	var running sync.WaitGroup
	defer running.Wait()
	defer c.queue.ShutDown()
	for _, informer := range c.informers {
		running.Go(func() { informer.RunWithContext(ctx) })
	}
	for _, informer := range c.informers {
		if !cache.WaitForCacheSync(ctx.Done(), informer.HasSynced) {
			return nil // ctx was done first
		}
	}
	for range workers {
		running.Go(func() {
			for c.next(ctx) {
			}
		})
	}
	<-ctx.Done()
	return nil
}

// next settles the next owner of the queue. It returns false once the queue is shut down.
func (c *Cascade) next(ctx context.Context) bool {
	of, stopped := c.queue.Get()
	if stopped {
		return false
	}
	defer c.queue.Done(of)
	err := c.settle(ctx, of)
	if err == nil {
		c.queue.Forget(of)
		return true
	}
	if ctx.Err() == nil && !apierrors.IsConflict(err) { // after a conflict, the next version is judged
		klog.FromContext(ctx).Error(err, "Deleting what a deleted object left behind failed, will retry", "kind", of.kind.Kind,
			"namespace", of.namespace, "name", of.name)
	}
	c.queue.AddRateLimited(of)
	return true
}

// notice queues every owner that a change of the object can concern: itself, its owners and its namespace.
func (c *Cascade) notice(o object) {
	c.queue.Add(o.owner())
	for _, of := range c.owners(o) {
		c.queue.Add(of)
	}
	if o.kind == namespaceKind {
		c.queue.Add(owner{kind: namespaceKind, name: o.Name})
	} else if o.Namespace != "" {
		c.queue.Add(owner{kind: namespaceKind, name: o.Namespace})
	}
}

// owners returns the owners that an object refers to, as far as they can be looked up.
func (c *Cascade) owners(o object) (owners []owner) {
	for _, reference := range o.OwnerReferences {
		if of, ok := c.ownerOf(o, reference); ok {
			owners = append(owners, of)
		}
	}
	return owners
}

// ownerOf returns the owner that a reference of an object names. ok is false if nobody can look it up, because its kind is not served, or not in
// this version, or because it cannot own the object: as in Kubernetes, the reference keeps the object.
func (c *Cascade) ownerOf(o object, reference metav1.OwnerReference) (of owner, ok bool) {
	named := schema.FromAPIVersionAndKind(reference.APIVersion, reference.Kind)
	kind := c.kinds[named.GroupKind()]
	if c.informers[named.GroupKind()] == nil || kind.Version != named.Version || reference.UID == "" || kind.namespaced && o.Namespace == "" {
		return owner{}, false
	}
	of = owner{named.GroupKind(), "", reference.Name, reference.UID}
	if kind.namespaced {
		of.namespace = o.Namespace
	}
	return of, true
}

// settle brings the deletion of one owner a step on. It can be repeated at any time.
func (c *Cascade) settle(ctx context.Context, of owner) error {
	if of.uid == "" {
		return c.empty(ctx, of.name)
	}
	dependents := c.dependents(of)
	found, err := c.find(ctx, of, len(dependents) > 0)
	if err != nil {
		return fmt.Errorf("look up owner %s %s: %w", of.kind.Kind, of.name, err)
	}
	finalizer := ""
	if found != nil {
		if finalizer = waitsWith(*found); finalizer == "" {
			return nil // it keeps its dependents
		}
	}
	err = each(ctx, dependents, func(dependent object) error {
		others := slices.DeleteFunc(slices.Clone(dependent.OwnerReferences), func(r metav1.OwnerReference) bool {
			named, ok := c.ownerOf(dependent, r)
			return ok && named == of
		})
		switch {
		case dependent.DeletionTimestamp != nil:
			return nil
		case finalizer == metav1.FinalizerOrphanDependents || len(others) > 0: // another owner decides, once it is settled
			return c.patch(ctx, dependent, "ownerReferences", others)
		case finalizer == metav1.FinalizerDeleteDependents && len(c.dependents(dependent.owner())) > 0:
			return c.delete(ctx, dependent, metav1.DeletePropagationForeground)
		default:
			return c.delete(ctx, dependent, metav1.DeletePropagationBackground)
		}
	})
	holds := func(dependent object) bool {
		return finalizer == metav1.FinalizerOrphanDependents && dependent.DeletionTimestamp == nil ||
			finalizer == metav1.FinalizerDeleteDependents && blocks(dependent, of.uid)
	}
	if err != nil || found == nil || slices.ContainsFunc(dependents, holds) {
		return err
	}
	return c.patch(ctx, *found, "finalizers", slices.DeleteFunc(slices.Clone(found.Finalizers), func(f string) bool { return f == finalizer }))
}

// find returns an owner, or nil if the server does not have it. An owner that nothing depends on is not asked for.
func (c *Cascade) find(ctx context.Context, of owner, needed bool) (*object, error) {
	cached, exists, err := c.informers[of.kind].GetIndexer().GetByKey(cache.NewObjectName(of.namespace, of.name).String())
	if err == nil && exists && meta(cached).UID == of.uid {
		return &object{of.kind, meta(cached)}, nil
	}
	if !needed {
		return nil, nil
	}
	live, err := c.client(of.kind, of.namespace).Get(ctx, of.name, metav1.GetOptions{})
	switch {
	case notfound.Object(err), err == nil && live.UID != of.uid:
		return nil, nil
	case err != nil:
		return nil, err
	}
	return &object{of.kind, &live.ObjectMeta}, nil
}

func (c *Cascade) dependents(of owner) (dependents []object) {
	key := of.key()
	for kind, informer := range c.informers {
		found, _ := informer.GetIndexer().ByIndex(byOwner, key) // only an unknown index fails
		for _, obj := range found {
			dependents = append(dependents, object{kind, meta(obj)})
		}
	}
	return dependents
}

// waitsWith returns the finalizer with which a deleted object waits for its dependents, or "".
func waitsWith(o object) string {
	for _, finalizer := range []string{metav1.FinalizerDeleteDependents, metav1.FinalizerOrphanDependents} {
		if o.DeletionTimestamp != nil && slices.Contains(o.Finalizers, finalizer) {
			return finalizer
		}
	}
	return ""
}

func blocks(dependent object, owner types.UID) bool {
	return slices.ContainsFunc(dependent.OwnerReferences, func(r metav1.OwnerReference) bool {
		return r.UID == owner && ptr.Deref(r.BlockOwnerDeletion, false)
	})
}

// each does the same for several objects, some at a time.
func each(ctx context.Context, objects []object, do func(object) error) error {
	failures := make([]error, len(objects))
	workqueue.ParallelizeUntil(ctx, workers, len(objects), func(i int) { failures[i] = do(objects[i]) })
	return errors.Join(append(failures, ctx.Err())...)
}

// delete deletes the very version that was judged. A finalizer of the object that sets a propagation takes precedence.
func (c *Cascade) delete(ctx context.Context, o object, propagation metav1.DeletionPropagation) error {
	options := metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &o.UID, ResourceVersion: &o.ResourceVersion}}
	if !slices.Contains(o.Finalizers, metav1.FinalizerOrphanDependents) && !slices.Contains(o.Finalizers, metav1.FinalizerDeleteDependents) {
		options.PropagationPolicy = &propagation
	}
	if err := c.client(o.kind, o.Namespace).Delete(ctx, o.Name, options); err != nil && !notfound.Object(err) {
		return fmt.Errorf("delete %s %s/%s: %w", o.kind.Kind, o.Namespace, o.Name, err)
	}
	return nil
}

// patch replaces one list of the metadata, of the very version that was judged. A deleted object is no failure.
func (c *Cascade) patch(ctx context.Context, o object, field string, list any) error {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"uid": o.UID, "resourceVersion": o.ResourceVersion, field: list}})
	if err != nil {
		return err
	}
	_, err = c.client(o.kind, o.Namespace).Patch(ctx, o.Name, types.MergePatchType, patch, metav1.PatchOptions{})
	if err != nil && !notfound.Object(err) {
		return fmt.Errorf("patch %s of %s %s/%s: %w", field, o.kind.Kind, o.Namespace, o.Name, err)
	}
	return nil
}

func (c *Cascade) client(of schema.GroupKind, namespace string) metadata.ResourceInterface {
	return c.metadata.Resource(c.kinds[of].GroupVersionResource).Namespace(namespace)
}
