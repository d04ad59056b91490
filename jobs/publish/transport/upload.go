// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/dustin/go-humanize"
	"github.com/opencontainers/go-digest"
	"oras.land/oras-go/v2/registry/remote/auth"

	"goldsmith.dev/goldsmith/apis/contents"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// File is an open content. Reads at an offset may come after others have failed.
type File interface {
	io.ReadSeeker
	io.ReaderAt
	io.Closer
}

// Content is what is pushed as one blob.
type Content struct {
	// Digest is "sha256:" and 64 lower-case hex digits.
	Digest string
	// SizeBytes is the length of the content.
	SizeBytes int64
	// Open opens the content. It is called at most once at a time, and only if the content has to be read.
	Open func() (File, error)
}

// Pusher pushes to one repository.
type Pusher struct {
	*client
	progress func(bytes int64)
	done     int64 // bytes of whole blobs
	// reporting guards reported: a request that ended early can still read its body.
	reporting sync.Mutex
	reported  int64
	// largest is the size of requests. It falls to the smallest if the registry, or a proxy before it, does not take larger ones.
	largest, smallest int64
}

// NewPusher returns a pusher for a repository, HOST[:PORT]/PATH. The error is an *Error. The caller closes the pusher.
func NewPusher(repository string, o Options) (*Pusher, error) {
	c, err := newClient("push to", repository, o, auth.ActionPull, auth.ActionPush)
	if err != nil {
		return nil, err
	}
	progress := o.Progress
	if progress == nil {
		progress = func(int64) {}
	}
	return &Pusher{client: c, progress: progress, largest: 64 << 20, smallest: 1 << 20}, nil
}

// PushBlob pushes a content unless the repository has it. The operation is for errors. The error is an *Error, the context's, or that of a content
// that cannot be read or is not what its digest says.
func (p *Pusher) PushBlob(ctx context.Context, operation string, content Content) error {
	if err := digest.Digest(content.Digest).Validate(); err != nil {
		return fmt.Errorf("%s: %w", operation, err)
	}
	u := &upload{Pusher: p, content: content, outage: p.newOutage(), chunk: p.largest}
	err := u.run(ctx)
	if u.file != nil {
		_ = u.file.Close() // only read from
	}
	if err != nil {
		if _, local := errors.AsType[*contentError](err); local {
			return fmt.Errorf("%s: %w", operation, err)
		}
		return p.wrapError(operation+" ("+contents.Abbreviate(content.Digest)+")", err)
	}
	p.report(content.SizeBytes)
	p.reporting.Lock()
	defer p.reporting.Unlock()
	p.done += content.SizeBytes
	return nil
}

func (p *Pusher) report(sent int64) {
	p.reporting.Lock()
	defer p.reporting.Unlock()
	if total := p.done + sent; total > p.reported {
		p.reported = total
		p.progress(total)
	}
}

// contentError reports a content that is not what its digest says, or that cannot be read.
type contentError struct{ err error }

func (e *contentError) Error() string { return e.err.Error() }
func (e *contentError) Unwrap() error { return e.err }

// errLost reports that the registry has lost an upload, or never kept it.
var errLost = errors.New("the registry lost the upload")

// upload sends one blob. A registry keeps what it has received of an upload, so that the upload resumes there after an error; or it
// does not, so that another upload begins.
type upload struct {
	*Pusher
	content Content
	file    File
	outage  *outage
	chunk   int64 // bytes in a request
	least   int64 // bytes in a request that the registry takes, unless it is the last one
	best    int64 // the most bytes that the registry had: more is progress
}

func (u *upload) run(ctx context.Context) error {
	for {
		exists, err := u.exists(ctx)
		if exists || err != nil {
			return err
		}
		if u.file == nil {
			if u.file, err = u.content.Open(); err != nil {
				u.file = nil
				return &contentError{fmt.Errorf("open %s: %w", contents.Abbreviate(u.content.Digest), err)}
			}
		}
		location, err := u.begin(ctx)
		if err != nil {
			return err
		}
		if err = u.send(ctx, location); !errors.Is(err, errLost) {
			return err
		}
	}
}

func (u *upload) exists(ctx context.Context) (bool, error) {
	resp, err := u.request(ctx, u.outage, http.MethodHead, u.url("/blobs/"+u.content.Digest))
	if err != nil {
		return false, err
	}
	switch resp.StatusCode {
	case http.StatusOK:
		_ = resp.Body.Close() // of a HEAD
		return true, u.checkDigest(resp)
	case http.StatusNotFound:
		_ = resp.Body.Close()
		return false, nil
	}
	return false, u.refusal(resp)
}

// checkDigest compares the digest that the registry computed, if it tells.
func (u *upload) checkDigest(resp *http.Response) error {
	if got := resp.Header.Get("Docker-Content-Digest"); got != "" && got != u.content.Digest {
		return u.fault(v1alpha1.ReasonRegistryUnavailable, fmt.Sprintf("the registry answers with the digest %s instead of %s", u.scrub(got), u.content.Digest), "", nil)
	}
	return nil
}

func (u *upload) begin(ctx context.Context) (*url.URL, error) {
	resp, err := u.request(ctx, u.outage, http.MethodPost, u.url("/blobs/uploads/"))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusAccepted {
		return nil, u.refusal(resp)
	}
	_ = resp.Body.Close() // only read from
	u.least = u.smallest
	if least, err := strconv.ParseInt(resp.Header.Get("OCI-Chunk-Min-Length"), 10, 64); err == nil {
		u.least = min(max(least, u.smallest), u.largest)
	}
	return u.next(resp)
}

// next returns where the upload goes on. A registry behind a proxy that ends TLS can refer to itself without TLS.
func (u *upload) next(resp *http.Response) (*url.URL, error) {
	header := resp.Header.Get("Location")
	location, err := resp.Request.URL.Parse(header)
	if err != nil || header == "" || location.Host == "" {
		return nil, u.fault(v1alpha1.ReasonRegistryRefused, "the registry does not tell where to upload", "", err)
	}
	downgrade := location.Scheme == "http" && u.base.Scheme == "https"
	if location.Hostname() == u.base.Hostname() && (downgrade || location.Scheme == u.base.Scheme && port(location) == port(u.base)) {
		location.Scheme, location.Host = u.base.Scheme, u.base.Host
	}
	location.User, location.Fragment = nil, ""
	return location, nil
}

func port(u *url.URL) string {
	return cmp.Or(u.Port(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
}

// send sends the blob to an upload, from its beginning.
func (u *upload) send(ctx context.Context, location *url.URL) error {
	offset := int64(0)
	for {
		from, end := offset, u.content.SizeBytes
		last := from == end || from == 0 && end <= u.chunk
		if !last {
			end = min(end, (from+u.chunk)/u.smallest*u.smallest)
		}
		resp, err := u.sendPart(ctx, location, from, end, last)
		if err == nil && resp.StatusCode < 300 {
			_ = resp.Body.Close() // only read from
			if last {
				return u.checkDigest(resp)
			}
			if offset, location = u.continueAfter(resp, end, location); offset > from {
				u.advance(offset)
				continue
			}
			resp, err = nil, u.fault(v1alpha1.ReasonRegistryUnavailable, "the registry keeps nothing of what it receives", "", nil)
		}
		if offset, location, err = u.recover(ctx, location, from, resp, err); err != nil {
			return err
		}
	}
}

// continueAfter returns where to go on after a chunk that ends at end.
func (u *upload) continueAfter(resp *http.Response, end int64, location *url.URL) (int64, *url.URL) {
	if next, err := u.next(resp); err == nil {
		location = next
	}
	if kept, ok := keptBytes(resp); ok && kept < end {
		end = kept
	}
	return end, location
}

// advance ends an outage if the registry has more than ever before.
func (u *upload) advance(offset int64) {
	if offset > u.best {
		u.best = offset
		u.outage.end()
	}
}

// recover returns where to go on after a request that failed with an answer, or with err.
func (u *upload) recover(ctx context.Context, location *url.URL, offset int64, resp *http.Response, err error) (int64, *url.URL, error) {
	slow := tooSlow(err)
	if err == nil {
		err = u.checkRefusal(ctx, resp)
	} else {
		err = u.outage.wait(ctx, err)
	}
	if err != nil {
		return 0, nil, err
	}
	kept, next, err := u.status(ctx, location)
	if err != nil {
		return 0, nil, err
	}
	if slow && kept <= offset && offset < u.content.SizeBytes {
		u.shrink()
	}
	u.advance(kept)
	return kept, next, nil
}

// tooSlow reports whether smaller requests can help: a proxy can end those that take too long.
func tooSlow(err error) bool {
	failure, ok := errors.AsType[*Error](err)
	return ok && slices.Contains([]int{0, http.StatusRequestTimeout, http.StatusBadGateway, http.StatusGatewayTimeout}, failure.Status)
}

// checkRefusal returns nil if the upload can go on after an answer.
func (u *upload) checkRefusal(ctx context.Context, resp *http.Response) error {
	failure := u.refusal(resp)
	switch failure.Status {
	case http.StatusRequestEntityTooLarge:
		if u.shrink() {
			return nil
		}
		failure.remedy = "let the registry, and any proxy before it, accept requests of " + humanize.IBytes(uint64(max(u.least, 0)))
		return failure
	case http.StatusNotFound, http.StatusRequestedRangeNotSatisfiable, http.StatusConflict: // the registry has another offset, or nothing
		failure.Reason = v1alpha1.ReasonRegistryUnavailable
		return u.outage.wait(ctx, failure)
	case http.StatusBadRequest:
		if !failure.has(codeDigestInvalid) {
			return failure
		}
		if err := u.checkContent(ctx); err != nil {
			return err
		}
		failure.Reason = v1alpha1.ReasonRegistryUnavailable // the content was damaged on its way, or by the registry
		return cmp.Or(u.outage.wait(ctx, failure), errLost)
	}
	return failure
}

// shrink makes the next requests smaller, and reports whether it could.
func (u *upload) shrink() bool {
	if u.chunk <= u.least {
		return false
	}
	u.chunk = max(u.chunk/4, u.least)
	u.largest = u.chunk // of the other blobs, too
	return true
}

// status asks what the registry has of the upload.
func (u *upload) status(ctx context.Context, location *url.URL) (int64, *url.URL, error) {
	resp, err := u.request(ctx, u.outage, http.MethodGet, location)
	if err != nil {
		return 0, nil, err
	}
	_ = resp.Body.Close() // only read from
	kept, ok := keptBytes(resp)
	if resp.StatusCode >= 300 || !ok || kept > u.content.SizeBytes {
		return 0, nil, errLost
	}
	if next, err := u.next(resp); err == nil {
		location = next
	}
	return kept, location, nil
}

// keptBytes reads how many bytes a registry has of an upload. The range 0-0 means none.
func keptBytes(resp *http.Response) (int64, bool) {
	_, last, ok := strings.Cut(strings.TrimPrefix(resp.Header.Get("Range"), "bytes="), "-")
	if !ok {
		return 0, false
	}
	end, err := strconv.ParseInt(last, 10, 64)
	if err != nil || end < 0 {
		return 0, false
	}
	if end == 0 {
		return 0, true
	}
	return end + 1, true
}

// sendPart sends a part of the content, which may be empty. The last one ends the upload.
func (u *upload) sendPart(ctx context.Context, location *url.URL, from, to int64, last bool) (*http.Response, error) {
	if !last {
		return u.sendBody(ctx, http.MethodPatch, location, from, to, http.Header{"Content-Range": {fmt.Sprintf("%d-%d", from, to-1)}})
	}
	final := *location
	query := final.Query()
	query.Set("digest", u.content.Digest)
	final.RawQuery = query.Encode()
	return u.sendBody(ctx, http.MethodPut, &final, from, to, http.Header{})
}

func (u *upload) sendBody(ctx context.Context, method string, location *url.URL, from, to int64, header http.Header) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, location.String(), nil)
	if err != nil {
		return nil, err
	}
	req.Header = header
	req.Header.Set("Content-Type", "application/octet-stream")
	if from < to {
		req.ContentLength = to - from
		req.GetBody = func() (io.ReadCloser, error) {
			return &body{section: io.NewSectionReader(u.file, from, to-from), report: func(read int64) { u.report(from + read) }}, nil
		}
		if req.Body, err = req.GetBody(); err != nil {
			return nil, err
		}
		req.Header.Set("Expect", "100-continue") // a request that is refused, for example because the token has expired, is not sent
	} else {
		req.Body = http.NoBody
	}
	return u.client.send(req)
}

// body is a part of a content.
type body struct {
	section *io.SectionReader
	read    int64
	report  func(read int64)
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.section.Read(p)
	b.read += int64(n)
	if n > 0 {
		b.report(b.read)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = &contentError{err}
	}
	return n, err
}

// Close leaves the content open.
func (b *body) Close() error { return nil }

// checkContent returns an error if the content is not what its digest says: the registry is right then.
func (u *upload) checkContent(ctx context.Context) error {
	verifier := digest.Digest(u.content.Digest).Verifier()
	section := io.NewSectionReader(u.file, 0, u.content.SizeBytes+1)
	for {
		_, err := io.CopyN(verifier, section, 16<<20)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return &contentError{err}
		}
	}
	if !verifier.Verified() {
		return &contentError{fmt.Errorf("the content has another digest than %s", u.content.Digest)}
	}
	return nil
}

func (c *client) url(path string) *url.URL {
	return c.base.JoinPath("v2", c.reference.Repository, path)
}

// request sends a request without a body, repeatedly.
func (c *client) request(ctx context.Context, o *outage, method string, u *url.URL) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, u.String(), nil)
	if err != nil {
		return nil, err
	}
	return o.do(req)
}
