// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	ociv1 "github.com/opencontainers/image-spec/specs-go/v1"

	"goldsmith.dev/goldsmith/apis/contents"
	"goldsmith.dev/goldsmith/jobs/ocilayout"
	"goldsmith.dev/goldsmith/jobs/publish/transport"
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
// A failure of the registry is a *transport.Error, also one that Read returns, and also if it has no such manifest.
func Fetch(ctx context.Context, location, contentDigest string, offset int64, o transport.Options) (*Fetched, error) {
	from, layer, err := find(ctx, location, contentDigest, o)
	if err != nil {
		return nil, err
	}
	blob, err := from.Blob(ctx, contentDigest, offset, layer.Size)
	if err != nil {
		from.Close()
		return nil, err
	}
	return &Fetched{blob, layer.Size, layer.MediaType}, nil
}

// find returns the layer with a content in the manifest at a location, and what fetches it, which the caller closes.
func find(ctx context.Context, location, contentDigest string, o transport.Options) (_ *transport.Fetcher, layer ociv1.Descriptor, err error) {
	repository, manifestDigest, ok := strings.Cut(location, "@")
	if !ok || digest.Digest(manifestDigest).Validate() != nil {
		return nil, layer, &MissingError{fmt.Sprintf("fetch from %s: not a location of a published artifact", location)}
	}
	from, err := transport.NewFetcher(repository, o)
	if err != nil {
		return nil, layer, err
	}
	defer func() {
		if err != nil {
			from.Close()
		}
	}()
	read, err := from.Manifest(ctx, manifestDigest)
	if err != nil {
		return nil, layer, err
	}
	i := slices.IndexFunc(read.Layers, func(l ociv1.Descriptor) bool { return l.Digest.String() == contentDigest })
	switch {
	case i >= 0:
		return from, read.Layers[i], nil
	case ocilayout.IsConfig(read.Config.MediaType) || ocilayout.IsIndex(read.MediaType):
		return nil, layer, &MissingError{fmt.Sprintf("fetch from %s: it was pushed as an image, whose tar the registry does not have; pull it: docker pull %s", repository, location)}
	}
	return nil, layer, &MissingError{fmt.Sprintf("fetch from %s: the manifest %s has no content %s", repository, contents.Abbreviate(manifestDigest), contentDigest)}
}
