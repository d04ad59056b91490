// SPDX-License-Identifier: Apache-2.0

package main

import (
	"slices"
	"testing"
	"time"
)

func TestASeedIsASchedule(t *testing.T) {
	first, again, other := plan(7, 10*time.Minute), plan(7, 10*time.Minute), plan(8, 10*time.Minute)
	if !slices.Equal(first, again) {
		t.Error("the same seed gave another schedule")
	}
	if slices.Equal(first, other) {
		t.Error("another seed gave the same schedule")
	}
	if !slices.IsSortedFunc(first, func(a, b step) int { return int(a.at - b.at) }) {
		t.Error("the steps are not in order")
	}
	u := newUsers(&server{})
	happened := map[string]bool{}
	for _, step := range first {
		happened[step.action] = true
	}
	for action := range u.actions {
		if !happened[action] {
			t.Errorf("%q never happens in ten minutes", action)
		}
	}
	for action := range happened {
		if u.actions[action] == nil {
			t.Errorf("nobody knows how to %s", action)
		}
	}
}
