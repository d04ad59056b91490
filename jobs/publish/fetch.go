// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	ociv1 "github.com/opencontainers/image-spec/specs-go/v1"
	orascontent "oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/registry/remote/auth"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/ocilayout"
)

// Fetched is a stream of a published content. It resumes after broken connections. Nobody has compared it with its digest.
type Fetched struct {
	io.ReadCloser
	// SizeBytes is the size of the whole content.
	SizeBytes int64
	// MediaType is the media type of the content.
	MediaType string
}

// Fetch opens a content, which the manifest at a location has as a layer, from an offset. The location is that of Pushed. Fetch fails
// with a *MissingError if the manifest has no such content, as that of an artifact that was pushed as an image: its tar cannot be fetched back.
// A failure of the registry is an *Error, also one that Read returns, and also if it has no such manifest.
func Fetch(ctx context.Context, location, contentDigest string, offset int64, o Options) (*Fetched, error) {
	repository, manifestDigest, ok := strings.Cut(location, "@")
	if !ok || digest.Digest(manifestDigest).Validate() != nil {
		return nil, &MissingError{fmt.Sprintf("fetch from %s: not a location of a published artifact", location)}
	}
	c, err := newClient("fetch from", repository, o)
	if err != nil {
		return nil, err
	}
	f, err := c.fetch(c.scoped(ctx, auth.ActionPull), location, contentDigest, offset)
	if err != nil {
		c.close()
		return nil, err
	}
	return f, nil
}

func (c *client) fetch(ctx context.Context, location, contentDigest string, offset int64) (*Fetched, error) {
	_, manifestDigest, _ := strings.Cut(location, "@")
	read, err := c.fetchManifest(ctx, manifestDigest)
	if err != nil {
		return nil, c.failed("fetch manifest", err)
	}
	i := slices.IndexFunc(read.Layers, func(l ociv1.Descriptor) bool { return l.Digest.String() == contentDigest })
	switch {
	case i < 0 && (ocilayout.IsConfig(read.Config.MediaType) || ocilayout.IsIndex(read.MediaType)):
		return nil, &MissingError{fmt.Sprintf("fetch from %s: it was pushed as an image, whose tar the registry does not have; pull it: docker pull %s", c.repository, location)}
	case i < 0:
		return nil, &MissingError{fmt.Sprintf("fetch from %s: the manifest %s has no content %s", c.repository, short(manifestDigest), contentDigest)}
	case offset < 0 || offset > read.Layers[i].Size:
		return nil, fmt.Errorf("fetch from %s: the offset %d is not in a content of %d bytes", c.repository, offset, read.Layers[i].Size)
	}
	s := &stream{ctx: ctx, client: c, outage: c.newOutage(), digest: contentDigest, offset: offset, size: read.Layers[i].Size}
	if s.offset < s.size { // before it is read, so that a denial is not an error of reading
		if err := s.open(); err != nil {
			return nil, c.failed("fetch content ("+short(contentDigest)+")", err)
		}
	}
	return &Fetched{s, s.size, read.Layers[i].MediaType}, nil
}

// fetchManifest reads a manifest and verifies its digest.
func (c *client) fetchManifest(ctx context.Context, reference string) (read ociv1.Manifest, err error) {
	found, body, err := c.remote.Manifests().FetchReference(ctx, reference)
	if err != nil {
		return read, err
	}
	defer func() { _ = body.Close() }() // only read from
	if found.Size > ocilayout.MaxDocument {
		return read, fmt.Errorf("the manifest has %d bytes", found.Size)
	}
	raw, err := orascontent.ReadAll(body, found)
	if err != nil {
		return read, err
	}
	err = json.Unmarshal(raw, &read)
	read.MediaType = found.MediaType // an index of OCI can leave its own out
	return read, err
}

// stream reads a blob, in as many requests as it needs.
type stream struct {
	ctx    context.Context
	client *client
	outage *outage
	digest string
	offset int64
	size   int64
	body   io.ReadCloser // of the present request
	skip   int64         // bytes of the body that come before the offset
}

func (s *stream) Read(p []byte) (int, error) {
	for {
		if s.offset == s.size {
			return 0, io.EOF
		}
		if s.body == nil {
			if err := s.open(); err != nil {
				return 0, s.client.failed("fetch content ("+short(s.digest)+")", err)
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
			n, err = s.body.Read(p[:min(int64(len(p)), s.size-s.offset)])
			s.offset += int64(n)
		}
		if n > 0 {
			s.outage.over()
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
			return 0, s.client.failed("fetch content", ctxErr)
		}
		broken := s.client.fault(v1alpha1.ReasonRegistryUnavailable, "the connection broke", "", err)
		if err := s.outage.wait(s.ctx, broken); err != nil {
			return 0, s.client.failed("fetch content ("+short(s.digest)+")", err)
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
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", s.offset, s.size-1))
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
	defer s.client.close()
	if s.body == nil {
		return nil
	}
	return s.body.Close()
}
