// SPDX-License-Identifier: Apache-2.0

package queue_test

import (
	"fmt"
	"slices"
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

// TestAForecastIsWhatTheRulesLeadTo compares it with the reference, which admits and ends builds one by one.
func TestAForecastIsWhatTheRulesLeadTo(t *testing.T) {
	later := 0
	for seed := range uint64(300) {
		w := newScenario(seed)
		for range 40 {
			w.step()
		}
		durations := map[string]time.Duration{}
		for _, build := range w.builds {
			durations[build.Name] = time.Duration(w.random.IntN(300)) * time.Minute
		}
		var got []string
		for _, place := range w.shuffled().Forecast(w.now, lasting(durations)) {
			got = append(got, fmt.Sprintf("%s %s", place.Key, place.Start))
			if place.Start.After(w.now) {
				later++
			}
		}
		if want := w.forecast(w.now, durations); !slices.Equal(got, want) {
			t.Fatalf("forecast %q, the rules lead to %q after\n%s", got, want, join(w.log))
		}
	}
	if later < 300 {
		t.Errorf("only %d builds had to wait: that tells little", later)
	}
}
