// SPDX-License-Identifier: Apache-2.0

package main

import (
	"maps"
	"slices"
	"testing"
	"time"
)

func TestASeedIsASchedule(t *testing.T) {
	for name, target := range map[string]target{"goldsmith up": &server{}, "a cluster": &inCluster{}} {
		users, faults := target.paces()
		const long = 10 * time.Hour
		first, firstFaults := plan(7, long, users, faults)
		again, againFaults := plan(7, long, users, faults)
		if !slices.Equal(first, again) || !slices.Equal(firstFaults, againFaults) {
			t.Errorf("%s: the same seed gave another schedule", name)
		}
		if other, otherFaults := plan(8, long, users, faults); slices.Equal(first, other) || slices.Equal(firstFaults, otherFaults) {
			t.Errorf("%s: another seed gave the same schedule", name)
		}
		for _, each := range []struct {
			steps   []step
			actions map[string]action
		}{{first, newUsers(target.reach()).actions}, {firstFaults, target.faults()}} {
			if !slices.IsSortedFunc(each.steps, func(a, b step) int { return int(a.at - b.at) }) {
				t.Errorf("%s: the steps are not in order", name)
			}
			happened := map[string]bool{}
			for _, step := range each.steps {
				happened[step.action] = true
			}
			if got, want := slices.Sorted(maps.Keys(happened)), slices.Sorted(maps.Keys(each.actions)); !slices.Equal(got, want) {
				t.Errorf("%s: %q happen, and somebody knows how to %q", name, got, want)
			}
		}
	}
}
