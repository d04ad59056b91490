// SPDX-License-Identifier: Apache-2.0

package advisories

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/internal/documents"
	"goldsmith.dev/goldsmith/jobs/advisories"
)

const (
	// fileInterval is the time between two checks of a file.
	fileInterval = 10 * time.Second
	// addressInterval is the time between two requests, and addressRetry that after a failure: twice as long after each further answer that cannot be
	// read, which may be large. The tracker makes its JSON anew every few minutes.
	addressInterval = time.Hour
	addressRetry    = 5 * time.Minute
	// maxUnreadable is how many of these answers count. The time is then addressInterval.
	maxUnreadable = 4
	// jitter spreads the requests of several servers.
	jitter = 0.1
	// requestTimeout is for one request, with all of its answer.
	requestTimeout = 15 * time.Minute
	headerTimeout  = time.Minute
	// maxRedirects is how often an address may redirect.
	maxRedirects = 5
	// maxZipMemory is the maximum size of a zip archive from an address. The server may have no directory to keep it in.
	maxZipMemory = 128 << 20
)

// Reader keeps advisories current. It is safe for concurrent use.
type Reader struct {
	sources []*source
	clock   clock.Clock
	client  *http.Client
	memory  int64 // the maximum of all sources together

	// reading has a value while a source is read. One at a time, because what was read before stays in memory until then.
	reading chan struct{}
}

// source is a file or an address.
type source struct {
	place   string   // the absolute path, or the address
	name    string   // for users
	address *url.URL // nil for a file

	// What was read last. Only one goroutine reads.
	seen               fs.FileInfo
	etag, lastModified string
	unreadable         int // answers of the address, one after the other

	memory int64 // of set, for the holder of reading

	mu     sync.Mutex
	set    *advisories.Set // nil before the first success
	state  v1alpha1.AdvisorySource
	failed error
}

// Run reads the sources until ctx is done. tell gets a line for each new state.
func (r *Reader) Run(ctx context.Context, tell func(line string)) error {
	var all sync.WaitGroup
	for _, one := range r.sources {
		all.Go(func() {
			for ctx.Err() == nil {
				timer := r.clock.NewTimer(r.pass(ctx, one, tell))
				select {
				case <-ctx.Done():
				case <-timer.C():
				}
				timer.Stop()
			}
		})
	}
	all.Wait()
	return ctx.Err()
}

// Current returns what was read last, and where. It fails while a source has never been read: a server that answered without the source would
// hide vulnerabilities.
func (r *Reader) Current() (sets []*advisories.Set, sources []v1alpha1.AdvisorySource, err error) {
	for _, one := range r.sources {
		one.mu.Lock()
		set, state, failed := one.set, one.state, one.failed
		one.mu.Unlock()
		switch {
		case set == nil && failed != nil:
			return nil, nil, fmt.Errorf("the advisories %s cannot be read: %w", one.name, failed)
		case set == nil:
			return nil, nil, fmt.Errorf("the server is reading the advisories %s: ask again", one.name)
		}
		sets, sources = append(sets, set), append(sources, state)
	}
	return sets, sources, nil
}

// pass reads a source if it has changed, and returns when the next pass is due.
func (r *Reader) pass(ctx context.Context, one *source, tell func(string)) time.Duration {
	var set *advisories.Set
	var err error
	if one.address != nil {
		set, err = r.fetch(ctx, one)
	} else {
		set, err = r.readFile(ctx, one)
	}
	if ctx.Err() == nil {
		if line := one.keep(set, err, r.clock.Now()); line != "" {
			tell("advisories: " + one.name + ": " + line)
		}
	}
	switch {
	case one.address == nil:
		return fileInterval
	case err != nil:
		return wait.Jitter(min(addressInterval, addressRetry<<one.unreadable), jitter)
	}
	return wait.Jitter(addressInterval, jitter)
}

// read reads a source while no other source is read. It refuses what needs too much memory together with the other sources.
func (r *Reader) read(ctx context.Context, one *source, read func() (*advisories.Set, error)) (*advisories.Set, error) {
	select {
	case r.reading <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for other advisories: %w", ctx.Err())
	}
	defer func() { <-r.reading }()
	set, err := read()
	if err != nil {
		return nil, err
	}
	memory := set.Memory()
	for _, other := range r.sources {
		if other != one {
			memory += other.memory
		}
	}
	if memory > r.memory {
		return nil, fmt.Errorf("all advisories together need more than %d MiB of memory: use those of one distribution", r.memory>>20)
	}
	one.memory = set.Memory()
	return set, nil
}

var (
	// errUnchanged reports a file whose last reading counts, whether it failed or not.
	errUnchanged = errors.New("it has not changed")
	errChanging  = errors.New("it changed while it was read")
	errDowngrade = errors.New("it redirects from https:// to http://")
)

// keep keeps a new set, or what failed, and returns a line about news.
func (s *source) keep(set *advisories.Set, err error, now time.Time) (news string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case errors.Is(err, errUnchanged):
		return ""
	case err != nil:
		if s.failed == nil || s.failed.Error() != err.Error() {
			news = err.Error()
			if s.set != nil {
				news += ": what was read before counts"
			}
		}
		s.failed, s.state.Message = err, v1alpha1.CutMessage(err.Error())
		return news
	}
	if s.failed != nil {
		news = "it can be read again"
	}
	if set != nil {
		s.set = set
		news = fmt.Sprintf("read %d entries (%s)", set.Entries, set.Format)
		if set.Ignored > 0 {
			news += fmt.Sprintf("; ignored %d about other packages than Debian's", set.Ignored)
		}
		if set.Skipped > 0 {
			news += fmt.Sprintf("; %d cannot be read, the first: %s", set.Skipped, set.Problem)
		}
	}
	s.failed = nil
	s.state = v1alpha1.AdvisorySource{
		Name: s.name, Format: s.set.Format, ReadTime: metav1.NewTime(now).Rfc3339Copy(),
		Ignored: int32(s.set.Ignored), Unreadable: int32(s.set.Skipped), Problem: s.set.Problem, //nolint:gosec // the size of a set is limited
	}
	return news
}

// readFile reads a file if it has changed since the last pass.
func (r *Reader) readFile(ctx context.Context, one *source) (*advisories.Set, error) {
	info, err := os.Stat(one.place)
	if err != nil {
		one.seen = nil
		return nil, documents.WithoutPath(err)
	}
	if sameFile(one.seen, info) {
		return nil, errUnchanged
	}
	file, err := documents.OpenRegular(os.OpenFile, one.place, 0)
	if err != nil {
		return nil, documents.WithoutPath(err)
	}
	defer func() { _ = file.Close() }() // only read from
	before, err := file.Stat()
	if err != nil {
		return nil, documents.WithoutPath(err)
	}
	set, problem := r.read(ctx, one, func() (*advisories.Set, error) { return advisories.ReadFile(&interruptible{file, ctx}, before.Size()) })
	after, err := file.Stat()
	switch {
	case err != nil:
		return nil, documents.WithoutPath(err)
	case !sameFile(before, after):
		one.seen = nil
		return nil, errChanging
	}
	one.seen = after
	return set, documents.WithoutPath(problem)
}

func sameFile(a, b fs.FileInfo) bool {
	return a != nil && b != nil && os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// interruptible is a file that cannot be read once ctx is done.
type interruptible struct {
	*os.File
	ctx context.Context //nolint:containedctx // of one reading
}

// Read reads.
func (i *interruptible) Read(into []byte) (int, error) {
	if err := i.ctx.Err(); err != nil {
		return 0, err //nolint:wrapcheck // nobody sees it
	}
	return i.File.Read(into) //nolint:wrapcheck // a reader passes on io.EOF
}

// ReadAt reads at an offset.
func (i *interruptible) ReadAt(into []byte, offset int64) (int, error) {
	if err := i.ctx.Err(); err != nil {
		return 0, err //nolint:wrapcheck // nobody sees it
	}
	return i.File.ReadAt(into, offset) //nolint:wrapcheck // a reader passes on io.EOF
}

func newClient() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.ResponseHeaderTimeout = headerTimeout
	return &http.Client{Transport: transport, CheckRedirect: func(next *http.Request, via []*http.Request) error {
		switch {
		case len(via) > maxRedirects:
			return fmt.Errorf("it redirects more than %d times", maxRedirects)
		case next.URL.Scheme != "https" && via[0].URL.Scheme == "https":
			return errDowngrade
		}
		return nil
	}}
}

// fetch reads an address if it has changed. It returns nothing if it has not.
func (r *Reader) fetch(ctx context.Context, one *source) (*advisories.Set, error) {
	unreadable := one.unreadable
	one.unreadable = 0
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, one.address.String(), nil)
	if err != nil {
		return nil, withoutAddress(err)
	}
	request.Header.Set("User-Agent", "goldsmith")
	if one.etag != "" {
		request.Header.Set("If-None-Match", one.etag)
	}
	if one.lastModified != "" {
		request.Header.Set("If-Modified-Since", one.lastModified)
	}
	answer, err := r.client.Do(request)
	if err != nil {
		return nil, withoutAddress(err)
	}
	defer func() { _ = answer.Body.Close() }() // only read from
	switch {
	case answer.StatusCode == http.StatusNotModified && (one.etag != "" || one.lastModified != ""):
		return nil, nil
	case answer.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("the server answers %s", v1alpha1.CutMessage(answer.Status))
	}
	set, err := r.read(ctx, one, func() (*advisories.Set, error) { return readAnswer(answer.Body) })
	if err != nil {
		one.unreadable = min(unreadable+1, maxUnreadable)
		return nil, err
	}
	one.etag, one.lastModified = answer.Header.Get("ETag"), answer.Header.Get("Last-Modified")
	return set, nil
}

func readAnswer(body io.Reader) (*advisories.Set, error) {
	buffered := bufio.NewReader(body)
	if start, _ := buffered.Peek(4); !advisories.IsZip(start) {
		return advisories.Read(buffered) //nolint:wrapcheck // the source is named elsewhere
	}
	content, err := io.ReadAll(io.LimitReader(buffered, maxZipMemory+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the zip archive: %w", err)
	case len(content) > maxZipMemory:
		return nil, fmt.Errorf("the zip archive has more than %d MiB: use that of one distribution, or a file", maxZipMemory>>20)
	}
	return advisories.ReadFile(bytes.NewReader(content), int64(len(content))) //nolint:wrapcheck // the source is named elsewhere
}

// withoutAddress returns the cause of an error about a request, whose address can have credentials.
func withoutAddress(err error) error {
	if named, ok := errors.AsType[*url.Error](err); ok {
		err = named.Err
	}
	return fmt.Errorf("request it: %w", err)
}
