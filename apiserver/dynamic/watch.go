// SPDX-License-Identifier: Apache-2.0

package dynamic

import (
	"context"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metainternalversion "k8s.io/apimachinery/pkg/apis/meta/internalversion"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/apiserver/pkg/registry/rest"
)

// retiring ends the watches of a kind that is replaced. The objects of the next kind have other contents, but the same resource
// versions. So a client can only list again.
type retiring struct {
	rest.Watcher
	retired <-chan struct{}
}

// Watch watches objects until the kind is retired.
func (r retiring) Watch(ctx context.Context, options *metainternalversion.ListOptions) (watch.Interface, error) {
	events, err := r.Watcher.Watch(ctx, options)
	if err != nil {
		return nil, err
	}
	w := &retiringWatch{events: events, result: make(chan watch.Event), stopped: make(chan struct{})}
	go w.deliver(r.retired)
	return w, nil
}

// retiringWatch passes the events of another watch on.
type retiringWatch struct {
	events  watch.Interface
	result  chan watch.Event
	stopped chan struct{}
	stop    sync.Once
}

// ResultChan returns the events.
func (w *retiringWatch) ResultChan() <-chan watch.Event { return w.result }

// Stop ends the watch.
func (w *retiringWatch) Stop() { w.stop.Do(func() { close(w.stopped) }) }

func (w *retiringWatch) deliver(retired <-chan struct{}) {
	defer close(w.result)
	defer w.events.Stop()
	for {
		select {
		case event, open := <-w.events.ResultChan():
			if !open {
				return
			}
			select {
			case w.result <- event:
				continue
			case <-retired: // the event is of the kind that was replaced
			case <-w.stopped:
				return
			}
		case <-retired:
		case <-w.stopped:
			return
		}
		status := apierrors.NewResourceExpired("the kind of the watched objects has changed: list them again").Status()
		select {
		case w.result <- watch.Event{Type: watch.Error, Object: &status}:
		case <-w.stopped:
		}
		return
	}
}
