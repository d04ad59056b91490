// SPDX-License-Identifier: Apache-2.0

// Package files is a storage for API servers that keeps every object in a file of one directory. Package memory serves the objects,
// with the features of etcd that k8s.io/apiserver needs. The files are read when the storage starts, and nobody else writes there.
//
// A file is one line of JSON with the key and the versions, and then the value. It is replaced atomically and synced before a write is
// acknowledged. So after a crash each object is as before or after its last write, and no revision is used twice. Keys with a
// lease, such as events, and old versions are in memory only: they are lost when the storage stops.
package files

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"go.etcd.io/etcd/api/v3/mvccpb"

	"goldsmith.dev/goldsmith/apiserver/storage/filelock"
	"goldsmith.dev/goldsmith/apiserver/storage/memory"
)

// ErrInUse means that another process (or another server of this process) uses the directory.
var ErrInUse = errors.New("the directory is in use by another process")

// The files of a directory. All others are those of objects.
const (
	lockFile = "lock"
	// revisionFile has a revision that no used one exceeds.
	revisionFile = "revision"
	// newFile is being written.
	newFile = "new"

	extension = ".object"
	// maxName is the longest name of a file, in bytes.
	maxName = 255
	// reservation is how many revisions are reserved at once.
	reservation = 1000
)

// Option adjusts a directory.
type Option func(*Directory)

// WithCompactionInterval sets the minimum time for which old versions are kept while the server runs, 5 minutes by default. A
// client that resumes from an older resourceVersion, or from before a restart, gets 410 Gone.
func WithCompactionInterval(interval time.Duration) Option {
	return func(d *Directory) { d.options = append(d.options, memory.WithCompactionInterval(interval)) }
}

// Directory is a directory of objects that is in use.
type Directory struct {
	path      string
	options   []memory.Option
	lock      *filelock.Lock
	directory *os.File
	memory    *memory.Server
	reserved  int64 // what revisionFile has
	broken    error // why nothing can be stored any more
}

// header is the first line of an object's file.
type header struct {
	Key      string `json:"key"`
	Created  int64  `json:"createRevision"`
	Revision int64  `json:"modRevision"`
	Version  int64  `json:"version"`
	Sum      uint32 `json:"crc32"` // of the header without it, and the value
}

func (h header) sum(value []byte) (uint32, error) {
	h.Sum = 0
	line, err := json.Marshal(h)
	return crc32.Update(crc32.ChecksumIEEE(line), crc32.IEEETable, value), err
}

// Start takes a directory, which it creates if necessary, and serves its objects. If the directory is in use, is damaged, or has
// files of others, Start fails.
func Start(path string, options ...Option) (_ *Directory, err error) {
	if err := create(path); err != nil {
		return nil, fmt.Errorf("create directory %s: %w", path, err)
	}
	d := &Directory{path: path}
	for _, option := range options {
		option(d)
	}
	d.lock, err = filelock.Take(d.join(lockFile))
	if errors.Is(err, filelock.ErrHeld) {
		err = ErrInUse
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	// It stays open: a process with too many open files can still sync it.
	if d.directory, err = os.Open(path); err != nil {
		return nil, errors.Join(err, d.lock.Close())
	}
	content, err := d.load()
	if err != nil {
		return nil, errors.Join(err, d.directory.Close(), d.lock.Close())
	}
	d.memory = memory.Start(append(d.options, memory.WithJournal(d, content))...)
	return d, nil
}

// Server is the storage to connect to.
func (d *Directory) Server() *memory.Server { return d.memory }

// Stop ends all requests and releases the directory. It is called once.
func (d *Directory) Stop() error {
	d.memory.Stop()
	err := d.broken
	if err == nil {
		err = d.setRevision(d.memory.Revision()) // gives back what was reserved
	}
	return errors.Join(err, d.directory.Close(), d.lock.Close())
}

func (d *Directory) join(name string) string { return filepath.Join(d.path, name) }

// load reads all files.
func (d *Directory) load() (memory.Content, error) {
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return memory.Content{}, fmt.Errorf("read the objects: %w", err)
	}
	var content memory.Content
	for _, entry := range entries {
		switch name := entry.Name(); {
		case name == lockFile, name == newFile:
		case name == revisionFile:
			text, err := os.ReadFile(d.join(name))
			if err == nil {
				d.reserved, err = strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
			}
			if err != nil {
				return memory.Content{}, d.damage(name, err)
			}
		case strings.HasSuffix(name, extension) && entry.Type().IsRegular():
			object, err := d.read(name)
			if err != nil {
				return memory.Content{}, d.damage(name, err)
			}
			content.Keys = append(content.Keys, object)
		default:
			return memory.Content{}, fmt.Errorf("%s is not of this storage: use a directory in which nobody else writes", d.join(name))
		}
	}
	for _, object := range content.Keys {
		if object.GetModRevision() > d.reserved {
			return memory.Content{}, d.damage(revisionFile, fmt.Errorf("it is missing or older than %s", nameOf(object.GetKey())))
		}
	}
	content.Revision = d.reserved
	return content, nil
}

func (d *Directory) damage(name string, err error) error {
	return fmt.Errorf("%s is damaged: %w: restore the directory from a backup", d.join(name), err)
}

// read reads an object's file.
func (d *Directory) read(name string) (*mvccpb.KeyValue, error) {
	text, err := os.ReadFile(d.join(name))
	if err != nil {
		return nil, err
	}
	line, value, ok := bytes.Cut(text, []byte("\n"))
	if !ok {
		return nil, errors.New("its end is missing")
	}
	var h header
	if err := json.Unmarshal(line, &h); err != nil {
		return nil, err
	}
	if nameOf([]byte(h.Key)) != name {
		return nil, errors.New("its name is not that of its key")
	}
	if sum, err := h.sum(value); err != nil || sum != h.Sum {
		return nil, errors.New("its checksum is wrong")
	}
	return &mvccpb.KeyValue{Key: []byte(h.Key), Value: value, CreateRevision: h.Created, ModRevision: h.Revision, Version: h.Version}, nil
}

// nameOf returns the name of the file of a key. A name that is too long is cut, and ends with the digest of the key.
func nameOf(key []byte) string {
	name := url.PathEscape(string(key))
	if len(name)+len(extension) > maxName {
		sum := fmt.Sprintf("~%x", sha256.Sum256(key))
		name = name[:maxName-len(extension)-len(sum)] + sum
	}
	return name + extension
}

// Commit stores changes for the memory storage. It refuses a transaction that changes several files, because a crash could divide it:
// k8s.io/apiserver has none.
func (d *Directory) Commit(revision int64, changes []*mvccpb.KeyValue) error {
	if d.broken != nil {
		return d.broken
	}
	if revision > d.reserved {
		if err := d.setRevision(revision + reservation); err != nil {
			return err
		}
	}
	var stored *mvccpb.KeyValue
	for _, change := range changes {
		if change.GetVersion() == 0 || change.GetLease() != 0 {
			if _, err := os.Lstat(d.join(nameOf(change.GetKey()))); errors.Is(err, fs.ErrNotExist) {
				continue // it is in memory only
			}
		}
		if stored != nil {
			return fmt.Errorf("store %s and %s: several objects cannot be stored in one transaction", stored.GetKey(), change.GetKey())
		}
		stored = change
	}
	switch {
	case stored == nil:
		return nil
	case stored.GetVersion() == 0 || stored.GetLease() != 0:
		return d.change(func() error { return os.Remove(d.join(nameOf(stored.GetKey()))) })
	}
	if !utf8.Valid(stored.GetKey()) {
		return fmt.Errorf("store %q: the key is not UTF-8", stored.GetKey())
	}
	h := header{Key: string(stored.GetKey()), Created: stored.GetCreateRevision(), Revision: stored.GetModRevision(), Version: stored.GetVersion()}
	var err error
	if h.Sum, err = h.sum(stored.GetValue()); err != nil {
		return err
	}
	line, err := json.Marshal(h)
	if err != nil {
		return err
	}
	return d.write(nameOf(stored.GetKey()), append(append(line, '\n'), stored.GetValue()...))
}

func (d *Directory) setRevision(revision int64) error {
	if err := d.write(revisionFile, []byte(strconv.FormatInt(revision, 10)+"\n")); err != nil {
		return err
	}
	d.reserved = revision
	return nil
}

// write replaces a file atomically. After a failure to write the new file, the old one is as it was.
func (d *Directory) write(name string, content []byte) error {
	file, err := os.OpenFile(d.join(newFile), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	return d.change(func() error { return os.Rename(d.join(newFile), d.join(name)) })
}

// change changes the directory, and syncs it. After a failure of the sync nobody knows which content the next start will read, so
// nothing is stored any more.
func (d *Directory) change(do func() error) error {
	if err := do(); err != nil {
		return err
	}
	if err := d.directory.Sync(); err != nil {
		d.broken = fmt.Errorf("sync %s: %w: the server stores nothing until you restart it", d.path, err)
	}
	return d.broken
}

// create creates a directory if it does not exist, and syncs its parent.
func create(path string) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return err
	}
	parent, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(parent.Sync(), parent.Close())
}
