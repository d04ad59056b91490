// SPDX-License-Identifier: Apache-2.0

package memory

import (
	"bytes"
	"errors"
	"sort"

	"go.etcd.io/etcd/api/v3/mvccpb"
)

// A response is sent after this many events, or after this many bytes of events. The events of one revision are never separated.
const (
	batch      = 1000
	batchBytes = 4 << 20
)

// watcher is one watch of a range of keys. It has no events, only its position, so a client that does not read costs no memory.
type watcher struct {
	id       int64
	key, end []byte
	start    int64 // no event before this revision is its own
	previous bool  // events have the version before
	progress bool  // an idle watch is told the revision from time to time
	idle     bool  // no response was sent since the last progress notification
	pending  int64 // the oldest revision that may have an event for it, 0 if there is none
	wake     chan<- struct{}
}

func (w *watcher) matches(version *mvccpb.KeyValue) bool {
	key := version.GetKey()
	if version.GetModRevision() < w.start {
		return false
	}
	if len(w.end) == 0 {
		return bytes.Equal(key, w.key)
	}
	return bytes.Compare(key, w.key) >= 0 && (openEnd(w.end) || bytes.Compare(key, w.end) < 0)
}

// watch begins a watch at a revision, or at the next revision if it is 0, and returns the current revision.
func (s *store) watch(w *watcher) (revision int64, err error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if len(w.end) > 0 && !openEnd(w.end) && bytes.Compare(w.key, w.end) >= 0 {
		return s.revision, errors.New("mvcc: watcher range is empty")
	}
	if w.start == 0 {
		w.start = s.revision + 1
	}
	if w.start <= s.revision {
		w.pending = w.start
		signal(w.wake)
	}
	s.watchers[w] = struct{}{}
	return s.revision, nil
}

func (s *store) unwatch(w *watcher) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	delete(s.watchers, w)
}

// notify wakes up the watches that events are for. The caller holds the mutex.
func (s *store) notify(events []event) {
	for w := range s.watchers {
		if w.pending != 0 {
			continue
		}
		for _, event := range events {
			if w.matches(event.current) {
				w.pending = event.current.GetModRevision()
				signal(w.wake)
				break
			}
		}
	}
}

func signal(wake chan<- struct{}) {
	select {
	case wake <- struct{}{}:
	default: // the watch is awake already
	}
}

// found is the next response of a watch: events up to a revision, or an error because its revision was compacted.
type found struct {
	events    []*mvccpb.Event
	revision  int64
	compacted int64
	more      bool
}

// collect returns the next responses of the watches of one client, all as of the same revision.
func (s *store) collect(watchers map[int64]*watcher) (revision int64, all map[int64]found) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for id, w := range watchers {
		if w.pending == 0 {
			continue
		}
		if all == nil {
			all = map[int64]found{}
		}
		all[id] = s.collectFor(w)
	}
	return s.revision, all
}

func (s *store) collectFor(w *watcher) found {
	if w.pending < s.oldestEvent {
		return found{revision: s.revision, compacted: s.oldestEvent}
	}
	var events []*mvccpb.Event
	bytes := int64(0)
	first := sort.Search(len(s.log), func(i int) bool { return s.log[i].current.GetModRevision() >= w.pending })
	for _, logged := range s.log[first:] {
		revision := logged.current.GetModRevision()
		if last := len(events) - 1; (last+1 >= batch || bytes >= batchBytes) && events[last].GetKv().GetModRevision() != revision {
			w.pending = revision
			signal(w.wake)
			return found{events: events, revision: events[last].GetKv().GetModRevision(), more: true}
		}
		if w.matches(logged.current) {
			events = append(events, w.event(logged))
			bytes += size(logged.current) + size(logged.previous)
		}
	}
	w.pending = 0
	return found{events: events, revision: s.revision}
}

func (w *watcher) event(logged event) *mvccpb.Event {
	event := &mvccpb.Event{Kv: logged.current}
	if deleted(logged.current) {
		event.Type = mvccpb.Event_DELETE
	}
	if w.previous {
		event.PrevKv = logged.previous
	}
	return event
}
