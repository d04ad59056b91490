// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"
)

const (
	// batchInterval combines the many changes in a terminating namespace into one reconciliation.
	batchInterval = 50 * time.Millisecond
	// sweepInterval is how often unwatched objects of a terminating namespace are listed.
	sweepInterval = time.Second
)

var namespaceResource = schema.GroupResource{Resource: "namespaces"}

// namespaces empties each terminating namespace, and then finalizes it.
type namespaces struct {
	client   corev1client.NamespaceInterface
	metadata metadata.Interface
	served   *served
	graph    *graph
	queue    workqueue.TypedRateLimitingInterface[string]
	workers  int
	clock    clock.PassiveClock
}

func newNamespaces(options Options, served *served, graph *graph) *namespaces {
	return &namespaces{
		client:   options.Client.CoreV1().Namespaces(),
		metadata: options.Metadata,
		served:   served,
		graph:    graph,
		queue:    newQueue[string]("collector-namespaces", options.Clock),
		workers:  options.Workers,
		clock:    options.Clock,
	}
}

func (s *namespaces) added(n node)          { s.notice(n) }
func (s *namespaces) changed(_, after node) { s.notice(after) }
func (s *namespaces) gone(n node)           { s.notice(n) }

// notice queues the namespace that n is, or is in, if it terminates.
func (s *namespaces) notice(n node) {
	if n.id.resource == namespaceResource {
		if n.DeletionTimestamp != nil {
			s.queue.Add(n.Name)
		}
		return
	}
	namespace, ok := s.graph.get(key{resource: namespaceResource, name: n.Namespace})
	if ok && namespace.DeletionTimestamp != nil {
		s.queue.AddAfter(namespace.Name, batchInterval)
	}
}

// end brings the deletion of a namespace one step on. It can be repeated at any time.
func (s *namespaces) end(ctx context.Context, name string) error {
	// In this order, because objects that are in the graph now cannot belong to a later namespace of the same name.
	objects := s.graph.inNamespace(name)
	namespace, err := s.client.Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("get namespace %s: %w", name, err)
	}
	if namespace.DeletionTimestamp == nil || !slices.Contains(namespace.Spec.Finalizers, corev1.FinalizerKubernetes) {
		return nil
	}

	watched := len(objects) > 0
	if !watched {
		if objects, err = s.list(ctx, name); err != nil {
			return err
		}
	}
	if len(objects) == 0 {
		return s.finalize(ctx, namespace)
	}
	lookAgain := batchInterval
	if slices.ContainsFunc(objects, func(n node) bool { return n.DeletionTimestamp == nil }) {
		err = s.delete(ctx, objects)
	} else {
		lookAgain = sweepInterval
		_, err = s.report(ctx, namespace, objects)
	}
	if err != nil {
		return err
	}
	if !watched { // no event reports their deletion
		s.queue.AddAfter(name, lookAgain)
	}
	return nil
}

// list lists all objects of the namespace on the server, because the graph may be outdated, and does not have every kind.
func (s *namespaces) list(ctx context.Context, namespace string) ([]node, error) {
	var found []node
	for _, r := range s.served.inNamespaces() {
		list, err := s.metadata.Resource(r.GroupVersionResource).Namespace(namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return nil, fmt.Errorf("list %s of namespace %s: %w", r.GroupResource(), namespace, err)
		}
		for i := range list.Items {
			meta := &list.Items[i].ObjectMeta
			found = append(found, node{key{r.GroupResource(), meta.Namespace, meta.Name}, meta})
		}
	}
	return found, nil
}

// delete deletes the objects that are not yet being deleted, several at a time.
func (s *namespaces) delete(ctx context.Context, objects []node) error {
	failures := make([]error, len(objects))
	workqueue.ParallelizeUntil(ctx, s.workers, len(objects), func(i int) {
		n := objects[i]
		if n.DeletionTimestamp != nil {
			return
		}
		background := metav1.DeletePropagationBackground
		resource := s.served.resources[n.id.resource].GroupVersionResource
		err := s.metadata.Resource(resource).Namespace(n.Namespace).Delete(ctx, n.Name, metav1.DeleteOptions{
			Preconditions:     &metav1.Preconditions{UID: &n.UID},
			PropagationPolicy: &background,
		})
		if err != nil && !apierrors.IsNotFound(err) {
			failures[i] = fmt.Errorf("delete %s with its namespace: %w", n.id, err)
		}
	})
	return errors.Join(failures...)
}

// finalize removes the finalizer kubernetes of the namespace. Other controllers remove the entries of metadata.finalizers.
func (s *namespaces) finalize(ctx context.Context, namespace *corev1.Namespace) error {
	namespace, err := s.report(ctx, namespace, nil)
	if err != nil {
		return err
	}
	final := namespace.DeepCopy()
	final.Spec.Finalizers = slices.DeleteFunc(final.Spec.Finalizers, func(f corev1.FinalizerName) bool { return f == corev1.FinalizerKubernetes })
	if _, err := s.client.Finalize(ctx, final, metav1.UpdateOptions{}); err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("finalize namespace %s: %w", namespace.Name, err)
	}
	klog.FromContext(ctx).V(2).Info("Namespace ended", "namespace", namespace.Name)
	return nil
}

// report writes the remaining objects and finalizers into the namespace's conditions, if they have changed, and returns the
// stored namespace.
func (s *namespaces) report(ctx context.Context, namespace *corev1.Namespace, remaining []node) (*corev1.Namespace, error) {
	reported := namespace.DeepCopy()
	if !setRemaining(&reported.Status, remaining, metav1.NewTime(s.clock.Now())) {
		return namespace, nil
	}
	updated, err := s.client.UpdateStatus(ctx, reported, metav1.UpdateOptions{})
	if err != nil {
		return nil, fmt.Errorf("report what remains in namespace %s: %w", namespace.Name, err)
	}
	return updated, nil
}
