// SPDX-License-Identifier: Apache-2.0

package queue

import "time"

// Share is the share of a namespace in the queue.
type Share struct {
	// Weight of the namespace among all. Less than 1 counts as 1.
	Weight int
	// MaxBuilds is how many builds of the namespace may be active. 0 stops them all, and nil means Limits.PerNamespace.
	MaxBuilds *int
	// Problem describes the settings that are invalid. It is empty if all are valid.
	Problem string
}

// namespace is what the builds of one namespace have in common.
type namespace struct {
	name   string
	share  Share
	builds int   // of any state
	active count // of those that count
	// automatic is how many of these are automatic.
	automatic count
	lanes     [lanes]lane
}

// A lane has the builds of a namespace that people asked for, or the automatic ones.
const (
	ofPeople = iota
	automatically
	lanes
)

type lane struct {
	// The builds that could be admitted without limits, in the order of rank and of age.
	ranked, aged indexedHeap[*entry]
	place        int // of the namespace among the contenders
}

func laneOf(build *Build) int {
	if build.Automatic {
		return automatically
	}
	return ofPeople
}

// SetNamespace sets the share of a namespace. The default is the zero value of Share.
func (q *Queue) SetNamespace(name string, share Share) {
	known := q.namespace(name)
	known.share = share
	q.settle(known)
	q.forget(known)
}

// settle updates the places of a namespace among the contenders.
func (q *Queue) settle(n *namespace) {
	for of := range q.contenders {
		q.contenders[of].settle(n, q.canAdmit(n, of))
	}
}

// next is the next build of the namespace in the lanes in which it contends. There must be one. all is whether automatic builds can be admitted.
func (n *namespace) next(now time.Time, all bool) (next *entry) {
	for of := range n.lanes {
		if n.lanes[of].place == 0 || of == automatically && !all {
			continue
		}
		for _, heap := range []*indexedHeap[*entry]{&n.lanes[of].aged, &n.lanes[of].ranked} {
			if first, ok := heap.top(); ok && (next == nil || compare(first, next, now) < 0) {
				next = first
			}
		}
	}
	return next
}

func (n *namespace) weight() int { return max(1, n.share.Weight) }

// canAdmit reports whether a namespace has a build of a lane to admit, and may run one more.
func (q *Queue) canAdmit(n *namespace, of int) bool {
	limit, limited := q.limitOf(n)
	if of == automatically && q.automaticFullIn(n) {
		return false
	}
	return n.lanes[of].aged.Len() > 0 && (!limited || !n.active.reached(limit))
}

// automaticFullIn reports whether a namespace has as many active automatic builds as it may have.
func (q *Queue) automaticFullIn(n *namespace) bool {
	return q.limits.AutomaticPerNamespace > 0 && n.automatic.reached(q.limits.AutomaticPerNamespace)
}

// limitOf is how many builds of a namespace may be active, if there is a limit.
func (q *Queue) limitOf(n *namespace) (int, bool) {
	if n.share.MaxBuilds != nil {
		return *n.share.MaxBuilds, true
	}
	return q.limits.PerNamespace, q.limits.PerNamespace > 0
}

func (q *Queue) namespace(name string) *namespace {
	known, ok := q.namespaces[name]
	if !ok {
		known = &namespace{name: name}
		for of := range known.lanes {
			known.lanes[of] = lane{ranked: rankedHeap(), aged: agedHeap()}
		}
		q.namespaces[name] = known
	}
	return known
}

// forget drops a namespace without builds and with the default share.
func (q *Queue) forget(n *namespace) {
	if n.builds == 0 && n.share == (Share{}) {
		delete(q.namespaces, n.name)
	}
}
