// SPDX-License-Identifier: Apache-2.0

package local

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/jobs/local/internal/reconcile"
	"goldsmith.dev/goldsmith/jobs/render"
)

// class is a class of workers. Each class has its own, so that neither tests nor checks delay builds.
type class int

const (
	builds class = iota // also Jobs of users
	tests
	checks
	sources
	classes
)

// workersOf has for each class how messages name its workers, and which part of them a group can occupy: one of so many. Archives and sources can be slow.
// Controllers keep the limits of checks of sources themselves, but a user who changes the labels of a Job makes them forget one that runs.
var workersOf = [classes]struct {
	name string
	part int
}{
	builds:  {"workers", 1},
	tests:   {"workers for tests", 1},
	checks:  {"workers for checks", 2},
	sources: {"workers for checks of sources", render.MaxSourceChecks / render.MaxSourceChecksOfNamespace},
}

// demand is what a pod needs a worker for.
type demand struct {
	builder string
	class   class
	// group is whose pods it is one of: those of a namespace, or of an archive.
	group string
	// byHand is whether no controller wants the pod.
	byHand bool
}

// workers limits how many processes run at the same time: those of each class and of its groups, those of each builder, and those that users start.
type workers struct {
	totals [classes]int
	wake   func(reconcile.Ref)

	mu      sync.Mutex
	limits  map[string]int       // by builder; a builder without a limit can occupy all workers
	holders map[types.UID]demand // of the pods that have a worker
	granted map[types.UID]bool   // of holders, those that were woken and have not acquired their worker yet
	queue   []waiter
}

type waiter struct {
	demand
	ref     reconcile.Ref
	created time.Time
}

// newWorkers returns workers that call wake with the next pod of the queue.
func newWorkers(totals [classes]int, wake func(reconcile.Ref)) *workers {
	return &workers{totals: totals, wake: wake, holders: map[types.UID]demand{}, granted: map[types.UID]bool{}}
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
func (w *workers) acquire(ref reconcile.Ref, created time.Time, wanted demand) (acquired bool, busy string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.granted[ref.UID] {
		delete(w.granted, ref.UID)
		return true, ""
	}
	if busy = w.whyBusy(wanted); busy == "" {
		w.holders[ref.UID] = wanted
		return true, ""
	}
	if w.find(ref.UID) < 0 {
		w.queue = append(w.queue, waiter{wanted, ref, created})
	}
	return false, busy
}

// held counts the pods that have a worker and for which a condition holds.
func (w *workers) held(is func(demand) bool) (count int) {
	for _, held := range w.holders {
		if is(held) {
			count++
		}
	}
	return count
}

// ofGroup counts the workers that the group of a pod occupies in its class.
func (w *workers) ofGroup(wanted demand) int {
	return w.held(func(held demand) bool { return held.class == wanted.class && held.group == wanted.group })
}

// whyBusy returns which workers a pod waits for, or "" if one is free.
func (w *workers) whyBusy(wanted demand) string {
	total, name, part := w.totals[wanted.class], workersOf[wanted.class].name, workersOf[wanted.class].part
	if w.held(func(held demand) bool { return held.class == wanted.class }) >= total {
		return fmt.Sprintf("%d of %d %s are busy", total, total, name)
	}
	if used := w.ofGroup(wanted); used >= (total+part-1)/part {
		return fmt.Sprintf("%d of %d %s are busy with the same", used, total, name)
	}
	if used := w.held(func(held demand) bool { return held.byHand }); wanted.byHand && used >= max(1, total/2) {
		return fmt.Sprintf("%d of %d %s are busy with Jobs of users", used, total, name)
	}
	limit, limited := w.limits[wanted.builder]
	if !limited {
		return ""
	}
	used := w.held(func(held demand) bool { return held.builder == wanted.builder })
	if used < limit {
		return ""
	}
	return fmt.Sprintf("%d of %d workers of builder %s are busy", used, limit, wanted.builder)
}

// busy returns how many workers run a process.
func (w *workers) busy() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.holders) - len(w.granted)
}

// release releases the worker of a pod, which a queued pod that can use it gets.
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

// pass gives free workers to the queued pods that can use them: first to one whose group has the fewest workers, then to the oldest.
func (w *workers) pass() {
	for {
		first, fewest := -1, 0
		for i, candidate := range w.queue {
			if w.whyBusy(candidate.demand) != "" {
				continue
			}
			has := w.ofGroup(candidate.demand)
			if first < 0 || has < fewest || has == fewest && candidate.created.Before(w.queue[first].created) {
				first, fewest = i, has
			}
		}
		if first < 0 {
			return
		}
		next := w.queue[first]
		w.queue = slices.Delete(w.queue, first, first+1)
		w.holders[next.ref.UID], w.granted[next.ref.UID] = next.demand, true
		w.wake(next.ref)
	}
}

func (w *workers) find(uid types.UID) int {
	return slices.IndexFunc(w.queue, func(candidate waiter) bool { return candidate.ref.UID == uid })
}
