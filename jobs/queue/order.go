// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"cmp"
	"strings"
	"time"
)

// Patience is how long a build waits before it precedes younger builds of its namespace, whatever their priority.
const Patience = time.Hour

// The order of the builds that can be admitted now:
//   - builds of Kueue come first, the oldest of them before the others;
//   - between namespaces, the one with the fewest active builds for its weight is next, then one with a build that people asked for, or that has
//     waited for longer than Patience: the one whose oldest such build has waited longest. Then it is the one with the oldest automatic build;
//   - within a namespace, builds that have waited for longer than Patience come first, the oldest of them before the others. Then builds that people
//     asked for come before automatic ones. Then the build with the highest priority is next, then the oldest.
//
// compare chooses between the first builds of two heaps of a namespace, or between one of these and a build of Kueue. The heaps call compareRank,
// compareAge and compareIn. So a new rule belongs in one of these three, too.
func compare(a, b *entry, now time.Time) int {
	switch {
	case a.External != b.External:
		return first(a.External)
	case a.External:
		return compareAge(a, b)
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
	if a.Automatic != b.Automatic {
		return first(b.Automatic)
	}
	if a.Priority != b.Priority {
		return first(a.Priority > b.Priority)
	}
	return compareAge(a, b)
}

// compareShares compares namespaces by active/weight, without dividing.
func compareShares(a, b *namespace) int {
	return cmp.Compare(a.active.all*b.weight(), b.active.all*a.weight())
}

// compareIn compares namespaces that contend in a lane: by their shares, and then by the age of their oldest build there. Both have one.
func compareIn(a, b *namespace, lane int) int {
	if order := compareShares(a, b); order != 0 {
		return order
	}
	oldest, _ := a.lanes[lane].aged.top()
	others, _ := b.lanes[lane].aged.top()
	return compareAge(oldest, others)
}

// compareLanes compares the first namespace with automatic builds with the first one with builds that people asked for.
func compareLanes(automatic, people *namespace, now time.Time) int {
	if order := compareShares(automatic, people); order != 0 {
		return order
	}
	oldest, _ := automatic.lanes[automatically].aged.top()
	asked, _ := people.lanes[ofPeople].aged.top()
	if now.Sub(oldest.Since) > Patience {
		return compareAge(oldest, asked)
	}
	return 1
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
