// SPDX-License-Identifier: Apache-2.0

package artifacts

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/opencontainers/go-digest"
	ociv1 "github.com/opencontainers/image-spec/specs-go/v1"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/jobs/result"
)

// ingestDir is the directory of files that are not yet blobs. It is in the store, so that a rename makes them blobs.
const ingestDir = "ingest"

// blobMode is the mode of contents: nobody writes to them.
const blobMode = 0o444

// Options configure a Store.
type Options struct {
	// Volatile is for a store that is deleted when the process ends: its files are not flushed to the disk.
	Volatile bool
	// Clock measures how long a file may still be open for writing. Default: the real clock.
	Clock clock.Clock
}

// Store is an OCI image layout. Only one process at a time may use its directory. A Store is safe for concurrent use.
type Store struct {
	dir     string
	clock   clock.Clock
	sync    func(*os.File) error
	rename  func(from, to string) error
	readers chan struct{} // has a token for each file that is being read
	// makeRoom makes room for so many bytes on a full disk. Optional.
	makeRoom func(bytes int64) (freed int64, err error)

	mu      sync.Mutex     // held while blobs appear or disappear, and while the index changes
	records []record       // the oldest first
	taken   map[string]int // how often each content was taken and not released
	usage   int64
}

// Open opens the store in a directory, and creates it if it does not exist. It removes what a crash left half done.
func Open(dir string, o Options) (*Store, error) {
	s := &Store{
		dir: dir, clock: o.Clock, rename: os.Rename, sync: (*os.File).Sync,
		readers: make(chan struct{}, runtime.GOMAXPROCS(0)), taken: map[string]int{},
	}
	if o.Volatile {
		s.sync = func(*os.File) error { return nil }
	}
	if s.clock == nil {
		s.clock = clock.RealClock{}
	}
	if err := s.open(); err != nil {
		return nil, fmt.Errorf("open artifact store %s: %w", dir, err)
	}
	return s, nil
}

func (s *Store) open() error {
	if err := os.RemoveAll(s.join(ingestDir)); err != nil {
		return err
	}
	for _, dir := range []string{s.blobs(), s.join(ingestDir)} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	if err := s.readLayout(); err != nil {
		return err
	}
	if err := s.readIndex(); err != nil {
		return err
	}
	entries, err := os.ReadDir(s.blobs())
	for _, entry := range entries {
		s.usage += allocated(entry.Info())
	}
	return err
}

// readLayout checks the file that marks an image layout. Without that file it creates the store, the mark last.
func (s *Store) readLayout() error {
	content, err := os.ReadFile(s.join(ociv1.ImageLayoutFile))
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Lstat(s.join(ociv1.ImageIndexFile)); errors.Is(err, fs.ErrNotExist) {
			if err := s.writeIndex(nil); err != nil {
				return err
			}
		}
		return s.writeJSON(ociv1.ImageLayoutFile, ociv1.ImageLayout{Version: ociv1.ImageLayoutVersion})
	}
	if err != nil {
		return err
	}
	var layout ociv1.ImageLayout
	if err := json.Unmarshal(content, &layout); err != nil {
		return fmt.Errorf("read %s: %w", ociv1.ImageLayoutFile, err)
	}
	if layout.Version != ociv1.ImageLayoutVersion {
		return fmt.Errorf("%s has version %q, want %s", ociv1.ImageLayoutFile, layout.Version, ociv1.ImageLayoutVersion)
	}
	return nil
}

// OpenBlob opens the content with a digest for reading. It returns fs.ErrNotExist if the store does not have the content. The file
// can be read to its end even if the store removes the content meanwhile.
func (s *Store) OpenBlob(digest string) (*os.File, error) {
	if !result.ValidDigest(digest) {
		return nil, fmt.Errorf("open blob %q: %w", digest, fs.ErrNotExist)
	}
	blob, err := os.Open(s.blob(digest))
	if errors.Is(err, fs.ErrPermission) { // a builder can change the mode of files of its user, but not write to these
		if err := os.Chmod(s.blob(digest), blobMode); err != nil {
			return nil, err
		}
		blob, err = os.Open(s.blob(digest))
	}
	return blob, err
}

// Has reports whether the store has the content with a digest.
func (s *Store) Has(digest string) bool {
	if !result.ValidDigest(digest) {
		return false
	}
	info, err := os.Lstat(s.blob(digest))
	return err == nil && info.Mode().IsRegular()
}

// Complete reports whether the store has the content and the documents of an artifact, as far as its builder gave them to the store.
func (s *Store) Complete(entry Entry) bool {
	contents := []Content{entry.Artifact.Content}
	for _, document := range entry.Artifact.Documents {
		contents = append(contents, document.Content)
	}
	return !slices.ContainsFunc(contents, func(c Content) bool { return c != Content{} && !s.Has(c.Digest) })
}

// Usage returns how many bytes the contents occupy on the disk: fewer than their sizes if they have holes.
func (s *Store) Usage() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.usage
}

func (s *Store) join(name string) string { return filepath.Join(s.dir, name) }

func (s *Store) blobs() string {
	return filepath.Join(s.dir, ociv1.ImageBlobsDir, digest.SHA256.String())
}

// blob returns the path of a content with a valid digest.
func (s *Store) blob(contentDigest string) string {
	return filepath.Join(s.blobs(), strings.TrimPrefix(contentDigest, digest.SHA256.String()+":"))
}

// ingest returns a new path for a file that is to become a blob.
func (s *Store) ingest() string { return filepath.Join(s.dir, ingestDir, rand.Text()) }

// adopt makes a complete file of ingestDir the content with a digest. It replaces the content if the store has it, which may be damaged
// unnoticed. It requires s.mu.
func (s *Store) adopt(path string, content Content) error {
	target := s.blob(content.Digest)
	used := allocated(os.Lstat(path)) - allocated(os.Lstat(target))
	if err := s.rename(path, target); err != nil {
		return err
	}
	s.usage += used
	return nil
}

// has reports whether the store has a content, whole.
func (s *Store) has(content Content) bool {
	info, err := os.Lstat(s.blob(content.Digest))
	return err == nil && info.Mode().IsRegular() && info.Size() == content.SizeBytes
}

// allocated returns how many bytes a file occupies on its disk, or 0 if the error is set.
func allocated(info fs.FileInfo, err error) int64 {
	if err != nil {
		return 0
	}
	const blockSize = 512 // the unit of stat(2), on every file system
	stat, _ := info.Sys().(*syscall.Stat_t)
	return stat.Blocks * blockSize
}

// writeJSON replaces a file of the store. After a crash the file is the old one or the new one.
func (s *Store) writeJSON(name string, value any) error {
	content, err := json.Marshal(value)
	if err != nil {
		return err
	}
	path := s.ingest()
	if err := s.writeFile(path, 0o600, whole(content)); err != nil {
		return err
	}
	if err := s.rename(path, s.join(name)); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return s.syncDir(s.dir)
}

// whole writes a content.
func whole(content []byte) func(io.Writer) error {
	return func(file io.Writer) error {
		_, err := file.Write(content)
		return err
	}
}

// writeFile writes a new file, or nothing.
func (s *Store) writeFile(path string, mode fs.FileMode, write func(io.Writer) error) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	err = write(file)
	if err == nil {
		err = s.sync(file)
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

// syncDir makes the names in a directory durable.
func (s *Store) syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(s.sync(dir), dir.Close())
}
