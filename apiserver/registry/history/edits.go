// SPDX-License-Identifier: Apache-2.0

package history

import (
	"context"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/store"
	"goldsmith.dev/goldsmith/apiserver/resources"
	"goldsmith.dev/goldsmith/records"
)

// Edits records the changes of Images' specs. It gets changes that are stored already, so it cannot fail.
type Edits struct {
	queue *Queue // nil if nothing is recorded
	clock clock.PassiveClock
}

// NewEdits adds edits to a queue. If the queue is nil, edits are not recorded.
func NewEdits(queue *Queue, clock clock.PassiveClock) *Edits {
	return &Edits{queue: queue, clock: clock}
}

// Close writes the edits that wait.
func (e *Edits) Close() {
	if e.queue != nil {
		e.queue.Close()
	}
}

// Take records the change of a spec.
func (e *Edits) Take(ctx context.Context, before *v1alpha1.Image, object runtime.Object) {
	after, err := store.As[*v1alpha1.Image](object)
	if e.queue == nil || before == nil || err != nil || before.Generation == after.Generation {
		return
	}
	changes, err := changesBetween(before, after)
	if err != nil {
		klog.FromContext(ctx).Error(err, "an edit of an image is not recorded", "namespace", after.Namespace, "image", after.Name)
		return
	}
	e.queue.Add(ctx, Edit{
		Image:      records.ImageKey{Namespace: after.Namespace, Name: after.Name, UID: after.UID},
		Generation: after.Generation, Time: e.clock.Now(), User: resources.UserName(ctx), Changes: changes,
	})
}

func changesBetween(before, after *v1alpha1.Image) ([]v1alpha1.InputChange, error) {
	return specChanges(&before.Spec, &after.Spec)
}
