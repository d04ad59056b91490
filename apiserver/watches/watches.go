// SPDX-License-Identifier: Apache-2.0

// Package watches limits the memory of watches whose clients read slowly or not at all. Watches share the objects of their events
// and the encodings of these, and only a few watches of a resource begin at a time. The package must never drop, repeat or reorder
// an event.
package watches

import (
	"bytes"
	"context"
	"io"
	goruntime "runtime"
	"sync"
	"time"
	"weak"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/apiserver/pkg/storage"
)

const (
	// maxBeginning is how many watches of a resource begin at a time. Until a past event is shared, the watch has a copy of its object.
	maxBeginning = 4
	// maxWait is how long a watch waits until the one before it has begun. The watch cache may take longer, because it waits for etcd, or for a
	// version that a client names.
	maxWait = 100 * time.Millisecond
	// begun is the time without a past event after which a watch counts as begun. A wrong guess costs memory only.
	begun = 10 * time.Millisecond
)

// maxNewEvents is how many new events wait for the client of a watch. The watch cache keeps about 20 more, and then ends the watch.
const maxNewEvents = 10

// Share returns a storage whose watches share the objects of their events.
func Share(of storage.Interface) storage.Interface {
	return sharing{of, newSharedObjects()}
}

type sharing struct {
	storage.Interface
	objects *sharedObjects
}

// Watch follows objects.
func (s sharing) Watch(ctx context.Context, key string, options storage.ListOptions) (watch.Interface, error) {
	return s.objects.watch(ctx, func() (watch.Interface, error) { return s.Interface.Watch(ctx, key, options) })
}

// sharedObjects are the objects of past events that some watch of a resource still has to send. The watch cache copies an object
// for each watch that begins, and shares only the objects of new events. With them, watches share the objects and their
// encodings, so that their memory does not grow with the number of clients that do not read.
type sharedObjects struct {
	beginning chan struct{} // has a value for each watch that begins

	mutex sync.Mutex
	known map[eventID]weak.Pointer[sharedObject]
}

func newSharedObjects() *sharedObjects {
	return &sharedObjects{beginning: make(chan struct{}, maxBeginning), known: map[eventID]weak.Pointer[sharedObject]{}}
}

// eventID identifies the object of an event. A deleted object has the version of its deletion, which is the version of the new
// object for watches whose selector it still matches.
type eventID struct {
	namespace, name, version string
	deleted                  bool
}

// share returns the object of an event, or the equal object that another watch got before.
func (s *sharedObjects) share(event watch.Event) runtime.Object {
	if event.Type == watch.Bookmark || event.Type == watch.Error {
		return event.Object
	}
	object, err := meta.Accessor(event.Object)
	if err != nil {
		return event.Object
	}
	id := eventID{object.GetNamespace(), object.GetName(), object.GetResourceVersion(), event.Type == watch.Deleted}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if shared := s.known[id].Value(); shared != nil {
		return shared
	}
	shared := &sharedObject{Object: event.Object, metadata: object, encodings: map[runtime.Identifier]*sharedEncoding{}}
	s.known[id] = weak.Make(shared)
	goruntime.AddCleanup(shared, s.forget, id)
	return shared
}

func (s *sharedObjects) forget(id eventID) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.known[id].Value() == nil {
		delete(s.known, id)
	}
}

// sharedObject is an object that is encoded once for all watches with the same encoder. Nothing changes it.
type sharedObject struct {
	runtime.Object
	metadata metav1.Object

	mutex     sync.Mutex
	encodings map[runtime.Identifier]*sharedEncoding
}

type sharedEncoding struct {
	once sync.Once
	data []byte
	err  error
}

var (
	_ runtime.CacheableObject   = &sharedObject{}
	_ metav1.ObjectMetaAccessor = &sharedObject{}
)

// GetObject returns a copy of the object.
func (o *sharedObject) GetObject() runtime.Object { return o.DeepCopyObject() }

// GetObjectMeta returns the metadata, which the caller must not change.
func (o *sharedObject) GetObjectMeta() metav1.Object { return o.metadata }

// CacheEncode writes the object as encode does, which it calls once for each identifier.
func (o *sharedObject) CacheEncode(id runtime.Identifier, encode func(runtime.Object, io.Writer) error, out io.Writer) error {
	o.mutex.Lock()
	encoding, known := o.encodings[id]
	if !known {
		encoding = &sharedEncoding{}
		o.encodings[id] = encoding
	}
	o.mutex.Unlock()
	encoding.once.Do(func() {
		var buffer bytes.Buffer
		encoding.err = encode(o.GetObject(), &buffer) // an encoder can change the object for a moment
		encoding.data = buffer.Bytes()
	})
	if encoding.err != nil {
		return encoding.err
	}
	if splice, ok := out.(runtime.Splice); ok {
		splice.Splice(encoding.data)
		return nil
	}
	_, err := out.Write(encoding.data)
	return err
}

// sharedWatch is a watch whose waiting events have shared objects. It takes all past events at once, because the watch cache
// would keep copies of the next ones.
type sharedWatch struct {
	watch.Interface
	result  chan watch.Event
	stopped chan struct{}
	stop    sync.Once

	letNextBegin func()
	quiet        *time.Timer // calls letNextBegin
}

func (s *sharedObjects) watch(ctx context.Context, begin func() (watch.Interface, error)) (watch.Interface, error) {
	select {
	case s.beginning <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	letNextBegin := sync.OnceFunc(func() { <-s.beginning })
	quiet := time.AfterFunc(maxWait, letNextBegin)
	events, err := begin()
	if err != nil {
		letNextBegin()
		return nil, err
	}
	quiet.Reset(begun)
	shared := &sharedWatch{
		Interface: events, result: make(chan watch.Event, maxNewEvents), stopped: make(chan struct{}),
		letNextBegin: letNextBegin, quiet: quiet,
	}
	go shared.deliver(ctx, s)
	return shared, nil
}

// ResultChan returns the events.
func (w *sharedWatch) ResultChan() <-chan watch.Event { return w.result }

// Stop ends the watch.
func (w *sharedWatch) Stop() {
	w.stop.Do(func() { close(w.stopped) })
	w.Interface.Stop()
}

func (w *sharedWatch) deliver(ctx context.Context, objects *sharedObjects) {
	defer close(w.result)
	defer w.letNextBegin()
	defer w.quiet.Stop()
	var waiting []watch.Event
	fresh := 0 // new events among them, whose objects the watch cache shares
	events := w.Interface.ResultChan()
	for events != nil || len(waiting) > 0 {
		in, out, next := events, w.result, watch.Event{}
		if fresh >= maxNewEvents {
			in = nil
		}
		if len(waiting) == 0 {
			out = nil
		} else {
			next = waiting[0]
		}
		select {
		case event, open := <-in:
			if !open {
				events = nil
				continue
			}
			if isFresh(event) {
				fresh++
				w.letNextBegin()
			} else {
				event.Object = objects.share(event)
				w.quiet.Reset(begun)
			}
			waiting = append(waiting, event)
		case out <- next:
			if isFresh(next) {
				fresh--
			}
			waiting[0] = watch.Event{}
			waiting = waiting[1:]
		case <-w.stopped:
			return
		case <-ctx.Done():
			return
		}
	}
}

// isFresh reports whether the watch cache shares the object of an event.
func isFresh(event watch.Event) bool {
	_, shared := event.Object.(runtime.CacheableObject)
	_, own := event.Object.(*sharedObject)
	return shared && !own
}
