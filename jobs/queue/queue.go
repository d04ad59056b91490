// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// Limits are how many builds may be active at the same time. Each limits builds whose tests run apart from the others: as many of them do not count.
type Limits struct {
	// Builds of all namespaces together. 0 is no limit.
	Builds int
	// PerNamespace is how many of one namespace, unless Share says otherwise. 0 is no limit.
	PerNamespace int
	// Automatic is how many automatic builds of all namespaces together. 0 is no limit beyond that of Builds.
	Automatic int
	// AutomaticPerNamespace is how many automatic builds of one namespace. 0 is no limit beyond that of the namespace.
	AutomaticPerNamespace int
}

// Queue holds the builds that have not finished. It is not safe for use by several goroutines at the same time.
type Queue struct {
	limits     Limits
	active     count // of those that count
	automatic  count // of these
	waiting    int
	builds     map[Key]*entry
	images     map[types.UID]*image
	namespaces map[string]*namespace
	// contenders are the namespaces that have a build to admit and may run one more, for each lane.
	contenders [lanes]indexedHeap[*namespace]
	// external are the builds to admit to which no limit applies.
	external indexedHeap[*entry]
}

// count is a number of active builds.
type count struct {
	all   int
	tests int // of all, those whose tests run
}

func (c *count) add(build *entry, by int) {
	c.all += by
	if build.Testing {
		c.tests += by
	}
}

// reached reports whether there are as many builds as a limit allows.
func (c count) reached(limit int) bool { return c.all-min(c.tests, limit) >= limit }

// entry is a build in the queue.
type entry struct {
	Build
	namespace *namespace
	image     *image // nil for a build created directly
	// Places in the heaps of its namespace, or the external one, and of its Image.
	byRank, byAge, byNumber int
}

// image is what the builds of one Image know of each other.
type image struct {
	active  int
	waiting indexedHeap[*entry] // by number
}

// New makes an empty queue.
func New(limits Limits) *Queue {
	q := &Queue{
		limits:     limits,
		builds:     map[Key]*entry{},
		images:     map[types.UID]*image{},
		namespaces: map[string]*namespace{},
		external:   agedHeap(),
	}
	for of := range q.contenders {
		q.contenders[of] = indexedHeap[*namespace]{
			compare: func(a, b *namespace) int { return compareIn(a, b, of) }, place: func(n *namespace) *int { return &n.lanes[of].place },
		}
	}
	return q
}

// Set adds or replaces a build.
func (q *Queue) Set(build Build) {
	if known, ok := q.builds[build.Key]; ok {
		if known.Build == build {
			return
		}
		q.Remove(build.Key)
	}
	added := &entry{Build: build, namespace: q.namespace(build.Namespace)}
	q.builds[build.Key] = added
	added.namespace.builds++
	if build.Image != "" {
		added.image = q.imageOf(build.Image)
	}
	q.change(added, func() {
		switch {
		case build.State == Active:
			q.count(added, 1)
		case added.image != nil:
			q.waiting++
			added.image.waiting.settle(added, true)
		default:
			q.waiting++
		}
	})
}

// Remove removes a build, if the queue has it.
func (q *Queue) Remove(key Key) {
	removed, ok := q.builds[key]
	if !ok {
		return
	}
	delete(q.builds, key)
	removed.namespace.builds--
	q.change(removed, func() {
		switch {
		case removed.State == Active:
			q.count(removed, -1)
		case removed.image != nil:
			q.waiting--
			removed.image.waiting.settle(removed, false)
		default:
			q.waiting--
		}
	})
	if removed.image != nil && removed.image.active == 0 && removed.image.waiting.Len() == 0 {
		delete(q.images, removed.Image)
	}
	q.forget(removed.namespace)
}

// Find returns a build as it was set.
func (q *Queue) Find(key Key) (Build, bool) {
	found, ok := q.builds[key]
	if !ok {
		return Build{}, false
	}
	return found.Build, true
}

// Waiting is how many builds wait.
func (q *Queue) Waiting() int { return q.waiting }

// Next returns the build to admit next, if one can be admitted. It returns the same build until that build is set to Active.
func (q *Queue) Next(now time.Time) (Key, bool) {
	next, ok := q.external.top()
	if from := q.nextNamespace(now); from != nil {
		if other := from.next(now, !q.automaticFull()); !ok || compare(other, next, now) < 0 {
			next, ok = other, true
		}
	}
	if !ok {
		return Key{}, false
	}
	return next.Key, true
}

// nextNamespace is the namespace of the next build, or nil.
func (q *Queue) nextNamespace(now time.Time) *namespace {
	if q.full() {
		return nil
	}
	next, ok := q.contenders[ofPeople].top()
	other, contends := q.contenders[automatically].top()
	if !contends || q.automaticFull() {
		return next
	}
	if !ok || compareLanes(other, next, now) < 0 {
		return other
	}
	return next
}

func (q *Queue) automaticFull() bool {
	return q.limits.Automatic > 0 && q.automatic.reached(q.limits.Automatic)
}

func (q *Queue) full() bool { return q.limits.Builds > 0 && q.active.reached(q.limits.Builds) }

// count adds an active build to the counters of its limits, or subtracts it.
func (q *Queue) count(build *entry, by int) {
	if build.image != nil {
		build.image.active += by
	}
	if !build.External {
		q.active.add(build, by)
		build.namespace.active.add(build, by)
		if build.Automatic {
			q.automatic.add(build, by)
			build.namespace.automatic.add(build, by)
		}
	}
}

// change changes a build, and then updates the heaps for the builds that this may affect: the build itself, and the builds of its
// Image that were and are first.
func (q *Queue) change(build *entry, change func()) {
	concerned := []*entry{build}
	addFirst := func() {
		if build.image == nil {
			return
		}
		if first, ok := build.image.waiting.top(); ok && first != build {
			concerned = append(concerned, first)
		}
	}
	addFirst()
	change()
	addFirst()
	for _, each := range concerned {
		wanted := q.builds[each.Key] == each && each.ready()
		if each.External {
			q.external.settle(each, wanted)
		} else {
			in := &each.namespace.lanes[laneOf(&each.Build)]
			in.ranked.settle(each, wanted)
			in.aged.settle(each, wanted)
		}
	}
	q.settle(build.namespace)
}

// ready reports whether the build could be admitted without limits.
func (e *entry) ready() bool { return e.State == Waiting && !e.waitsForImage() }

// waitsForImage reports whether the build waits for another build of its Image.
func (e *entry) waitsForImage() bool {
	if !e.Serial || e.image == nil {
		return false
	}
	first, ok := e.image.waiting.top()
	return e.image.active > 0 || ok && first != e
}

func (q *Queue) imageOf(uid types.UID) *image {
	known, ok := q.images[uid]
	if !ok {
		known = &image{waiting: indexedHeap[*entry]{
			compare: compareNumbers,
			place:   func(e *entry) *int { return &e.byNumber },
		}}
		q.images[uid] = known
	}
	return known
}

// rankedHeap has the builds in their order while none has waited for longer than Patience.
func rankedHeap() indexedHeap[*entry] {
	return indexedHeap[*entry]{compare: compareRank, place: func(e *entry) *int { return &e.byRank }}
}

// agedHeap has the builds in their order once all have waited for longer than Patience.
func agedHeap() indexedHeap[*entry] {
	return indexedHeap[*entry]{compare: compareAge, place: func(e *entry) *int { return &e.byAge }}
}
