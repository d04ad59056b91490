// SPDX-License-Identifier: Apache-2.0

// Package model_test plays random schedules of all events that can happen to Images and their builds, and checks the
// invariants at each write.
//
// The controllers are those that ship: of images, builds, orphaned Jobs and expired builds, with the queue, their watches and
// predicates, and the packages of jobs that decide. They reach their environment through the interfaces of the typed clients
// and of a cache, which the model implements as far as they use them. The environment is a model: an API with resource
// versions, optimistic concurrency and the server's rules, caches that lag behind, workqueues, a clock, a cluster that runs
// Jobs and loses pods, a signer that may be down or killed, users, and an operator who restores backups and changes keys. Each process is a set of controllers. It may crash before
// or after each write, and its last write may arrive after another process has taken over. Two processes may lead for a while.
// An answer may be lost, and another event may happen between two requests. In the end no more faults happen, and then every
// build must finish.
//
// Everything follows from a seed: no goroutine, no timer and no map decides anything.
//
// Limits may be exceeded by a late write or a second leader: no process can see these. The model has no
// reports of progress, no files, no archive of logs, no records, and no settings of Namespaces. Each build has one artifact. In half of
// the schedules the builds run in a cluster, where half of the Images publish it: the publisher attests it and waits for the signer before it
// sets tags. In the other half nothing is signed.
//
// Some of the schedules have archives of packages, locks, and triggers for new packages. The packages are found by controllers/internal/archives, in Archives
// that the environment writes, as late as a check may be: the Jobs of checks, which have tests of their own, would take most of the events of a schedule.
//
// Some of the schedules have repositories of Git, which several Images may share. Their branches are pushed forward and back, and their servers refuse everybody
// for a while. The Jobs of the checks of sources run as others do, and find what the branch names when their pod starts. Webhooks come, and are not lost. There are
// no artifacts of registries as sources, no limits of checks, and no Secrets.
package model_test

import (
	"flag"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/queue"
)

const (
	// schedules is how many there are, and leastReached how often they have to reach each thing that is counted. The race
	// detector makes each several times slower, and no two share anything: under it, a tenth of them are played.
	schedules    = 100_000 / slowdown
	leastReached = max(1, 20/(slowdown*slowdown))
	// shortSchedules are played with -short. They need not reach each thing that is counted; coveringSchedules reach each at least once.
	shortSchedules    = 2_000
	coveringSchedules = 6_000
)

var (
	replayed = flag.Int64("seed", -1, "replay the schedule of this seed")
	played   = flag.Int("schedules", 0, "play so many schedules")
	brief    = flag.Bool("brief", false, "do not shrink a schedule that breaks an invariant")
)

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
		s := newSchedule(uint64(*replayed))
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
		n, least = shortSchedules, 0
	}
	if *played > 0 {
		n, least = *played, min(1, *played/coveringSchedules)
	}
	cover, lengths, found := playAll(n)
	switch {
	case found != nil && *brief:
		t.Fatalf("seed %d: %s", found.schedule.seed, found.broken)
	case found != nil:
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

// TestABuildThatCannotStartLetsOthersStart has a fault that lasts, unlike those of schedules.
func TestABuildThatCannotStartLetsOthersStart(t *testing.T) {
	w := newEnvironment(schedule{}, newMemo(), newCoverage())
	w.peace, w.limits = true, queue.Limits{Builds: 1}
	for _, image := range slices.Clone(w.images.all) {
		w.edit(image, func(spec *v1alpha1.ImageSpec) { spec.Suspend, spec.Template = new(true), nil })
	}
	w.createDirectly(w.images.all[0], false)
	w.createDirectly(w.images.all[0], false)
	w.refused = "direct-1"
	w.start(0)
	for range 20 {
		w.lookAtAll()
		w.clusterWorks()
		w.deliverAll()
		w.now = w.now.Add(retry)
	}
	first, _ := w.builds.get("direct-1")
	second, _ := w.builds.get("direct-2")
	if len(first.Status.Attempts) > 0 || len(second.Status.Attempts) == 0 {
		t.Errorf("the build that is refused is %q, and the next build is %q", first.Status.Phase, second.Status.Phase)
	}
}

// finding is a schedule that breaks an invariant.
type finding struct {
	schedule *schedule
	broken   string
}

// playAll plays schedules until one breaks an invariant, on all processors. It returns how long they were.
func playAll(n int) (*coverage, []int, *finding) {
	var (
		workers = runtime.GOMAXPROCS(0)
		mutex   sync.Mutex
		group   sync.WaitGroup
		stop    atomic.Bool
		cover   = newCoverage()
		lengths []int
		found   *finding
	)
	for worker := range workers {
		group.Go(func() {
			memo, mine, long := newMemo(), newCoverage(), []int{}
			for seed := worker; seed < n && !stop.Load(); seed += workers {
				s := newSchedule(uint64(seed))
				long = append(long, len(s.events))
				if broken, _ := run(s, memo, mine, false); broken != "" {
					stop.Store(true)
					mutex.Lock()
					defer mutex.Unlock()
					if found == nil || found.schedule.seed > s.seed {
						found = &finding{&s, broken}
					}
					return
				}
			}
			mutex.Lock()
			defer mutex.Unlock()
			cover.add(mine)
			lengths = append(lengths, long...)
		})
	}
	group.Wait()
	return cover, lengths, found
}
