// SPDX-License-Identifier: Apache-2.0

package local

import (
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// workers limits how many processes run at the same time.
type workers struct {
	total int
	wake  func(objectRef)

	mu      sync.Mutex
	free    int
	granted map[types.UID]bool // assigned to a woken pod that has not acquired it yet
	queue   []waiter
}

type waiter struct {
	ref     objectRef
	created time.Time
}

// newWorkers returns workers that call wake with the next pod of the queue.
func newWorkers(total int, wake func(objectRef)) *workers {
	return &workers{total: total, free: total, wake: wake, granted: map[types.UID]bool{}}
}

// acquire takes a worker for a pod, or queues the pod. wake is called when a worker is free for it.
func (w *workers) acquire(ref objectRef, created time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.granted[ref.uid] {
		delete(w.granted, ref.uid)
		return true
	}
	if w.free > 0 {
		w.free--
		return true
	}
	if w.find(ref.uid) < 0 {
		w.queue = append(w.queue, waiter{ref: ref, created: created})
	}
	return false
}

// busy returns how many workers run a process.
func (w *workers) busy() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.total - w.free - len(w.granted)
}

// release releases a worker, which the oldest queued pod gets.
func (w *workers) release() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pass()
}

// abandon removes a pod that is queued, or was woken and will not acquire its worker.
func (w *workers) abandon(uid types.UID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.granted[uid] {
		delete(w.granted, uid)
		w.pass()
	}
	if i := w.find(uid); i >= 0 {
		w.queue = slices.Delete(w.queue, i, i+1)
	}
}

func (w *workers) pass() {
	if len(w.queue) == 0 {
		w.free++
		return
	}
	oldest := 0
	for i, candidate := range w.queue {
		if candidate.created.Before(w.queue[oldest].created) {
			oldest = i
		}
	}
	next := w.queue[oldest].ref
	w.queue = slices.Delete(w.queue, oldest, oldest+1)
	w.granted[next.uid] = true
	w.wake(next)
}

func (w *workers) find(uid types.UID) int {
	return slices.IndexFunc(w.queue, func(candidate waiter) bool { return candidate.ref.uid == uid })
}
