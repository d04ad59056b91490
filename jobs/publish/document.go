// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"context"
	"fmt"
	"strings"

	"github.com/opencontainers/go-digest"
	"oras.land/oras-go/v2/registry/remote/auth"
)

// FetchDocument opens a document that was pushed with the artifact at a location, from an offset. The location is that of Pushed; the
// document is in the same repository. FetchDocument asks for no list of referrers, which a registry may lack: digest, size and media
// type of the document are known. Otherwise it is like Fetch.
func FetchDocument(ctx context.Context, location string, document Document, offset int64, o Options) (*Fetched, error) {
	repository, _, ok := strings.Cut(location, "@")
	if !ok || digest.Digest(document.Digest).Validate() != nil {
		return nil, fmt.Errorf("fetch from %s: not a location of a published artifact", location)
	}
	if offset < 0 || offset > document.SizeBytes {
		return nil, fmt.Errorf("fetch from %s: the offset %d is not in a document of %d bytes", repository, offset, document.SizeBytes)
	}
	c, err := newClient("fetch from", repository, o)
	if err != nil {
		return nil, err
	}
	s := &stream{
		ctx: c.scoped(ctx, auth.ActionPull), client: c, outage: c.newOutage(), digest: document.Digest, offset: offset, size: document.SizeBytes,
	}
	if offset < s.size { // before it is read, so that a denial is not an error of reading
		if err := s.open(); err != nil {
			c.close()
			return nil, c.failed("fetch document ("+short(document.Digest)+")", err)
		}
	}
	return &Fetched{s, s.size, document.MediaType}, nil
}
