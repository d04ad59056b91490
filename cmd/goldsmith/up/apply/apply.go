// SPDX-License-Identifier: Apache-2.0

// Package apply applies the manifests in a directory whenever they change, as `kubectl apply --server-side --prune` with an
// ApplySet does. It only reads the directory, and never writes to it. It never deletes an object that it has not created, and
// prunes nothing while any file or object has an error, nor if the directory declares no object.
package apply

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode"

	"github.com/fsnotify/fsnotify"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/record"

	"goldsmith.dev/goldsmith/cmd/internal/documents"
)

const (
	// After an error the directory is applied again, each time after twice the delay. The longest delay is also the interval at which
	// an unchanged directory is read, because some file systems report no changes.
	firstDelay, longestDelay = time.Second, 15 * time.Second
	// maxMessage is how much of a line an event has, in bytes.
	maxMessage = 200
)

// Check reports why a directory cannot be applied. data is the data directory of the server, whose files are no manifests.
func Check(directory, data string) error {
	info, err := os.Stat(directory)
	switch {
	case err != nil:
		return fmt.Errorf("--apply %s: %w: create the directory, or correct the path", directory, documents.WithoutPath(err))
	case !info.IsDir():
		return fmt.Errorf("--apply %s: must be a directory", directory)
	}
	below, err := filepath.Rel(resolve(directory), resolve(data))
	if err != nil || below == ".." || strings.HasPrefix(below, "../") {
		return nil
	}
	for part := range strings.SplitSeq(below, "/") {
		if part != "." && hidden(part) {
			return nil
		}
	}
	return fmt.Errorf("--apply %s: must not contain the data directory %s: move the manifests to a directory of their own", directory, data)
}

// CheckManifests returns an error for each file of a directory that cannot be read, or is no manifest. It asks no server.
func CheckManifests(directory string) (problems []error) {
	for _, problem := range read(directory, func(string) {}).failures {
		problems = append(problems, fmt.Errorf("--apply %w", problem))
	}
	return problems
}

// resolve returns a path without symbolic links. The end of the path need not exist.
func resolve(path string) string {
	resolved, err := filepath.EvalSymlinks(path)
	parent, name := filepath.Dir(path), filepath.Base(path)
	switch {
	case err == nil:
		return resolved
	case parent == path:
		return path
	}
	return filepath.Join(resolve(parent), name)
}

// printable replaces what controls a terminal, which the name of a file may have.
func printable(line string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, line)
}

// Run applies a directory until ctx is done. tell gets a line for each change of an object, and one for each error, which it gets
// again only once the error has changed. An error is also an event of its object, or else of the ApplySet's parent.
func Run(ctx context.Context, directory string, config *rest.Config, tell func(line string)) error {
	set, err := newSet(directory, config)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	events := record.NewBroadcaster(record.WithContext(ctx))
	defer events.Shutdown()
	events.StartRecordingToSink(&typedcorev1.EventSinkImpl{Interface: client.CoreV1().Events("")})
	a := &applier{
		set: set, tell: func(line string) { tell(printable(line)) }, told: map[string]bool{}, delay: firstDelay,
		events: events.NewRecorder(scheme.Scheme, corev1.EventSource{Component: FieldManager}),
	}
	return documents.Follow(ctx, directory, func(event fsnotify.Event) bool {
		name := filepath.Base(event.Name)
		return isManifest(name) || !hidden(name) && !event.Has(fsnotify.Write) // a directory has any name
	}, func(watch func(string)) time.Duration {
		a.watch = watch
		return a.pass(ctx)
	})
}

type applier struct {
	set    *set
	watch  func(directory string)
	events record.EventRecorder
	tell   func(string)
	told   map[string]bool // the errors of the last pass
	seen   [sha256.Size]byte
	done   [sha256.Size]byte
	delay  time.Duration // after the next error
}

// pass applies the directory, unless it has the contents that were applied last. It returns when the next pass is due. Reading is not
// atomic: while a file is moved or replaced, no name may have it. So contents are applied once two passes in sequence have read them.
func (a *applier) pass(ctx context.Context) time.Duration {
	found := read(a.set.directory, a.watch)
	changed := found.digest != a.seen
	a.seen = found.digest
	switch {
	case found.digest == a.done && len(found.failures) == 0:
		return longestDelay
	case changed:
		return documents.SettleTime
	}
	failures := a.set.reconcile(ctx, found, a.tell)
	if ctx.Err() != nil {
		return longestDelay
	}
	now, short := map[string]bool{}, []string(nil)
	for _, failure := range failures {
		line := printable(strings.Join(strings.Fields(failure.err.Error()), " "))
		now[line] = true
		short = append(short, a.shorten(line))
		if a.told[line] {
			continue
		}
		a.tell(line)
		about := failure.about
		if about == nil {
			about = a.set.parent
		}
		line = a.shorten(line)
		a.events.Event(about, corev1.EventTypeWarning, "ApplyFailed", strings.ToValidUTF8(line[:min(len(line), maxMessage)], ""))
	}
	a.told = now
	if err := a.set.recordFailures(ctx, short); err != nil && ctx.Err() == nil {
		a.tell(err.Error())
	}
	if len(failures) == 0 {
		a.done, a.delay = found.digest, firstDelay
		return longestDelay
	}
	delay := a.delay
	a.done, a.delay = [sha256.Size]byte{}, min(2*delay, longestDelay)
	return delay
}

// shorten names files without the directory, which leaves space for the cause.
func (a *applier) shorten(line string) string {
	return strings.ReplaceAll(line, printable(a.set.directory)+"/", "")
}
