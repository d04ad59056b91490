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
	builds int // of any state
	active int // of those that count
	// The builds that could be admitted without limits, in the order of rank and of age.
	ranked, aged indexedHeap[*entry]
	place        int // among the contenders
}

// SetNamespace sets the share of a namespace. The default is the zero value of Share.
func (q *Queue) SetNamespace(name string, share Share) {
	known := q.namespace(name)
	known.share = share
	q.contenders.settle(known, q.canAdmit(known))
	q.forget(known)
}

// next is the next build of the namespace. There must be one.
func (n *namespace) next(now time.Time) *entry {
	oldest, _ := n.aged.top()
	highest, _ := n.ranked.top() // of the same builds
	if compare(oldest, highest, now) < 0 {
		return oldest
	}
	return highest
}

func (n *namespace) weight() int { return max(1, n.share.Weight) }

// canAdmit reports whether a namespace has a build to admit, and may run one more.
func (q *Queue) canAdmit(n *namespace) bool {
	limit, limited := q.limitOf(n)
	return n.aged.Len() > 0 && (!limited || n.active < limit)
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
		known = &namespace{name: name, ranked: rankedHeap(), aged: agedHeap()}
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
