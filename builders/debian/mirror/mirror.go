// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// unfinished is the folder of the files that are being fetched. No host has such a name.
	unfinished = ".unfinished"
	// statisticsPath is the path of Statistics as JSON. No file of an archive has such a path.
	statisticsPath = "/statistics"
	// stalled is the time without a byte after which a download has failed.
	stalled = time.Minute
)

// Options of a mirror.
type Options struct {
	// Directory has the files, by host and path. It is created if it does not exist. Only one mirror that fetches can use it.
	Directory string
	// Offline means that nothing is fetched, and nothing is written. A file that is not kept is then answered with 404.
	Offline bool
	// Allow are the hosts from which files are fetched, in lower case, each with its port if that is not 80. If it is empty, every host is
	// allowed, unless it has a port or its address is not public.
	Allow []string
	// Log gets a line for each file that was fetched or is missing. Required.
	Log *log.Logger

	stalled time.Duration // of tests
}

// Statistics are what a mirror has done since it was opened.
type Statistics struct {
	// Hits are the answers with a file that was kept before the request.
	Hits int64 `json:"hits"`
	// Misses are the requests for files that were not kept.
	Misses int64 `json:"misses"`
	// Bytes are the bytes of files that were sent to clients.
	Bytes int64 `json:"bytes"`
	// FetchedBytes are the bytes of files that were fetched and kept.
	FetchedBytes int64 `json:"fetchedBytes"`
}

// A Mirror is a handler that answers with kept files, and fetches those that are not kept.
type Mirror struct {
	options Options
	root    *os.Root
	lock    *os.File // nil if it is offline
	client  *http.Client
	context context.Context // of the downloads, which outlive the requests
	cancel  context.CancelFunc
	running sync.WaitGroup

	mutex      sync.Mutex
	downloads  map[file]*download
	statistics Statistics
}

// Open opens the directory of a mirror. The caller closes the mirror.
func Open(options Options) (_ *Mirror, err error) {
	if !options.Offline {
		if err := os.MkdirAll(options.Directory, 0o755); err != nil { //nolint:gosec // other users may serve it
			return nil, fmt.Errorf("create the directory of the mirror: %w", err)
		}
	}
	root, err := os.OpenRoot(options.Directory)
	if err != nil {
		return nil, fmt.Errorf("open the directory of the mirror: %w", err)
	}
	if options.stalled == 0 {
		options.stalled = stalled
	}
	m := &Mirror{options: options, root: root, downloads: map[file]*download{}}
	m.context, m.cancel = context.WithCancel(context.Background())
	m.client = &http.Client{CheckRedirect: m.redirect, Transport: m.transport()}
	if options.Offline {
		return m, nil
	}
	if err := m.own(); err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return m, nil
}

func (m *Mirror) transport() *http.Transport {
	dialer := &net.Dialer{Timeout: 10 * time.Second}
	if len(m.options.Allow) == 0 {
		dialer.Control = func(_, address string, _ syscall.RawConn) error { return public(address) }
	}
	return &http.Transport{
		DialContext:           dialer.DialContext,
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: m.options.stalled,
		MaxIdleConnsPerHost:   8,
		IdleConnTimeout:       30 * time.Second,
		DisableCompression:    true, // the bytes are kept as the archive has them
		ForceAttemptHTTP2:     true,
	}
}

// own locks the directory, and removes what an earlier mirror has not finished.
func (m *Mirror) own() error {
	lock, err := m.root.OpenFile(".lock", os.O_CREATE|os.O_RDWR|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return fmt.Errorf("lock the directory of the mirror: %w", err)
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		if errors.Is(err, unix.EWOULDBLOCK) {
			err = errors.New("another mirror fetches into it: stop that one, or start this one with --offline")
		}
		return errors.Join(fmt.Errorf("lock %s: %w", m.options.Directory, err), lock.Close())
	}
	m.lock = lock
	if err := m.root.RemoveAll(unfinished); err != nil {
		return errors.Join(fmt.Errorf("remove unfinished files: %w", err), lock.Close())
	}
	return nil
}

// Close cancels the downloads, and closes the directory. Later requests fail.
func (m *Mirror) Close() error {
	m.mutex.Lock()
	m.cancel() // so that no download begins any more
	m.mutex.Unlock()
	m.running.Wait()
	m.client.CloseIdleConnections()
	errs := []error{m.root.Close()}
	if m.lock != nil {
		errs = append(errs, m.lock.Close())
	}
	return errors.Join(errs...)
}

// Statistics returns what the mirror has done.
func (m *Mirror) Statistics() Statistics {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return m.statistics
}

func (m *Mirror) count(add func(*Statistics)) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	add(&m.statistics)
}

// ServeHTTP answers with a file of an archive, or with the statistics.
func (m *Mirror) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Host == "" && r.URL.Path == statisticsPath {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(m.Statistics())
		return
	}
	wanted, err := requested(r)
	if err == nil {
		err = m.serve(&counted{ResponseWriter: w, mirror: m}, r, wanted)
	}
	if err != nil {
		http.Error(w, err.Error(), statusOf(err))
	}
}

// serve answers with a file. The error is why nothing of it was sent.
func (m *Mirror) serve(w *counted, r *http.Request, wanted file) error {
	kept, err := m.open(wanted)
	if err != nil {
		return err
	}
	if kept != nil {
		defer func() { _ = kept.Close() }()
		m.count(func(s *Statistics) { s.Hits++ })
		return serveKept(w, r, kept)
	}
	m.count(func(s *Statistics) { s.Misses++ })
	if m.options.Offline {
		m.options.Log.Printf("missing: %s", wanted)
		return refuse(http.StatusNotFound, "%s is not kept, and the mirror is offline", wanted)
	}
	if err := m.allow(wanted.host); err != nil {
		return err
	}
	fetched := m.fetch(wanted)
	defer fetched.leave()
	return fetched.serve(w, r)
}

// open opens a kept file. It returns nil if the file is not kept.
func (m *Mirror) open(wanted file) (*os.File, error) {
	kept, err := m.root.Open(filepath.FromSlash(wanted.name()))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ENAMETOOLONG) {
		return nil, refuse(http.StatusNotFound, "%s cannot be a file", wanted)
	}
	if err != nil {
		return nil, refuse(http.StatusInternalServerError, "open a kept file: %v", err)
	}
	if info, err := kept.Stat(); err != nil || !info.Mode().IsRegular() {
		_ = kept.Close()
		return nil, refuse(http.StatusNotFound, "%s is not a file", wanted)
	}
	return kept, nil
}

func serveKept(w http.ResponseWriter, r *http.Request, kept *os.File) error {
	info, err := kept.Stat()
	if err != nil {
		return refuse(http.StatusInternalServerError, "read a kept file: %v", err)
	}
	w.Header().Set("Content-Type", contentType)
	http.ServeContent(w, r, "", info.ModTime(), kept)
	return nil
}

// contentType is that of all files: APT goes by their names.
const contentType = "application/octet-stream"

// counted counts the bytes of an answer.
type counted struct {
	http.ResponseWriter
	mirror *Mirror
}

func (c *counted) Write(content []byte) (int, error) {
	n, err := c.ResponseWriter.Write(content)
	c.mirror.count(func(s *Statistics) { s.Bytes += int64(n) })
	return n, err
}

// Unwrap is for http.ResponseController.
func (c *counted) Unwrap() http.ResponseWriter { return c.ResponseWriter }
