// SPDX-License-Identifier: Apache-2.0

// Package files is a storage for API servers whose objects are files that people can read, edit and put under version
// control: one YAML file per object, <group or "core">/<resource>/[<namespace>/]<name>.yaml.
//
// Package memory serves the objects, with the features of etcd that k8s.io/apiserver needs. A write is first appended to a
// journal, in the hidden directory .goldsmith-storage, and synced. It is acknowledged once its file is written, too. The
// journal has the data that the files lack: revisions, metadata that the server sets, the status, and each object as it was
// last stored, to which edits from outside are compared.
//
// An edit from outside is a file that is changed, created or removed, whether the server runs or not. It becomes a request to
// the API, with validation, admission and deletion semantics: see Directory.Attach. Until the edit is accepted, the server
// never overwrites the file, and the API shows the object without the edit.
//
// Objects with a time to live, such as events, stay in memory, and so do keys that are not of objects. Encrypted objects are in
// the journal only, and have no file.
package files

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"

	"goldsmith.dev/goldsmith/apiserver/storage/filelock"
	"goldsmith.dev/goldsmith/apiserver/storage/memory"
)

const (
	// StateDirectory is the server's hidden directory inside the directory of objects. It should not be under version control.
	// Without it, the objects are created again from their files, with new UIDs and without a status.
	StateDirectory = ".goldsmith-storage"

	// reservation is how many revisions are reserved at once for changes that are not in the journal.
	reservation = 1000
	// slack is the minimum number of obsolete records before a journal is rewritten.
	slack = 250
)

// Option adjusts a directory.
type Option func(*Directory)

// WithCompactionInterval sets the minimum time for which old versions are kept while the server runs, 5 minutes by default. A
// client that resumes from an older resourceVersion, or from before a restart, gets 410 Gone.
func WithCompactionInterval(interval time.Duration) Option {
	return func(d *Directory) { d.options = append(d.options, memory.WithCompactionInterval(interval)) }
}

// WithoutFiles refuses files below these directories of the tree, such as "core/secrets", whose objects are encrypted. The server
// reports such a file, and does nothing with it.
func WithoutFiles(directories ...string) Option {
	return func(d *Directory) { d.fileless = append(d.fileless, directories...) }
}

// WithIgnored makes version control ignore the files below these directories of the tree, such as "core/pods". An existing
// .gitignore is not changed.
func WithIgnored(directories ...string) Option {
	return func(d *Directory) { d.ignored = append(d.ignored, directories...) }
}

// Directory is a directory of objects that is in use.
type Directory struct {
	root    string
	options []memory.Option
	ignored []string // directories
	// fileless are the directories of objects that have no files.
	fileless []string
	lock     *os.File
	memory   *memory.Server

	// mutex guards everything below, and the files against other writers of this process.
	mutex    sync.Mutex
	journal  *journal
	records  int      // in the journal
	owed     []record // the records that must precede any other record
	asked    string   // the path of the edit whose request is in progress
	answers  int      // how often a change that its file shows was stored meanwhile
	reserved int64    // the highest revision that may be in use
	closed   int64    // the last revision, if the directory was closed cleanly
	last     int64    // the revision of the last stored object
	objects  map[string]*object
	paths    map[string]*object
	report   func(string)
}

// object is a stored object with its file.
type object struct {
	path    string
	version *mvccpb.KeyValue // nil once it is deleted
	// file is the digest of the file as the server knows it, empty for no file. A file with any other content was edited, and is not
	// overwritten.
	file string
	// base is the value that the file was written from, if that is no longer the stored one.
	base []byte
	// partial is whether the file is as a user wrote it, without the stored defaults. base is then the content of the file.
	partial bool
	// before is the content of the file before the last write or deletion, which a crash may have interrupted.
	before string
}

// Start takes a directory, which it creates if necessary, and serves its objects. If the directory is in use, Start fails
// without waiting.
func Start(root string, options ...Option) (_ *Directory, err error) {
	if err := os.MkdirAll(root, 0o700); err != nil {
		return nil, fmt.Errorf("create directory %s: %w", root, err)
	}
	if root, err = filepath.EvalSymlinks(root); err == nil {
		root, err = filepath.Abs(root)
	}
	if err != nil {
		return nil, fmt.Errorf("find the directory: %w", err)
	}
	d := &Directory{
		root: root, objects: map[string]*object{}, paths: map[string]*object{}, report: func(string) {},
	}
	for _, option := range options {
		option(d)
	}
	state := filepath.Join(root, StateDirectory)
	if err := makeDirectory(root, StateDirectory); err != nil {
		return nil, err
	}
	if err := os.Chmod(state, 0o700); err != nil {
		return nil, fmt.Errorf("restrict %s to this user: %w", state, err)
	}
	d.lock, err = filelock.Take(filepath.Join(state, "lock"))
	if errors.Is(err, filelock.ErrHeld) {
		err = ErrInUse
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", root, err)
	}
	if err := d.load(state); err != nil {
		return nil, errors.Join(err, d.release())
	}
	d.memory = memory.Start(append(d.options, memory.WithJournal(d, d.content()))...)
	return d, nil
}

// load reads the journal, and finishes writes that a crash interrupted.
func (d *Directory) load(state string) (err error) {
	if err := os.WriteFile(filepath.Join(state, ".gitignore"), []byte("*\n"), 0o600); err != nil {
		return fmt.Errorf("keep the state out of version control: %w", err)
	}
	if d.journal, err = openJournal(filepath.Join(state, "journal"), d.replay); err != nil {
		return err
	}
	if err := d.ignore(); err != nil {
		return err
	}
	interrupted := d.closed == 0
	if !interrupted {
		d.reserved = d.closed
	}
	if err := d.sweep(); err != nil {
		return err
	}
	for _, object := range d.objects {
		if err := d.finish(object, interrupted && object.version.GetModRevision() == d.last); err != nil {
			return err
		}
	}
	return d.tidy()
}

// ignore writes .gitignore files, unless they exist.
func (d *Directory) ignore() error {
	if len(d.ignored) == 0 {
		return nil
	}
	var lines strings.Builder
	for _, directory := range d.ignored {
		fmt.Fprintf(&lines, "/%s/\n", directory)
	}
	file, err := os.OpenFile(filepath.Join(d.root, ".gitignore"), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644) //nolint:gosec // as any file that is committed
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("keep objects out of version control: %w", err)
	}
	_, err = file.WriteString(lines.String())
	if err := errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("keep objects out of version control: %w", err)
	}
	return nil
}

// replay applies a record of the journal.
func (d *Directory) replay(r record) {
	d.records++
	d.closed = r.Closed
	d.reserved = max(d.reserved, r.Reserved, r.Revision, r.Closed)
	if r.Key == "" {
		d.last = 0 // writes are serialized, so the write before is complete
		return
	}
	stored := d.objects[r.Key]
	if stored == nil {
		stored = &object{}
		d.objects[r.Key] = stored
	}
	if r.Revision == 0 {
		stored.file, stored.before, stored.base, stored.partial = r.File, r.File, nil, r.Partial
		if r.Value != "" {
			stored.base = []byte(r.Value)
		}
		return
	}
	d.last = r.Revision
	stored.before = stored.file
	switch {
	case r.Sealed != nil: // it has no file
	case stored.partial && r.File == stored.file: // the change is not visible in the file
	case r.File != "" || r.Deleted:
		stored.file, stored.base, stored.partial = r.File, nil, false
	case stored.base == nil && stored.version.GetVersion() != 0:
		stored.base = stored.version.GetValue() // the file was being edited, and was not changed
	default:
		stored.partial = false // so was this one
	}
	stored.version = &mvccpb.KeyValue{
		Key: []byte(r.Key), Value: []byte(r.Value), ModRevision: r.Revision, CreateRevision: r.Created, Version: r.Version,
	}
	if r.Sealed != nil {
		stored.version.Value = r.Sealed
	}
	if place, ok := placeOf(stored.version); ok {
		stored.path = place.path()
		d.paths[stored.path] = stored
	}
	if r.Deleted {
		stored.version.Version = 0
	}
}

// content is the initial content of the memory storage. After a crash, some used revisions may be missing in the records.
func (d *Directory) content() memory.Content {
	content := memory.Content{Revision: d.reserved}
	for _, object := range d.objects {
		content.Keys = append(content.Keys, object.version)
	}
	return content
}

// Server is the storage to connect to.
func (d *Directory) Server() *memory.Server { return d.memory }

// Stop ends all requests and releases the directory. It is called once.
func (d *Directory) Stop() error {
	d.memory.Stop()
	d.mutex.Lock()
	defer d.mutex.Unlock()
	return errors.Join(d.journal.append(append(d.owed, record{Closed: d.memory.Revision()})...), d.release())
}

func (d *Directory) release() error {
	var failures []error
	if d.journal != nil {
		failures = append(failures, d.journal.file.Close())
	}
	return errors.Join(append(failures, d.lock.Close())...)
}
