// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"context"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"goldsmith.dev/goldsmith/apis/notfound"
)

// ownerState is what an owner reference means for the object that carries it.
type ownerState int

const (
	// ownerUnknown: the state is unknown, so the object must not be changed.
	ownerUnknown ownerState = iota
	// ownerPresent: the owner keeps the object.
	ownerPresent
	// ownerOrphaning: the owner is being deleted and orphans the object.
	ownerOrphaning
	// ownerDeletingDependents: the owner is being deleted after the object.
	ownerDeletingDependents
	// ownerGone: the server has no such owner.
	ownerGone
)

// state determines the state of an owner. An owner in the graph exists, and the graph will report its deletion. Only the
// server decides that an owner does not exist.
func (o *owners) state(ctx context.Context, n node, reference metav1.OwnerReference) (ownerState, error) {
	r, ok := o.served.owner(reference)
	if !ok || (r.namespaced && n.Namespace == "") {
		return ownerUnknown, nil
	}
	id := ownerKey(r, n, reference)
	if owner, ok := o.graph.get(id); ok && owner.UID == reference.UID {
		return stateOf(owner), nil
	}
	missing := absence{id, reference.UID}
	if _, known := o.absences.Get(missing); known {
		return ownerGone, nil
	}
	live, err := o.client(id).Get(ctx, id.name, metav1.GetOptions{})
	switch {
	case notfound.Object(err), err == nil && live.UID != reference.UID:
		o.absences.Add(missing, nil)
		return ownerGone, nil
	case err != nil:
		return ownerUnknown, err
	default:
		return stateOf(node{id, &live.ObjectMeta}), nil
	}
}

func stateOf(owner node) ownerState {
	switch {
	case deletingDependents(owner):
		return ownerDeletingDependents
	case orphaningDependents(owner):
		return ownerOrphaning
	default:
		return ownerPresent
	}
}

// ownerKey names the owner that a reference points to: in the dependent's namespace, if its kind has namespaces.
func ownerKey(r resource, dependent node, reference metav1.OwnerReference) key {
	id := key{resource: r.GroupResource(), name: reference.Name}
	if r.namespaced {
		id.namespace = dependent.Namespace
	}
	return id
}

func deletingDependents(n node) bool {
	return n.DeletionTimestamp != nil && slices.Contains(n.Finalizers, metav1.FinalizerDeleteDependents)
}

func orphaningDependents(n node) bool {
	return n.DeletionTimestamp != nil && slices.Contains(n.Finalizers, metav1.FinalizerOrphanDependents)
}

// waits reports whether n is being deleted and its dependents come first.
func waits(n node) bool {
	return deletingDependents(n) || orphaningDependents(n)
}

// blocks reports whether the dependent holds up the foreground deletion of its owner.
func blocks(dependent node, owner types.UID) bool {
	return slices.ContainsFunc(dependent.OwnerReferences, func(reference metav1.OwnerReference) bool {
		return reference.UID == owner && ptr.Deref(reference.BlockOwnerDeletion, false)
	})
}

// staysWith reports whether the dependent, which refers to the owner, would be collected if the owner went now.
func staysWith(dependent node, _ types.UID) bool {
	return dependent.DeletionTimestamp == nil
}

// chosenPropagation is the propagation that a finalizer of the object sets, or else background.
func chosenPropagation(n node) metav1.DeletionPropagation {
	switch {
	case slices.Contains(n.Finalizers, metav1.FinalizerOrphanDependents):
		return metav1.DeletePropagationOrphan
	case slices.Contains(n.Finalizers, metav1.FinalizerDeleteDependents):
		return metav1.DeletePropagationForeground
	default:
		return metav1.DeletePropagationBackground
	}
}
