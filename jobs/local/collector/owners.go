// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/klog/v2"
	"k8s.io/utils/lru"
)

// absencesKept bounds the cache of missing owners. An owner that was evicted costs a further GET.
const absencesKept = 4096

// owners judges every object by its owners: it deletes objects without owners, and keeps owners that wait for their dependents.
type owners struct {
	metadata metadata.Interface
	served   *served
	graph    *graph
	queue    workqueue.TypedRateLimitingInterface[key]
	absences *lru.Cache // of absence; UIDs never come back, so an absence is for good
}

// absence is an owner that the server does not know by this name and UID.
type absence struct {
	owner key
	uid   types.UID
}

func newOwners(options Options, served *served, graph *graph) *owners {
	return &owners{
		metadata: options.Metadata,
		served:   served,
		graph:    graph,
		queue:    newQueue[key]("collector-owners", options.Clock),
		absences: lru.New(absencesKept),
	}
}

func (o *owners) added(n node) {
	if len(n.OwnerReferences) > 0 || waits(n) {
		o.queue.Add(n.id)
	}
	if waits(n) {
		o.queueDependents(n)
	}
}

func (o *owners) changed(before, after node) {
	released := !equality.Semantic.DeepEqual(before.OwnerReferences, after.OwnerReferences)
	began := before.DeletionTimestamp == nil && after.DeletionTimestamp != nil
	if released || began || !slices.Equal(before.Finalizers, after.Finalizers) {
		o.queue.Add(after.id)
	}
	if !waits(before) && waits(after) {
		o.queueDependents(after)
	}
	if released || began {
		o.queueOwners(before)
	}
}

func (o *owners) gone(n node) {
	o.queueDependents(n)
	o.queueOwners(n)
}

func (o *owners) queueDependents(owner node) {
	for _, dependent := range o.graph.dependents(owner.UID) {
		o.queue.Add(dependent.id)
	}
}

// queueOwners wakes the owners that may have waited for this dependent.
func (o *owners) queueOwners(dependent node) {
	for _, reference := range dependent.OwnerReferences {
		r, ok := o.served.owner(reference)
		if !ok {
			continue
		}
		if owner, ok := o.graph.get(ownerKey(r, dependent, reference)); ok && waits(owner) {
			o.queue.Add(owner.id)
		}
	}
}

// judge brings one object one step on. It can be repeated at any time.
func (o *owners) judge(ctx context.Context, id key) error {
	n, ok := o.graph.get(id)
	switch {
	case !ok:
		return nil
	case deletingDependents(n):
		return o.release(ctx, n, metav1.FinalizerDeleteDependents, blocks)
	case orphaningDependents(n):
		return o.release(ctx, n, metav1.FinalizerOrphanDependents, staysWith)
	case n.DeletionTimestamp != nil:
		return nil // a deletion cannot be undone, so there is no decision left
	case len(n.OwnerReferences) == 0:
		return nil
	default:
		return o.judgeOwned(ctx, n)
	}
}

// release removes the finalizer that makes n wait for its dependents, unless one of them still holds it.
// The dependents are judged by themselves.
func (o *owners) release(ctx context.Context, n node, finalizer string, holds func(dependent node, owner types.UID) bool) error {
	for _, dependent := range o.graph.dependents(n.UID) {
		if holds(dependent, n.UID) {
			return nil
		}
	}
	left := slices.DeleteFunc(slices.Clone(n.Finalizers), func(f string) bool { return f == finalizer })
	if _, err := o.patch(ctx, n, "finalizers", left); err != nil {
		return fmt.Errorf("remove the finalizer %s of %s: %w", finalizer, n.id, err)
	}
	return nil
}

// judgeOwned deletes n when no owner keeps it, and otherwise removes references to missing owners.
func (o *owners) judgeOwned(ctx context.Context, n node) error {
	var keep []metav1.OwnerReference
	var kept, waitedFor bool
	for _, reference := range n.OwnerReferences {
		state, err := o.state(ctx, n, reference)
		if err != nil {
			return fmt.Errorf("look up owner %s %s of %s: %w", reference.Kind, reference.Name, n.id, err)
		}
		switch state {
		case ownerUnknown:
			klog.FromContext(ctx).V(4).Info("Object is kept: the kind of an owner is not served, or cannot own the object",
				"object", n.id, "ownerAPIVersion", reference.APIVersion, "ownerKind", reference.Kind, "ownerName", reference.Name)
			return nil
		case ownerPresent:
			kept = true
			keep = append(keep, reference)
		case ownerOrphaning:
			kept = true
		case ownerDeletingDependents:
			waitedFor = true
		case ownerGone:
		}
	}
	switch {
	case kept && len(keep) == len(n.OwnerReferences):
		return nil
	case kept:
		if _, err := o.patch(ctx, n, "ownerReferences", keep); err != nil {
			return fmt.Errorf("drop owner references of %s: %w", n.id, err)
		}
		return nil
	case waitedFor:
		return o.deleteForWaitingOwner(ctx, n)
	default:
		return o.delete(ctx, n, chosenPropagation(n))
	}
}

// deleteForWaitingOwner passes foreground deletion on to an object that has dependents itself.
func (o *owners) deleteForWaitingOwner(ctx context.Context, n node) error {
	dependents := o.graph.dependents(n.UID)
	if len(dependents) == 0 {
		return o.delete(ctx, n, chosenPropagation(n))
	}
	if slices.ContainsFunc(dependents, deletingDependents) {
		// Owners and dependents that all wait may be a cycle, so this dependent stops blocking its owners.
		unblocked := make([]metav1.OwnerReference, 0, len(n.OwnerReferences))
		for _, reference := range n.OwnerReferences {
			reference.BlockOwnerDeletion = new(false)
			unblocked = append(unblocked, reference)
		}
		patched, err := o.patch(ctx, n, "ownerReferences", unblocked)
		if err != nil {
			return fmt.Errorf("unblock the owners of %s: %w", n.id, err)
		}
		n = patched
	}
	return o.delete(ctx, n, metav1.DeletePropagationForeground)
}

// delete fails with a conflict when the object is no longer the very version that was judged.
func (o *owners) delete(ctx context.Context, n node, propagation metav1.DeletionPropagation) error {
	err := o.client(n.id).Delete(ctx, n.Name, metav1.DeleteOptions{
		Preconditions:     &metav1.Preconditions{UID: &n.UID, ResourceVersion: &n.ResourceVersion},
		PropagationPolicy: &propagation,
	})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("delete %s: %w", n.id, err)
	}
	klog.FromContext(ctx).V(2).Info("Deleted: no owner is left", "object", n.id, "uid", n.UID, "propagation", propagation)
	return nil
}

// patch replaces one list of the metadata, of the very version that was judged, and returns the object as it is then.
// A deleted object is no failure.
func (o *owners) patch(ctx context.Context, n node, field string, list any) (node, error) {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"uid":             n.UID,
		"resourceVersion": n.ResourceVersion,
		field:             list,
	}})
	if err != nil {
		return n, err
	}
	patched, err := o.client(n.id).Patch(ctx, n.Name, types.MergePatchType, patch, metav1.PatchOptions{})
	if apierrors.IsNotFound(err) {
		return n, nil
	}
	if err != nil {
		return n, err
	}
	return node{n.id, &patched.ObjectMeta}, nil
}

func (o *owners) client(id key) metadata.ResourceInterface {
	return o.metadata.Resource(o.served.resources[id.resource].GroupVersionResource).Namespace(id.namespace)
}
