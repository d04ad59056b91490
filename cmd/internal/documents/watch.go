// SPDX-License-Identifier: Apache-2.0

package documents

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	// interval is when unchanged documents are read, because some file systems report no changes.
	interval = 15 * time.Second
	// problemInterval is the interval while there is a problem, which a change of another file may solve, such as chmod, and while what
	// the documents declare is refused.
	problemInterval = time.Second
	// configMapLink is a link in the volume of a ConfigMap, through which the links to all files lead. A change of the ConfigMap replaces
	// only this link.
	configMapLink = "..data"
)

// Watch registers what documents declare whenever they change.
type Watch[T any] struct {
	// Place is where the documents are.
	Place Place
	// Subject is what the documents declare, in the plural, such as "builders".
	Subject string
	// Read returns what all documents declare, by name. The error has a line for each problem.
	Read func() (map[string]T, error)
	// Equal reports whether two declarations are the same.
	Equal func(a, b T) bool
	// Change registers what changed documents declare. It is called only if there is no problem with any document, and again until it
	// succeeds.
	Change func(map[string]T) error
	// Tell gets a line for each change of what is registered, and a line for each new problem.
	Tell func(line string)
}

// Run reads the documents until ctx is done. Current is what was registered before.
func (w Watch[T]) Run(ctx context.Context, current map[string]T) error {
	r := w.start(current)
	return Follow(ctx, w.Place.Path, r.concerns, func(watch func(string)) time.Duration {
		watch(w.Place.directory())
		return r.pass()
	})
}

func (w Watch[T]) start(current map[string]T) *run[T] {
	return &run[T]{Watch: w, current: current, seen: reading[T]{declared: current}, applied: reading[T]{declared: current}}
}

// run is a watch that runs.
type run[T any] struct {
	Watch[T]
	current map[string]T // of the last documents without a problem
	seen    reading[T]   // by the last pass
	applied reading[T]   // by the last pass that registered what it read, or told its problem
	refused string       // why the last change failed, or "" if it succeeded
}

// reading is what the documents had at a moment.
type reading[T any] struct {
	declared map[string]T
	problem  string // a line for each problem, or ""
}

// concerns reports whether a change of a file can change the documents.
func (r *run[T]) concerns(event fsnotify.Event) bool {
	name := filepath.Base(event.Name)
	return event.Name == r.Place.Path || name == configMapLink || isRead(name)
}

// pass reads the documents, and returns when the next pass is due. Reading is not atomic, and neither is writing. So declarations and
// problems count once two passes in sequence have read them.
func (r *run[T]) pass() time.Duration {
	declared, err := r.Read()
	now := reading[T]{declared: declared}
	if err != nil {
		now = reading[T]{problem: err.Error()}
	}
	changed := !r.same(now, r.seen)
	r.seen = now
	switch {
	case r.same(now, r.applied) && r.refused == "":
	case changed:
		return SettleTime
	default:
		r.apply(now)
	}
	if now.problem != "" || r.refused != "" {
		return problemInterval
	}
	return interval
}

func (r *run[T]) same(a, b reading[T]) bool {
	return a.problem == b.problem && maps.EqualFunc(a.declared, b.declared, r.Equal)
}

// apply registers what a reading without a problem declares. After an error it is called again, and tells the error only once.
func (r *run[T]) apply(now reading[T]) {
	if now.problem != "" {
		if now.problem != r.applied.problem {
			for line := range strings.SplitSeq(now.problem, "\n") {
				r.Tell(fmt.Sprintf("%s: the registered %s stay as they were", line, r.Subject))
			}
		}
		r.applied = now
		return
	}
	news := Difference(r.current, now.declared, r.Equal)
	if news != "" || r.refused != "" { // a change that failed may have been made in part
		if err := r.Change(now.declared); err != nil {
			if err.Error() != r.refused {
				r.Tell(err.Error())
			}
			r.refused = err.Error()
			return
		}
	}
	switch {
	case news != "":
		r.Tell(news)
	case r.applied.problem != "" || r.refused != "":
		r.Tell(fmt.Sprintf("the documents are correct again, and the registered %s are the same", r.Subject))
	}
	r.current, r.applied, r.refused = now.declared, now, ""
}

// Difference names the declarations that differ, such as "registered shell; removed lab", or is empty.
func Difference[T any](before, after map[string]T, equal func(a, b T) bool) string {
	var registered, changed, removed []string
	for _, name := range slices.Sorted(maps.Keys(after)) {
		switch old, known := before[name]; {
		case !known:
			registered = append(registered, name)
		case !equal(old, after[name]):
			changed = append(changed, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(before)) {
		if _, stays := after[name]; !stays {
			removed = append(removed, name)
		}
	}
	var parts []string
	for _, part := range []struct {
		verb  string
		names []string
	}{{"registered", registered}, {"changed", changed}, {"removed", removed}} {
		if len(part.names) > 0 {
			parts = append(parts, fmt.Sprintf("%s %s", part.verb, strings.Join(part.names, ", ")))
		}
	}
	return strings.Join(parts, "; ")
}
