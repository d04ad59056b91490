// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/opencontainers/go-digest"
	"oras.land/oras-go/v2/registry/remote/auth"

	"goldsmith.dev/goldsmith/apis/contents"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// Fetcher fetches from one repository.
type Fetcher struct{ *client }

// NewFetcher returns a fetcher for a repository, HOST[:PORT]/PATH. The error is an *Error. The caller closes the fetcher, or a blob of it.
func NewFetcher(repository string, o Options) (*Fetcher, error) {
	c, err := newClient("fetch from", repository, o, auth.ActionPull)
	if err != nil {
		return nil, err
	}
	return &Fetcher{c}, nil
}

// Part is a content in a blob.
type Part struct {
	// Blob is the digest of the blob.
	Blob string
	// Offset is where the content begins in the blob.
	Offset int64
	// Digest and SizeBytes are those of the content.
	Digest    string
	SizeBytes int64
}

// Whole returns the content that is a whole blob.
func Whole(digest string, sizeBytes int64) Part {
	return Part{Blob: digest, Digest: digest, SizeBytes: sizeBytes}
}

// Open opens a content from an offset in it. It resumes after broken connections. Nobody has compared it with its digest. Its Close closes the
// fetcher. The error is an *Error, also that of a read, or the context's, or that of an offset beyond the size.
func (f *Fetcher) Open(ctx context.Context, part Part, offset int64) (io.ReadCloser, error) {
	if digest.Digest(part.Blob).Validate() != nil || part.Offset < 0 || part.SizeBytes < 0 { // a registry names them, and the digest becomes a part of a URL
		cause := fmt.Sprintf("the manifest names a content with the digest %.100q and %d bytes, which no content can have", f.scrub(part.Blob), part.SizeBytes)
		return nil, f.wrapError("fetch content", f.fault(v1alpha1.ReasonRegistryRefused, cause, "push it again", nil))
	}
	if offset < 0 || offset > part.SizeBytes {
		return nil, fmt.Errorf("fetch from %s: the offset %d is not in a content of %d bytes", f.repository, offset, part.SizeBytes)
	}
	s := &stream{ctx: ctx, client: f.client, outage: f.newOutage(), digest: part.Blob, offset: part.Offset + offset, end: part.Offset + part.SizeBytes}
	if s.offset < s.end { // before it is read, so that a denial is not an error of reading
		if err := s.open(); err != nil {
			return nil, f.wrapError("fetch content ("+contents.Abbreviate(s.digest)+")", err)
		}
	}
	return s, nil
}

// Copy writes a content to a file, and compares it with its digest: after an error the file may have a part of it, or other bytes.
// The error is an *Error, that of the file or the context's.
func (f *Fetcher) Copy(ctx context.Context, part Part, file io.Writer) error {
	content, err := f.Open(ctx, part, 0)
	if err != nil {
		return err
	}
	defer func() { _ = content.Close() }() // only read from
	hash := sha256.New()
	if _, err := io.Copy(io.MultiWriter(file, hash), content); err != nil {
		return err
	}
	if got := fmt.Sprintf("sha256:%x", hash.Sum(nil)); got != part.Digest {
		other := f.fault(v1alpha1.ReasonRegistryUnavailable, "the registry sent another content, "+contents.Abbreviate(got), "", nil)
		return f.wrapError("fetch content ("+contents.Abbreviate(part.Digest)+")", other)
	}
	return nil
}

// stream reads a part of a blob, in as many requests as it needs.
type stream struct {
	ctx    context.Context
	client *client
	outage *outage
	digest string
	offset int64
	end    int64         // of the part
	body   io.ReadCloser // of the present request
	skip   int64         // bytes of the body that come before the offset
}

func (s *stream) Read(p []byte) (int, error) {
	for {
		if s.offset == s.end {
			return 0, io.EOF
		}
		if s.body == nil {
			if err := s.open(); err != nil {
				return 0, s.client.wrapError("fetch content ("+contents.Abbreviate(s.digest)+")", err)
			}
		}
		var n int
		var err error
		if s.skip > 0 {
			var skipped int64
			skipped, err = io.CopyN(io.Discard, s.body, s.skip)
			s.skip -= skipped
		}
		if err == nil {
			n, err = s.body.Read(p[:min(int64(len(p)), s.end-s.offset)])
			s.offset += int64(n)
		}
		if n > 0 {
			s.outage.end()
		}
		if err != nil {
			_ = s.body.Close()
			s.body = nil
		}
		if n > 0 || len(p) == 0 {
			return n, nil
		}
		if err == nil {
			continue
		}
		if ctxErr := s.ctx.Err(); ctxErr != nil {
			return 0, s.client.wrapError("fetch content", ctxErr)
		}
		broken := s.client.fault(v1alpha1.ReasonRegistryUnavailable, "the connection broke", "", err)
		if err := s.outage.wait(s.ctx, broken); err != nil {
			return 0, s.client.wrapError("fetch content ("+contents.Abbreviate(s.digest)+")", err)
		}
	}
}

// open begins a request at the offset.
func (s *stream) open() error {
	req, err := http.NewRequestWithContext(s.ctx, http.MethodGet, s.client.url("/blobs/"+s.digest).String(), nil)
	if err != nil {
		return err
	}
	if s.offset > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", s.offset, s.end-1))
	}
	resp, err := s.outage.do(req)
	if err != nil {
		return err
	}
	s.skip = 0
	switch {
	case resp.StatusCode == http.StatusOK:
		s.skip = s.offset // the registry sends the whole
	case resp.StatusCode == http.StatusPartialContent && strings.HasPrefix(resp.Header.Get("Content-Range"), fmt.Sprintf("bytes %d-", s.offset)):
	case resp.StatusCode == http.StatusPartialContent:
		return errors.Join(s.client.fault(v1alpha1.ReasonRegistryUnavailable, "the registry answers with another range", "", nil), resp.Body.Close())
	default:
		return s.client.refusal(resp)
	}
	s.body = resp.Body
	return nil
}

// Close ends the present request.
func (s *stream) Close() error {
	defer s.client.Close()
	if s.body == nil {
		return nil
	}
	return s.body.Close()
}
