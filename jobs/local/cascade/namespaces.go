// SPDX-License-Identifier: Apache-2.0

package cascade

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// sweepInterval is how often a namespace that still has objects is emptied again. Events are not watched.
const sweepInterval = time.Second

// empty brings the deletion of a namespace a step on: it deletes all objects, or else removes the finalizer kubernetes.
func (c *Cascade) empty(ctx context.Context, name string) error {
	cached, exists, err := c.informers[namespaceKind].GetIndexer().GetByKey(name)
	if err != nil || !exists || meta(cached).DeletionTimestamp == nil {
		return err
	}
	objects, err := c.list(ctx, name)
	if err != nil {
		return err
	}
	// After the list: a namespace of that name that was created meanwhile has objects that stay.
	namespace, err := c.namespaces.Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("get namespace %s: %w", name, err)
	}
	if namespace.UID != meta(cached).UID || namespace.DeletionTimestamp == nil || !slices.Contains(namespace.Spec.Finalizers, corev1.FinalizerKubernetes) {
		return nil
	}
	if len(objects) == 0 {
		namespace.Spec.Finalizers = slices.DeleteFunc(namespace.Spec.Finalizers, func(f corev1.FinalizerName) bool { return f == corev1.FinalizerKubernetes })
		if _, err := c.namespaces.Finalize(ctx, namespace, metav1.UpdateOptions{}); err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("finalize namespace %s: %w", name, err)
		}
		return nil
	}
	if slices.ContainsFunc(objects, func(o object) bool { return o.DeletionTimestamp == nil }) {
		err := each(ctx, objects, func(o object) error {
			if o.DeletionTimestamp != nil {
				return nil
			}
			return c.delete(ctx, o, metav1.DeletePropagationBackground)
		})
		if err != nil {
			return err
		}
		return c.empty(ctx, name)
	}
	c.queue.AddAfter(owner{kind: namespaceKind, name: name}, sweepInterval)
	return c.report(ctx, namespace, objects)
}

// list lists the objects of a namespace on the server: the caches may be outdated, and have no events.
func (c *Cascade) list(ctx context.Context, namespace string) ([]object, error) {
	var objects []object
	for of, k := range c.kinds {
		if !k.namespaced {
			continue
		}
		list, err := c.client(of, namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return nil, fmt.Errorf("list %s of namespace %s: %w", k.Resource, namespace, err)
		}
		for i := range list.Items {
			objects = append(objects, object{of, &list.Items[i].ObjectMeta})
		}
	}
	return objects, nil
}

// report stores in the conditions of a namespace which objects remain, and which finalizers keep them, as
// kube-controller-manager does.
func (c *Cascade) report(ctx context.Context, namespace *corev1.Namespace, remaining []object) error {
	resources, finalizers := map[string]int{}, map[string]int{}
	for _, o := range remaining {
		resources[c.kinds[o.kind].GroupResource().String()]++
		for _, finalizer := range o.Finalizers {
			finalizers[finalizer]++
		}
	}
	before := slices.Clone(namespace.Status.Conditions)
	setCondition(&namespace.Status, corev1.NamespaceContentRemaining, "SomeResourcesRemain",
		"Some resources are remaining: ", "%s has %d resource instances", resources)
	setCondition(&namespace.Status, corev1.NamespaceFinalizersRemaining, "SomeFinalizersRemain",
		"Some content in the namespace has finalizers remaining: ", "%s in %d resource instances", finalizers)
	if equality.Semantic.DeepEqual(before, namespace.Status.Conditions) {
		return nil
	}
	if _, err := c.namespaces.UpdateStatus(ctx, namespace, metav1.UpdateOptions{}); err != nil {
		return fmt.Errorf("report what remains in namespace %s: %w", namespace.Name, err)
	}
	return nil
}

// setCondition sets a condition that counts what remains, or removes it if nothing does.
func setCondition(status *corev1.NamespaceStatus, of corev1.NamespaceConditionType, reason, intro, format string, counts map[string]int) {
	parts := make([]string, 0, len(counts))
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf(format, name, counts[name]))
	}
	since := metav1.Now()
	status.Conditions = slices.DeleteFunc(status.Conditions, func(condition corev1.NamespaceCondition) bool {
		if condition.Type == of {
			since = condition.LastTransitionTime
		}
		return condition.Type == of
	})
	if len(parts) > 0 {
		status.Conditions = append(status.Conditions, corev1.NamespaceCondition{
			Type: of, Status: corev1.ConditionTrue, LastTransitionTime: since, Reason: reason, Message: intro + strings.Join(parts, ", "),
		})
	}
}
