// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// download is a file that is being fetched. All requests for the file read it from its temporary file as it grows. The last byte is handed
// out once the file is kept, so no client gets a whole file that is not kept.
type download struct {
	wanted file

	mutex     sync.Mutex
	changed   *sync.Cond
	users     int      // of temporary, which the last one closes
	temporary *os.File // nil before the archive has answered
	size      int64    // -1: the archive does not tell
	written   int64
	ended     bool
	err       error // why it is not kept, if it has ended
}

// fetch returns the download of a file. Requests at the same time have one download. The caller calls leave.
func (m *Mirror) fetch(wanted file) *download {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	d := m.downloads[wanted]
	if d == nil {
		d = &download{wanted: wanted, size: -1, users: 1}
		d.changed = sync.NewCond(&d.mutex)
		if m.context.Err() != nil {
			d.ended, d.err = true, refuse(http.StatusServiceUnavailable, "the mirror is being stopped")
			return d
		}
		m.downloads[wanted] = d
		m.running.Go(func() { m.run(d) })
	}
	d.mutex.Lock()
	defer d.mutex.Unlock()
	d.users++
	return d
}

func (d *download) leave() {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	if d.users--; d.users == 0 && d.temporary != nil {
		_ = d.temporary.Close() // its content is on disk
	}
}

func (m *Mirror) run(d *download) {
	defer d.leave()
	err := m.receive(d)
	if err != nil {
		m.options.Log.Printf("not fetched: %v", err)
	}
	m.mutex.Lock()
	delete(m.downloads, d.wanted) // the file is kept now, so that the next request finds it
	m.mutex.Unlock()
	d.change(func() { d.ended, d.err = true, err })
}

func (d *download) change(change func()) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	change()
	d.changed.Broadcast()
}

// receive fetches a file and keeps it, unless it is kept: another download may have ended since the request has looked.
func (m *Mirror) receive(d *download) error {
	kept, err := m.open(d.wanted)
	if err != nil {
		return err
	}
	if kept != nil {
		return d.is(kept)
	}
	expected, err := m.expected(d.wanted)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(m.context)
	defer cancel(nil)
	watchdog := time.AfterFunc(m.options.stalled, func() { cancel(fmt.Errorf("no byte in %s", m.options.stalled)) })
	defer watchdog.Stop()
	err = m.transfer(ctx, d, expected, func() { watchdog.Reset(m.options.stalled) })
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = fmt.Errorf("%w: %w", err, cause)
	}
	if err != nil {
		return fmt.Errorf("fetch %s: %w", d.wanted, err)
	}
	return nil
}

// is makes a kept file that of the download.
func (d *download) is(kept *os.File) error {
	info, err := kept.Stat()
	if err != nil {
		return errors.Join(err, kept.Close())
	}
	d.change(func() { d.temporary, d.size, d.written = kept, info.Size(), info.Size() })
	return nil
}

// transfer asks the archive for the file, and keeps it if it is complete and what is expected.
func (m *Mirror) transfer(ctx context.Context, d *download, expected expectation, alive func()) error {
	began := time.Now()
	response, err := m.get(ctx, d.wanted)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if err := m.root.MkdirAll(unfinished, 0o755); err != nil {
		return err
	}
	name := path.Join(unfinished, fmt.Sprintf("%x", sha256.Sum256([]byte(d.wanted.name())))) // of which there is one download
	temporary, err := m.root.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_RDWR|unix.O_NOFOLLOW, 0o644)
	if err != nil {
		return err
	}
	d.change(func() { d.temporary, d.size = temporary, response.ContentLength })
	sum := sha256.New()
	if _, err := io.Copy(&growing{d, sum, alive}, response.Body); err != nil {
		return errors.Join(err, m.root.Remove(name))
	}
	if err := m.keep(d, name, response, fmt.Sprintf("%x", sum.Sum(nil)), expected); err != nil {
		return errors.Join(err, m.root.Remove(name))
	}
	m.options.Log.Printf("fetched %s: %d bytes in %s", d.wanted, d.written, time.Since(began).Round(time.Millisecond))
	m.count(func(s *Statistics) { s.FetchedBytes += d.written })
	return nil
}

// get asks an archive for a file.
func (m *Mirror) get(ctx context.Context, wanted file) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, wanted.String(), nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("User-Agent", "goldsmith-mirror")
	response, err := m.client.Do(request)
	if err != nil {
		if at, ok := errors.AsType[*url.Error](err); ok {
			err = at.Err // the caller names the address
		}
		return nil, err
	}
	if err := acceptable(response); err != nil {
		return nil, errors.Join(err, response.Body.Close())
	}
	return response, nil
}

// acceptable refuses answers that are not the whole file.
func acceptable(response *http.Response) error {
	mediaType, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type"))
	switch {
	case response.StatusCode >= http.StatusBadRequest:
		return refuse(response.StatusCode, "the archive answers %s", response.Status)
	case response.StatusCode != http.StatusOK:
		return fmt.Errorf("the archive answers %s", response.Status)
	case mediaType == "text/html":
		return errors.New("the archive answers with a page: does the network require a login?")
	case response.ContentLength < 0 && len(response.TransferEncoding) == 0 && response.ProtoMajor < 2:
		return errors.New("the archive does not tell the length, so that a broken connection looks like the end")
	}
	return nil
}

// keep moves a complete file to its place.
func (m *Mirror) keep(d *download, name string, response *http.Response, sum string, expected expectation) error {
	head := make([]byte, len(signed))
	n, err := d.temporary.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if err := expected.check(sum, head[:n]); err != nil {
		return err
	}
	if err := d.temporary.Sync(); err != nil { // otherwise it can be empty after a power failure
		return err
	}
	if modified, err := http.ParseTime(response.Header.Get("Last-Modified")); err == nil {
		if err := m.root.Chtimes(name, modified, modified); err != nil {
			return err
		}
	}
	place := d.wanted.name()
	if err := m.root.MkdirAll(path.Dir(place), 0o755); err != nil {
		return err
	}
	return m.root.Rename(name, place)
}

// growing is the temporary file of a download.
type growing struct {
	*download
	sum   hash.Hash
	alive func()
}

func (g *growing) Write(content []byte) (int, error) {
	g.alive()
	n, err := g.temporary.Write(content)
	g.sum.Write(content[:n])
	g.change(func() { g.written += int64(n) })
	return n, err
}

// begun waits until the archive has answered, or the download has failed.
func (d *download) begun() (size int64, err error) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	for d.temporary == nil && !d.ended {
		d.changed.Wait()
	}
	if d.temporary == nil {
		return 0, d.err
	}
	return d.size, nil
}

// more waits until there is more than offset bytes to hand out. It returns how many there are, and whether these are all.
func (d *download) more(offset int64) (available int64, all bool, err error) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	for !d.ended && d.written-1 <= offset {
		d.changed.Wait()
	}
	if d.ended {
		return d.written, true, d.err
	}
	return d.written - 1, false, nil
}

// promised returns how much of the file has to be there before the answer begins. What describes a suite is answered once it is kept, so that
// the client reads why it is not. What has to come fast, because APT waits only 30 seconds, is answered as it comes.
func (d *download) promised(size int64) int64 {
	if strings.Contains(d.wanted.path, "/dists/") && !byHashPattern.MatchString(d.wanted.path) {
		return max(size, maxRelease)
	}
	return 0
}

// serve answers with the file while it is fetched. The error is why nothing of it was sent.
func (d *download) serve(w http.ResponseWriter, r *http.Request) error {
	size, err := d.begun()
	if err != nil {
		return err
	}
	if _, _, err := d.more(d.promised(size)); err != nil { // an error is better than a broken connection
		return err
	}
	w.Header().Set("Content-Type", contentType)
	if size >= 0 {
		w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
	}
	if r.Method == http.MethodHead {
		return nil
	}
	for offset := int64(0); ; {
		available, all, err := d.more(offset)
		if err != nil {
			panic(http.ErrAbortHandler) // the client sees that it has only a part
		}
		n, err := io.Copy(w, io.NewSectionReader(d.temporary, offset, available-offset))
		if err != nil {
			panic(http.ErrAbortHandler) // the client has left
		}
		if offset += n; all {
			return nil
		}
	}
}
