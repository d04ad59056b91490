// SPDX-License-Identifier: Apache-2.0

package files

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"k8s.io/client-go/dynamic"
	restclient "k8s.io/client-go/rest"
)

const (
	// quiet is how long a file must be unchanged before it is read, because editors write in pieces.
	quiet = 100 * time.Millisecond
	// missing is how long a file must be missing before its object is deleted, because some editors remove a file before they
	// write it.
	missing = 500 * time.Millisecond
	// again is the interval between two tries of an edit that was neither accepted nor refused.
	again = time.Second
)

// Attach sends edits of the files as requests to the API until ctx is done, first the edits from before the start. It reports
// a refused edit in one line. The edit stays in its file, which the server does not overwrite until the edit is corrected or
// reverted. It is tried again after other edits, on which it may depend.
func (d *Directory) Attach(ctx context.Context, loopback *restclient.Config, report func(string)) {
	loopback = restclient.CopyConfig(loopback)
	loopback.ContentType = "application/json"
	loopback.UserAgent = "files"
	client, err := dynamic.NewForConfig(loopback)
	if err != nil {
		report(fmt.Sprintf("the server does not notice edits of the files in %s: %v", d.root, err))
		return
	}
	d.mutex.Lock()
	d.report = report
	d.mutex.Unlock()
	e := &editor{directory: d, client: client, report: report, due: map[string]time.Time{}, refused: map[string]refusal{}}
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		report(fmt.Sprintf("the server notices edits of the files in %s only when it starts: %v", d.root, err))
		e.scan(".")
		e.look(ctx)
		return
	}
	e.watcher = watcher
	e.scan(".")
	e.run(ctx)
	if err := watcher.Close(); err != nil {
		report(fmt.Sprintf("stop watching %s: %v", d.root, err))
	}
}

// editor turns edits into requests.
type editor struct {
	directory *Directory
	client    dynamic.Interface
	watcher   *fsnotify.Watcher
	report    func(string)
	due       map[string]time.Time // when to read a path
	refused   map[string]refusal
}

// refusal is a reported refusal of an edit.
type refusal struct {
	file   string // the digest of the edited file
	reason string
}

func (e *editor) run(ctx context.Context) {
	var soon <-chan time.Time
	for {
		if len(e.due) > 0 && soon == nil { // not restarted by each event: a busy server causes many
			soon = time.After(quiet / 2)
		}
		select {
		case <-ctx.Done():
			return
		case event := <-e.watcher.Events:
			if path, err := filepath.Rel(e.directory.root, event.Name); err == nil {
				e.note(path, event)
			}
		case err := <-e.watcher.Errors:
			if !errors.Is(err, fsnotify.ErrEventOverflow) {
				e.report(fmt.Sprintf("watch %s: %v", e.directory.root, err))
			}
			e.scan(".") // events were lost
		case <-soon:
			soon = nil
			e.look(ctx)
		}
	}
}

func (e *editor) note(path string, event fsnotify.Event) {
	if hidden(path) {
		return
	}
	gone := event.Has(fsnotify.Remove) || event.Has(fsnotify.Rename)
	switch {
	case holdsObject(path) && gone:
		e.due[path] = time.Now().Add(missing)
	case holdsObject(path):
		e.due[path] = time.Now().Add(quiet)
	case gone:
		e.expectBelow(path, missing)
	case event.Has(fsnotify.Create):
		e.scan(path) // a directory, maybe with files already
	}
}

// scan watches a directory and its subdirectories, and schedules all files that exist or should exist there.
func (e *editor) scan(directory string) {
	e.expectBelow(directory, quiet)
	root := e.directory.root
	err := filepath.WalkDir(filepath.Join(root, directory), func(full string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // removed meanwhile
		}
		if err != nil {
			return err
		}
		path, err := filepath.Rel(root, full)
		if err != nil {
			return err
		}
		switch {
		case path != "." && hidden(path) && entry.IsDir():
			return filepath.SkipDir
		case entry.IsDir() && e.watcher != nil:
			if err := e.watcher.Add(full); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("watch %s: %w", full, err)
			}
		case entry.Type().IsRegular() && holdsObject(path):
			e.due[path] = time.Now().Add(quiet)
		}
		return nil
	})
	if err != nil {
		e.report(fmt.Sprintf("look for edits: %v", err))
	}
}

// expectBelow schedules the files of all objects below a directory.
func (e *editor) expectBelow(directory string, wait time.Duration) {
	d := e.directory
	d.mutex.Lock()
	defer d.mutex.Unlock()
	for path := range d.paths {
		if directory == "." || strings.HasPrefix(path, directory+string(filepath.Separator)) {
			e.due[path] = time.Now().Add(wait)
		}
	}
}

// look handles every path that is due: namespaces before their objects, removals last.
func (e *editor) look(ctx context.Context) {
	var ready []edit
	now := time.Now()
	for path, due := range e.due {
		if e.watcher != nil && due.After(now) {
			continue
		}
		delete(e.due, path)
		if edit, ok := e.read(path); ok {
			ready = append(ready, edit)
		}
	}
	accepted := false
	slices.SortFunc(ready, func(a, b edit) int { return cmp.Or(cmp.Compare(a.rank(), b.rank()), cmp.Compare(a.path, b.path)) })
	for _, edit := range ready {
		accepted = e.do(ctx, edit) || accepted
	}
	if accepted {
		for path := range e.refused {
			e.due[path] = now
		}
	}
}

// edit is a file whose content differs from the content that the server knows.
type edit struct {
	path    string
	content []byte
	file    string           // the digest, empty if the file was removed
	base    []byte           // what was edited, nil if the file is new
	stored  *mvccpb.KeyValue // the object, nil if the file is new
	// whole is whether the stored object has only defaults in addition to the file that was edited.
	whole bool
}

func (e edit) rank() int {
	switch {
	case e.file == "":
		return 2
	case strings.HasPrefix(e.path, filepath.Join(coreGroup, "namespaces")+string(filepath.Separator)):
		return 0
	default:
		return 1
	}
}

// read returns the edit of a file, if it was edited.
func (e *editor) read(path string) (edit, bool) {
	found, edited, err := e.directory.read(path)
	if err != nil {
		e.refuse(path, "", err.Error(), "make it readable")
		return edit{}, false
	}
	if !edited {
		delete(e.refused, path)
		if err := e.directory.restore(path); err != nil {
			e.report(fmt.Sprintf("%s: %v", path, err))
		}
	}
	return found, edited
}

// do sends an edit to the API, and reports whether it was accepted.
func (e *editor) do(ctx context.Context, edit edit) bool {
	if slices.ContainsFunc(e.directory.fileless, func(directory string) bool { return strings.HasPrefix(edit.path, directory+"/") }) {
		e.refuse(edit.path, edit.file, "the server stores objects of this resource encrypted, and not in files", "create the object with kubectl, and delete the file")
		return false
	}
	e.directory.asks(edit)
	err := e.request(ctx, edit)
	if err == nil { // also if ctx is done: an accepted edit is not sent again
		delete(e.refused, edit.path)
		if err := e.directory.settle(edit); err != nil {
			e.report(fmt.Sprintf("%s: the edit is accepted, but the file is not rewritten: %v", edit.path, err))
		}
		return true
	}
	e.directory.isAnswered()
	switch {
	case ctx.Err() != nil:
		return false
	case undecided(err):
		e.due[edit.path] = time.Now().Add(again)
		e.refuse(edit.path, edit.file, err.Error(), "the server tries again")
	case edit.file == "":
		e.refuse(edit.path, edit.file, err.Error(), "the server writes the file again, because the object still exists")
		if err := e.directory.settle(edit); err != nil {
			e.report(fmt.Sprintf("%s: %v", edit.path, err))
		}
	default:
		e.refuse(edit.path, edit.file, err.Error(), "the object is unchanged: correct the file, or restore it")
	}
	return false
}

// asks notes the edit whose request is in progress.
func (d *Directory) asks(edit edit) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	d.asked, d.answers = edit.path, 0
	if stored := d.paths[edit.path]; stored != nil && edit.stored != nil {
		if same, err := sameFile(edit.stored.GetValue(), stored.version.GetValue()); err != nil || !same {
			d.answers++ // the object has changed since the file was read
		}
	} else if stored != nil {
		d.answers++
	}
}

// isAnswered notes that no request of an edit is in progress.
func (d *Directory) isAnswered() {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	d.asked = ""
}

// refuse reports the problem of a file and its consequence, once.
func (e *editor) refuse(path, file, reason, consequence string) {
	said := refusal{file: file, reason: reason}
	if e.refused[path] == said {
		return
	}
	e.refused[path] = said
	e.report(fmt.Sprintf("%s: %s; %s", path, strings.ReplaceAll(reason, "\n", " "), consequence))
}
