// SPDX-License-Identifier: Apache-2.0

package builder_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// An observer lists objects and watches them from there on. A server ends a watch whose client is slow, so the observer resumes it
// where it ended. Each change of a spec counts the generation up by one, so a watch that missed a change left a generation out.
type observer struct {
	mutex       sync.Mutex
	generations map[string]int64
	gaps        []string
}

func observe(t *testing.T, objects client.WithWatch, list client.ObjectList) *observer {
	t.Helper()
	g := NewWithT(t)
	g.Expect(objects.List(t.Context(), list)).To(Succeed())
	o := &observer{generations: map[string]int64{}}
	g.Expect(meta.EachListItem(list, func(object runtime.Object) error {
		o.generations[object.(client.Object).GetName()] = object.(client.Object).GetGeneration()
		return nil
	})).To(Succeed())
	watcher, err := watchtools.NewRetryWatcherWithContext(t.Context(), list.GetResourceVersion(), &cache.ListWatch{
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			return objects.Watch(ctx, list, &client.ListOptions{Raw: &options})
		},
	})
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(watcher.Stop)
	go func() {
		for event := range watcher.ResultChan() {
			o.note(event)
		}
	}()
	return o
}

func (o *observer) note(event watch.Event) {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	object, ok := event.Object.(client.Object)
	if !ok || event.Type != watch.Modified {
		o.gaps = append(o.gaps, fmt.Sprintf("%s: %v", event.Type, event.Object))
		return
	}
	last, now := o.generations[object.GetName()], object.GetGeneration()
	if now != last && now != last+1 { // the same once more: it was only written in another version
		o.gaps = append(o.gaps, fmt.Sprintf("%s: from generation %d to %d", object.GetName(), last, now))
	}
	o.generations[object.GetName()] = now
}

// seen returns the last generation of each object.
func (o *observer) seen() map[string]int64 {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	return maps.Clone(o.generations)
}

// missed returns what should not have happened.
func (o *observer) missed() []string {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	return slices.Clone(o.gaps)
}
