// SPDX-License-Identifier: Apache-2.0

package model_test

import (
	"fmt"
	"slices"
	"strings"
)

// maxRuns is how many schedules are tried to find a shorter one.
const maxRuns = 3000

// shrink leaves out events as long as some invariant is still broken.
func shrink(s schedule) schedule {
	memo, runs := newMemo(), 0
	breaks := func(events []event) bool {
		runs++
		broken, _ := run(schedule{seed: s.seed, events: events}, memo, newCoverage(), false)
		return broken != ""
	}
	for size := len(s.events) / 2; size > 0 && runs < maxRuns; {
		smaller := false
		for at := 0; at+size <= len(s.events) && runs < maxRuns; {
			without := slices.Concat(s.events[:at], s.events[at+size:])
			if breaks(without) {
				s.events, smaller = without, true
			} else {
				at++
			}
		}
		if !smaller || size > len(s.events) {
			size /= 2
		}
	}
	return s
}

// explain describes the broken invariant, the events that lead to it, and how to replay the schedule.
func explain(s schedule, broken string) string {
	short := shrink(s)
	again, trace := run(short, newMemo(), newCoverage(), true)
	lines := []string{
		fmt.Sprintf("seed %d: %s", s.seed, broken),
		fmt.Sprintf("replay: go test ./controllers/internal/model -run TestSchedules -v -seed=%d", s.seed),
		fmt.Sprintf("shrunk to %d of %d events, %s:", len(short.events), len(s.events), again),
	}
	for _, event := range short.events {
		lines = append(lines, "  "+event.String())
	}
	lines = append(lines, "what happened:")
	return strings.Join(append(lines, trace...), "\n")
}
