// SPDX-License-Identifier: Apache-2.0

package local

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/jobs/local/internal/reconcile"
)

// workers limits how many processes run at the same time: all of them, and those of each builder.
type workers struct {
	total int
	wake  func(reconcile.Ref)

	mu      sync.Mutex
	limits  map[string]int       // by builder; a builder without a limit can occupy all workers
	holders map[types.UID]string // the builders of the pods that have a worker
	granted map[types.UID]bool   // of holders, those that were woken and have not acquired their worker yet
	queue   []waiter
}

type waiter struct {
	ref     reconcile.Ref
	created time.Time
	builder string
}

// newWorkers returns workers that call wake with the next pod of the queue.
func newWorkers(total int, wake func(reconcile.Ref)) *workers {
	return &workers{total: total, wake: wake, holders: map[types.UID]string{}, granted: map[types.UID]bool{}}
}

// limit sets how many workers a builder can occupy, by name. Pods that have a worker keep it. wake is called for all queued pods, because
// their builders may have changed.
func (w *workers) limit(limits map[string]int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.limits = limits
	for _, queued := range w.queue {
		w.wake(queued.ref)
	}
	w.pass()
}

// acquire takes a worker for a pod, or queues the pod and returns which workers are busy. wake is called when a worker is free for it.
func (w *workers) acquire(ref reconcile.Ref, created time.Time, builder string) (acquired bool, busy string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.granted[ref.UID] {
		delete(w.granted, ref.UID)
		return true, ""
	}
	if busy = w.whyBusy(builder); busy == "" {
		w.holders[ref.UID] = builder
		return true, ""
	}
	if w.find(ref.UID) < 0 {
		w.queue = append(w.queue, waiter{ref: ref, created: created, builder: builder})
	}
	return false, busy
}

// whyBusy returns which workers a pod of a builder waits for, or "" if one is free.
func (w *workers) whyBusy(builder string) string {
	if len(w.holders) >= w.total {
		return fmt.Sprintf("%d of %d workers are busy", w.total, w.total)
	}
	limit, limited := w.limits[builder]
	if !limited {
		return ""
	}
	used := 0
	for _, held := range w.holders {
		if held == builder {
			used++
		}
	}
	if used < limit {
		return ""
	}
	return fmt.Sprintf("%d of %d workers of builder %s are busy", used, limit, builder)
}

// busy returns how many workers run a process.
func (w *workers) busy() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.holders) - len(w.granted)
}

// release releases the worker of a pod, which the oldest queued pod that can use it gets.
func (w *workers) release(uid types.UID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.holders, uid)
	w.pass()
}

// abandon removes a pod that is queued, or was woken and will not acquire its worker.
func (w *workers) abandon(uid types.UID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.granted[uid] {
		delete(w.granted, uid)
		delete(w.holders, uid)
		w.pass()
	}
	if i := w.find(uid); i >= 0 {
		w.queue = slices.Delete(w.queue, i, i+1)
	}
}

// pass gives free workers to the oldest queued pods whose builders can occupy them.
func (w *workers) pass() {
	for {
		oldest := -1
		for i, candidate := range w.queue {
			if (oldest < 0 || candidate.created.Before(w.queue[oldest].created)) && w.whyBusy(candidate.builder) == "" {
				oldest = i
			}
		}
		if oldest < 0 {
			return
		}
		next := w.queue[oldest]
		w.queue = slices.Delete(w.queue, oldest, oldest+1)
		w.holders[next.ref.UID], w.granted[next.ref.UID] = next.builder, true
		w.wake(next.ref)
	}
}

func (w *workers) find(uid types.UID) int {
	return slices.IndexFunc(w.queue, func(candidate waiter) bool { return candidate.ref.UID == uid })
}
