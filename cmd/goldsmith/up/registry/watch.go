// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
	"k8s.io/klog/v2"

	"goldsmith.dev/goldsmith/cmd/goldsmith/up/settle"
)

const (
	// interval is when unchanged documents are read, because some file systems report no changes.
	interval = 15 * time.Second
	// problemInterval is the interval while there is a problem, which a change of another file may solve, such as chmod, and while the
	// builders of the documents are refused.
	problemInterval = time.Second
)

// Watch reads the documents whenever they change until ctx is done. Current are the builders that it has read before. change gets the
// builders of changed documents, if there is no problem with any document, and gets them again until it succeeds. tell gets a line for each
// change of the builders, and a line for each new problem.
func (s Source) Watch(ctx context.Context, current map[string]Builder, change func(map[string]Builder) error, tell func(line string)) error {
	w := &watch{source: s, current: current, applied: reading{builders: current}, seen: reading{builders: current}, change: change, tell: tell}
	var changes chan fsnotify.Event
	var lost chan error
	observe := func() {}
	if watcher, err := fsnotify.NewWatcher(); err != nil { // the user has too many, for instance
		klog.FromContext(ctx).Info("Cannot watch the documents of builders, which are read at intervals", "path", s.Path, "err", err)
	} else {
		defer func() { _ = watcher.Close() }() // nothing was written
		changes, lost = watcher.Events, watcher.Errors
		// Again before each reading, because the directory may be another one. A directory that cannot be watched is read in time, too.
		observe = func() { _ = watcher.Add(s.directory()) }
	}
	return w.run(ctx, changes, lost, observe)
}

// run makes passes until ctx is done: observe is called before each.
func (w *watch) run(ctx context.Context, changes <-chan fsnotify.Event, lost <-chan error, observe func()) error {
	var unread settle.Changes
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case event := <-changes:
			if event.Name == w.source.Path || isDocument(filepath.Base(event.Name)) {
				timer.Reset(unread.Add(time.Now()))
			}
		case err := <-lost: // such as too many events at once
			klog.FromContext(ctx).Info("Cannot watch the documents of builders", "path", w.source.Path, "err", err)
			timer.Reset(settle.Time)
		case <-timer.C:
			unread = settle.Changes{}
			observe()
			timer.Reset(w.pass())
		}
	}
}

// directory returns the directory that has the documents.
func (s Source) directory() string {
	if info, err := os.Stat(s.Path); err == nil && info.IsDir() {
		return s.Path
	}
	return filepath.Dir(s.Path)
}

// reading is what the documents had at a moment.
type reading struct {
	builders map[string]Builder
	problem  string // a line for each problem, or ""
}

type watch struct {
	source  Source
	current map[string]Builder // the builders of the last documents without a problem
	seen    reading            // by the last pass
	applied reading            // by the last pass whose builders were registered, or whose problem was told
	refused string             // why the last change failed, or "" if it succeeded
	change  func(map[string]Builder) error
	tell    func(string)
}

// pass reads the documents, and returns when the next pass is due. Reading is not atomic, and neither is writing. So builders and problems
// count once two passes in sequence have read them.
func (w *watch) pass() time.Duration {
	builders, err := w.source.Read()
	now := reading{builders: builders}
	if err != nil {
		now.problem = err.Error()
	}
	changed := !reflect.DeepEqual(now, w.seen)
	w.seen = now
	switch {
	case reflect.DeepEqual(now, w.applied) && w.refused == "":
	case changed:
		return settle.Time
	default:
		w.apply(now)
	}
	if now.problem != "" || w.refused != "" {
		return problemInterval
	}
	return interval
}

// apply registers the builders of a reading without a problem. After an error it is called again, and tells the error only once.
func (w *watch) apply(now reading) {
	if now.problem != "" {
		if now.problem != w.applied.problem {
			for line := range strings.SplitSeq(now.problem, "\n") {
				w.tell(line + ": the registered builders stay as they were")
			}
		}
		w.applied = now
		return
	}
	news := difference(w.current, now.builders)
	if news != "" || w.refused != "" { // a change that failed may have been made in part
		if err := w.change(now.builders); err != nil {
			if err.Error() != w.refused {
				w.tell(err.Error())
			}
			w.refused = err.Error()
			return
		}
	}
	switch {
	case news != "":
		w.tell(news)
	case w.applied.problem != "" || w.refused != "":
		w.tell("the documents are correct again, and the registered builders are the same")
	}
	w.current, w.applied, w.refused = now.builders, now, ""
}

// difference names the builders that differ, or is empty.
func difference(before, after map[string]Builder) string {
	var registered, changed, removed []string
	for _, name := range slices.Sorted(maps.Keys(after)) {
		switch old, known := before[name]; {
		case !known:
			registered = append(registered, name)
		case !reflect.DeepEqual(old, after[name]):
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
