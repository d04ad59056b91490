// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"
)

// assumed is the duration of every build if no duration is known. The forecast then has an order, but no times.
const assumed = time.Minute

// Expectation is the known durations of builds.
type Expectation struct {
	// Started is when an active build was admitted.
	Started func(key Key) time.Time
	// Lasts is how long a build will last, or false if that is unknown. The forecast then uses the average of the other builds.
	Lasts func(key Key) (time.Duration, bool)
}

// Place is the place of a build in the order.
type Place struct {
	Key
	// Position from 1.
	Position int
	// Start is when the build would start. It is zero if that is unknown.
	Start time.Time
	// Why is what the build waits for now.
	Why string
}

// Forecast simulates the admission of all waiting builds, as if no build were added. The queue cannot be used afterwards. An
// active build that lasts longer than expected is assumed to end now. Builds that would never be admitted, for example
// because the limit of their namespace is 0, come last and have no time.
func (q *Queue) Forecast(now time.Time, expected Expectation) []Place {
	play := &play{queue: q, now: now, expected: expected, why: q.reasons(), ends: endingsHeap()}
	play.average, play.known = q.averageOf(expected)
	for key, build := range q.builds {
		if build.State == Active {
			play.end(key, expected.Started(key))
		}
	}
	for {
		if key, ok := q.Next(play.now); ok {
			play.admit(key)
			continue
		}
		ended, ok := play.ends.top()
		if !ok {
			break
		}
		play.ends.settle(ended, false)
		play.now, play.later = ended.at, true
		q.Remove(ended.Key)
	}
	play.addRest()
	return play.places
}

// play is a forecast in the making.
type play struct {
	queue    *Queue
	now      time.Time
	later    bool // whether a build has ended since the beginning
	expected Expectation
	average  time.Duration
	known    bool // whether average is more than assumed
	why      map[Key]string
	ends     indexedHeap[*ending]
	places   []Place
}

func (p *play) admit(key Key) {
	build, _ := p.queue.Find(key) // it is the next one
	build.State = Active
	p.queue.Set(build)
	start := time.Time{}
	if p.known || !p.later {
		start = p.now
	}
	p.add(key, start)
	p.end(key, p.now)
}

func (p *play) add(key Key, start time.Time) {
	p.places = append(p.places, Place{Key: key, Position: len(p.places) + 1, Start: start, Why: p.why[key]})
}

// end schedules the end of an active build, which is never in the past.
func (p *play) end(key Key, started time.Time) {
	lasts, ok := p.expected.Lasts(key)
	if !ok {
		lasts = p.average
	}
	at := started.Add(lasts)
	if at.Before(p.now) {
		at = p.now
	}
	p.ends.settle(&ending{Key: key, at: at}, true)
}

// addRest adds the builds that would never be admitted, the oldest first.
func (p *play) addRest() {
	rest := slices.SortedFunc(maps.Values(p.queue.builds), compareAge)
	for _, build := range rest {
		p.add(build.Key, time.Time{})
	}
}

func (q *Queue) reasons() map[Key]string {
	reasons := make(map[Key]string, q.waiting)
	for key, build := range q.builds {
		if build.State != Active {
			reasons[key] = q.Why(key)
		}
	}
	return reasons
}

// averageOf is the average of the known durations, and whether any is known.
func (q *Queue) averageOf(expected Expectation) (time.Duration, bool) {
	sum, count := time.Duration(0), time.Duration(0)
	for key := range q.builds {
		if lasts, ok := expected.Lasts(key); ok {
			sum += lasts
			count++
		}
	}
	if count == 0 {
		return assumed, false
	}
	return sum / count, true
}

// ending is the end of an active build.
type ending struct {
	Key
	at    time.Time
	place int
}

// endingsHeap has endings by time. Those at the same time are in the order of their names.
func endingsHeap() indexedHeap[*ending] {
	return indexedHeap[*ending]{
		compare: func(a, b *ending) int {
			return cmp.Or(a.at.Compare(b.at), strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
		},
		place: func(e *ending) *int { return &e.place },
	}
}
