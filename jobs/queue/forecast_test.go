// SPDX-License-Identifier: Apache-2.0

package queue_test

import (
	"fmt"
	"testing"
	"time"

	"goldsmith.dev/goldsmith/jobs/queue"
)

// lasting sets the duration of each build by name. Active builds have started when they were created.
func lasting(durations map[string]time.Duration) queue.Expectation {
	return queue.Expectation{
		Started: func(queue.Key) time.Time { return epoch },
		Lasts: func(key queue.Key) (time.Duration, bool) {
			lasts, ok := durations[key.Name]
			return lasts, ok
		},
	}
}

func expectPlaces(t *testing.T, places []queue.Place, want ...string) {
	t.Helper()
	got := make([]string, len(places))
	for i, place := range places {
		start := "?"
		if !place.Start.IsZero() {
			start = place.Start.Sub(epoch).String()
		}
		if place.Position != i+1 {
			t.Errorf("%s has position %d in place %d", place.Key, place.Position, i+1)
		}
		got[i] = place.Name + " " + start
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("forecast %q, expected %q", got, want)
	}
}

func TestAForecastPlaysTheQueueThrough(t *testing.T) {
	q := queue.New(queue.Limits{Builds: 2})
	running := waiting("a", "running", 0)
	running.State = queue.Active
	q.Set(running)
	q.Set(waiting("b", "b-1", time.Second))
	q.Set(waiting("b", "b-2", time.Second))
	q.Set(waiting("a", "a-1", 2*time.Second))
	places := q.Forecast(epoch.Add(time.Minute), lasting(map[string]time.Duration{"running": 10 * time.Minute, "b-1": 2 * time.Minute, "b-2": 5 * time.Minute}))
	// b-1 takes the free slot. When b-1 is done, b has no active build and is next again. a-1 is next when b-2 is done.
	expectPlaces(t, places, "b-1 1m0s", "b-2 3m0s", "a-1 8m0s")
	if why := places[1].Why; why != "the build is about to start" {
		t.Errorf("while there is a slot it waits for %q", why)
	}
}

func TestWhatIsUnknownLastsAsLongAsTheOthers(t *testing.T) {
	q := queue.New(queue.Limits{Builds: 1})
	for i, name := range []string{"known", "unknown", "last"} {
		q.Set(waiting("a", name, time.Duration(i)*time.Second))
	}
	expectPlaces(t, q.Forecast(epoch, lasting(map[string]time.Duration{"known": 4 * time.Minute, "last": 2 * time.Minute})),
		"known 0s", "unknown 4m0s", "last 7m0s")
}

func TestWhereNothingIsKnownThereIsAnOrderAndNoTime(t *testing.T) {
	q := queue.New(queue.Limits{Builds: 1})
	q.Set(waiting("a", "first", 0))
	q.Set(waiting("a", "second", time.Second))
	expectPlaces(t, q.Forecast(epoch, lasting(nil)), "first 0s", "second ?")
}

func TestABuildThatLastsLongerThanExpectedEndsNow(t *testing.T) {
	q := queue.New(queue.Limits{Builds: 1})
	running := waiting("a", "running", 0)
	running.State = queue.Active
	q.Set(running)
	q.Set(waiting("a", "next", 0))
	expectPlaces(t, q.Forecast(epoch.Add(time.Hour), lasting(map[string]time.Duration{"running": time.Minute})), "next 1h0m0s")
}

func TestWhatIsNeverAdmittedComesLast(t *testing.T) {
	none := 0
	q := queue.New(queue.Limits{Builds: 1})
	q.SetNamespace("a", queue.Share{MaxBuilds: &none})
	q.Set(waiting("a", "young", time.Second))
	q.Set(waiting("a", "old", 0))
	q.Set(waiting("b", "free", time.Minute))
	places := q.Forecast(epoch, lasting(map[string]time.Duration{"free": time.Minute}))
	expectPlaces(t, places, "free 0s", "old ?", "young ?")
	if why := places[1].Why; why != "the namespace has reached its limit of active builds (0)" {
		t.Errorf("it waits for %q", why)
	}
}

func TestAForecastIsTheOrderOfAdmission(t *testing.T) {
	for seed := range uint64(200) {
		w := newScenario(seed)
		for range 40 {
			w.step()
		}
		places := w.shuffled().Forecast(w.now, lasting(nil))
		if len(places) != w.waiting() {
			t.Fatalf("%d builds have places, and %d wait", len(places), w.waiting())
		}
		now := w.now
		for _, place := range places {
			next, ok := w.queue.Next(now)
			if !ok {
				break // from here on builds have to end first
			}
			if next != place.Key {
				t.Fatalf("%v is forecast, and %v is next after\n%s", place.Key, next, join(w.log))
			}
			build, _ := w.queue.Find(next)
			build.State = queue.Active
			w.queue.Set(build)
		}
	}
}
