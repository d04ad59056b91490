// SPDX-License-Identifier: Apache-2.0

// Package model_test plays random schedules of all events that can happen to Images and their builds, and checks the
// invariants at each write.
//
// The packages that decide are real: jobs/trigger, jobs/state, jobs/queue, jobs/inputs, jobs/render. Their environment is a
// model. It has an API with resource versions, optimistic concurrency and the server's rules. Each of the two controllers
// has a few lines that make the requests of controllers/ in the same order, from caches that lag behind. The cluster runs
// Jobs and loses pods. There are also users and a clock. A process may crash before or after each write, and its last write
// may arrive after another process has taken over. An answer may be lost, and another event may happen between two
// requests. In the end no more faults happen, and then every build must finish.
//
// The modelled controllers reconcile active and requested builds periodically, even without an event from a cache. They
// reconcile an Image whenever its status has changed. They treat an object with another UID as another object. They admit
// no build that the queue does not know.
//
// The model has no two processes at the same time, except for late writes. Late writes may exceed limits, because no
// process can know of them. It also has no reports of progress, no files, and no durations. Each build has one artifact.
package model_test

import (
	"flag"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
)

const (
	// schedules is how many there are, and leastReached how often they have to reach each thing that is counted. The race
	// detector makes each several times slower, and no two share anything: under it, a tenth of them are played.
	schedules    = 100_000 / slowdown
	leastReached = 100 / (slowdown * slowdown)
	// shortSchedules are played with -short. They reach each thing that is counted at least once.
	shortSchedules = 5_000
	// mutantSchedules is within how many schedules each mutant has to be found.
	mutantSchedules = 20_000
)

var replayed = flag.Int64("seed", -1, "replay the schedule of this seed")

// run plays a schedule, and returns the invariant that it breaks, if it does, and what happened.
func run(s schedule, memo *memo, cover *coverage, tracing bool) (broken string, trace []string) {
	w := newEnvironment(s, memo, cover)
	w.tracing = tracing
	defer func() {
		switch end := recover().(type) {
		case nil:
		case violation:
			broken, trace = end.text, w.trace
		default:
			w.trace = append(w.trace, fmt.Sprint(end))
			panic(fmt.Sprintf("seed %d: %v", s.seed, end))
		}
	}()
	for w.next < len(w.events) {
		w.step()
	}
	w.makePeace()
	return "", w.trace
}

// TestSchedules plays the schedules of many seeds, or with -seed the schedule of that seed.
func TestSchedules(t *testing.T) {
	if *replayed >= 0 {
		s := newSchedule(uint64(*replayed), sound)
		broken, trace := run(s, newMemo(), newCoverage(), true)
		t.Logf("%s", strings.Join(trace, "\n"))
		if broken != "" {
			t.Fatal(explain(s, broken))
		}
		return
	}
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // environments are many and small
	n, least := schedules, leastReached
	if testing.Short() {
		n, least = shortSchedules, 1
	}
	cover, lengths, found := playAll(n, sound)
	if found != nil {
		t.Fatal(explain(*found.schedule, found.broken))
	}
	slices.Sort(lengths)
	t.Logf("%d schedules of %d events in the median, %d events in all", len(lengths), lengths[len(lengths)/2], cover.events)
	for _, group := range cover.report(t, least) {
		t.Log(group)
		for _, rare := range group.rare {
			t.Error(rare)
		}
	}
}

// TestMutantsAreFound shows that the invariants find mistakes in controllers.
func TestMutantsAreFound(t *testing.T) {
	for wrong := actsFirst; wrong < mutants; wrong++ {
		_, lengths, found := playAll(mutantSchedules, wrong)
		if found == nil {
			t.Errorf("a controller that %s breaks nothing in %d schedules", mutantNames[wrong], len(lengths))
			continue
		}
		t.Logf("a controller that %s: after %d schedules, %s", mutantNames[wrong], len(lengths), found.broken)
	}
}

// finding is a schedule that breaks an invariant.
type finding struct {
	schedule *schedule
	broken   string
}

// playAll plays schedules until one breaks an invariant, on all processors. It returns how long they were.
func playAll(n int, wrong mutant) (*coverage, []int, *finding) {
	var (
		workers = runtime.GOMAXPROCS(0)
		mutex   sync.Mutex
		group   sync.WaitGroup
		cover   = newCoverage()
		lengths []int
		found   *finding
	)
	for worker := range workers {
		group.Go(func() {
			memo, mine, played := newMemo(), newCoverage(), []int{}
			for seed := worker; seed < n; seed += workers {
				s := newSchedule(uint64(seed), wrong)
				broken, _ := run(s, memo, mine, false)
				played = append(played, len(s.events))
				if seed%1000 < workers {
					mutex.Lock()
					stop := found != nil
					mutex.Unlock()
					if stop {
						break
					}
				}
				if broken == "" {
					continue
				}
				mutex.Lock()
				if found == nil || found.schedule.seed > s.seed {
					found = &finding{&s, broken}
				}
				mutex.Unlock()
				break
			}
			mutex.Lock()
			defer mutex.Unlock()
			cover.add(mine)
			lengths = append(lengths, played...)
		})
	}
	group.Wait()
	return cover, lengths, found
}
