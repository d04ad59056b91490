// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"strings"
	"time"
)

// Patience is how long a build waits before it precedes younger builds of its namespace, whatever their priority.
const Patience = time.Hour

// compare is the order of the queue. The heaps do not call it: they call compareRank, compareAge and compareShares, and compare
// chooses between the first builds of two heaps. So a new rule belongs in one of these three, too. It is negative if build a is
// admitted before build b, given that both can be admitted now:
//   - builds of Kueue come first, the oldest of them before the others;
//   - between namespaces, the one with the fewest active builds for its weight is next, then the one whose oldest build has waited
//     longest;
//   - within a namespace, builds that have waited for longer than Patience come first, the oldest of them before the others. Then the
//     build with the highest priority is next, then the oldest.
func compare(a, b *entry, now time.Time) int {
	switch {
	case a.External != b.External:
		return first(a.External)
	case a.External:
		return compareAge(a, b)
	case a.namespace != b.namespace:
		return compareShares(a.namespace, b.namespace)
	}
	switch impatient := now.Sub(a.Since) > Patience; {
	case impatient != (now.Sub(b.Since) > Patience):
		return first(impatient)
	case impatient:
		return compareAge(a, b)
	}
	return compareRank(a, b)
}

// compareRank compares builds of a namespace of which none has waited for longer than Patience.
func compareRank(a, b *entry) int {
	if a.Priority != b.Priority {
		return first(a.Priority > b.Priority)
	}
	return compareAge(a, b)
}

// compareShares compares namespaces by active/weight, without dividing, and then by the age of their oldest build. Both have one.
func compareShares(a, b *namespace) int {
	if mine, other := a.active*b.weight(), b.active*a.weight(); mine != other {
		return first(mine < other)
	}
	oldest, _ := a.aged.top()
	others, _ := b.aged.top()
	return compareAge(oldest, others)
}

// compareAge compares builds by the time since which they wait, then by their names.
func compareAge(a, b *entry) int {
	if order := a.Since.Compare(b.Since); order != 0 {
		return order
	}
	if order := strings.Compare(a.Namespace, b.Namespace); order != 0 {
		return order
	}
	return strings.Compare(a.Name, b.Name)
}

// compareNumbers is the order in which the builds of a serial Image can be admitted.
func compareNumbers(a, b *entry) int {
	if a.Number != b.Number {
		return first(a.Number < b.Number)
	}
	return compareAge(a, b)
}

// first is the result of a comparison of which it is known whether a comes first.
func first(a bool) int {
	if a {
		return -1
	}
	return 1
}
