// SPDX-License-Identifier: Apache-2.0

package queue_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"goldsmith.dev/goldsmith/jobs/queue"
)

var epoch = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)

// scenario is a random set of builds, with the log of the queue's updates.
type scenario struct {
	random *rand.Rand
	now    time.Time
	reference
	queue *queue.Queue
	made  int64
	log   []string
}

func newScenario(seed uint64) *scenario {
	random := rand.New(rand.NewPCG(seed, 0))
	limits := queue.Limits{Builds: random.IntN(8), PerNamespace: random.IntN(4), Automatic: random.IntN(5), AutomaticPerNamespace: random.IntN(3)}
	return &scenario{
		random: random, now: epoch, queue: queue.New(limits),
		reference: reference{limits: limits, shares: map[string]queue.Share{}},
		log:       []string{fmt.Sprintf("seed %d, limits %+v", seed, limits)},
	}
}

func (w *scenario) note(format string, args ...any) {
	w.log = append(w.log, fmt.Sprintf(format, args...))
}

// step changes something.
func (w *scenario) step() {
	switch choice := w.random.IntN(20); {
	case choice < 8 || len(w.builds) == 0:
		w.add()
	case choice < 12:
		w.finish(w.random.IntN(len(w.builds)))
	case choice < 14:
		w.share()
	case choice < 15:
		at := w.random.IntN(len(w.builds))
		w.builds[at].State = []queue.State{queue.Waiting, queue.Resting, queue.Active}[w.random.IntN(3)]
		w.builds[at].Testing = w.random.IntN(2) == 0
		w.note("%s is %d, testing %t", w.builds[at].Key, w.builds[at].State, w.builds[at].Testing)
		w.queue.Set(w.builds[at])
	default:
		w.now = w.now.Add(time.Duration(w.random.IntN(40)) * time.Minute)
		w.note("it is %s", w.now)
		w.admit()
	}
}

func (w *scenario) add() {
	w.made++
	build := randomBuild(w.random, w.made, w.now)
	w.note("%+v", build)
	w.builds = append(w.builds, build)
	w.queue.Set(build)
}

func (w *scenario) finish(at int) {
	w.note("%s is gone", w.builds[at].Key)
	w.queue.Remove(w.builds[at].Key)
	w.builds = slices.Delete(w.builds, at, at+1)
}

func (w *scenario) share() {
	namespace, share := fmt.Sprintf("ns-%d", w.random.IntN(4)), queue.Share{Weight: w.random.IntN(4)}
	if w.random.IntN(2) == 0 {
		limit := w.random.IntN(4)
		share.MaxBuilds = &limit
	}
	w.note("%s has weight %d and limit %v", namespace, share.Weight, share.MaxBuilds)
	w.shares[namespace] = share
	w.queue.SetNamespace(namespace, share)
}

// admit admits the next build.
func (w *scenario) admit() {
	key, ok := w.queue.Next(w.now)
	if !ok {
		return
	}
	at := slices.IndexFunc(w.builds, func(b queue.Build) bool { return b.Key == key })
	w.note("%s is admitted", key)
	w.builds[at].State = queue.Active
	w.queue.Set(w.builds[at])
}

// shuffled is a queue that is told the same in another order.
func (w *scenario) shuffled() *queue.Queue {
	again := queue.New(w.limits)
	order := slices.Clone(w.builds)
	w.random.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	for at, build := range order {
		if at == len(order)/2 {
			for namespace, share := range w.shares {
				again.SetNamespace(namespace, share)
			}
		}
		other := build
		other.State, other.Priority = queue.State(w.random.IntN(3)), 7
		again.Set(other)
		again.Set(build)
	}
	if len(order) == 0 {
		for namespace, share := range w.shares {
			again.SetNamespace(namespace, share)
		}
	}
	return again
}

// TestTheNextBuildIsTheOneThatTheRulesSay compares the queue with the rules, and with itself told in another order.
func TestTheNextBuildIsTheOneThatTheRulesSay(t *testing.T) {
	const scenarios, steps = 1500, 60
	admitted, refused := 0, 0
	for seed := range uint64(scenarios) {
		w := newScenario(seed)
		for range steps {
			w.step()
			want, wantOK := w.next(w.now)
			got, gotOK := w.queue.Next(w.now)
			if got != want || gotOK != wantOK {
				t.Fatalf("the queue admits %v (%v), the rules admit %v (%v) after\n%s", got, gotOK, want, wantOK, join(w.log))
			}
			if gotOK {
				admitted++
			} else {
				refused++
			}
		}
		want, wantOK := w.queue.Next(w.now)
		if got, gotOK := w.shuffled().Next(w.now); got != want || gotOK != wantOK {
			t.Fatalf("with updates in another order the queue admits %v (%v), not %v (%v) after\n%s", got, gotOK, want, wantOK, join(w.log))
		}
		if waiting := w.waiting(); w.queue.Waiting() != waiting {
			t.Fatalf("%d builds wait, not %d", w.queue.Waiting(), waiting)
		}
	}
	if admitted < scenarios || refused < scenarios {
		t.Errorf("there was a next build %d times, and none %d times: that tells little", admitted, refused)
	}
}

func (w *scenario) waiting() (count int) {
	for _, build := range w.builds {
		if build.State != queue.Active {
			count++
		}
	}
	return count
}

func join(lines []string) (text string) {
	for _, line := range lines {
		text += line + "\n"
	}
	return text
}

// TestAWaitingBuildIsSaidToWaitForSomething holds Why against Next.
func TestAWaitingBuildIsSaidToWaitForSomething(t *testing.T) {
	for seed := range uint64(300) {
		w := newScenario(seed)
		for range 60 {
			w.step()
		}
		for _, build := range w.builds {
			why := w.queue.Why(build.Key)
			if (why == "") != (build.State == queue.Active) {
				t.Fatalf("%+v waits for %q", build, why)
			}
			if lets := w.imageLets(build); build.State == queue.Waiting && lets != (why != "an earlier build of the image has not finished") {
				t.Fatalf("%+v waits for %q, its image lets it: %v", build, why, lets)
			}
		}
	}
}
