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
}

// Fetch opens a content, which the manifest at a location has as a layer or as the disk of a containerDisk, from an offset. The location is that of Pushed. Fetch fails
// with a *MissingError if the manifest has no such content, as that of an artifact that was pushed as an image: its tar cannot be fetched back.
// A failure of the registry is a *transport.Error, also one that Read returns, and also if it has no such manifest.
func Fetch(ctx context.Context, location, contentDigest string, offset int64, o transport.Options) (*Fetched, error) {
	from, part, err := find(ctx, location, contentDigest, o)
	if err != nil {
		return nil, err
	}
	content, err := from.Open(ctx, part, offset)
	if err != nil {
		from.Close()
		return nil, err
	}
	return &Fetched{content, part.SizeBytes}, nil
}

// find returns where a content is that the manifest at a location has: as a layer, or as the disk in the layer of a containerDisk. It returns what
// fetches the content, too, which the caller closes.
func find(ctx context.Context, location, contentDigest string, o transport.Options) (_ *transport.Fetcher, part transport.Part, err error) {
	repository, manifestDigest, ok := strings.Cut(location, "@")
	if !ok || digest.Digest(manifestDigest).Validate() != nil {
		return nil, part, &MissingError{fmt.Sprintf("fetch from %s: not a location of a published artifact", location)}
	}
	from, err := transport.NewFetcher(repository, o)
	if err != nil {
		return nil, part, err
	}
	defer func() {
		if err != nil {
			from.Close()
		}
	}()
	read, err := from.Manifest(ctx, manifestDigest)
	if err != nil {
		return nil, part, err
	}
	i := slices.IndexFunc(read.Layers, func(l ociv1.Descriptor) bool { return l.Digest.String() == contentDigest })
	disk, isDisk := diskIn(&read, contentDigest)
	switch {
	case i >= 0:
		return from, transport.Whole(contentDigest, read.Layers[i].Size), nil
	case isDisk:
		return from, disk, nil
	case ocilayout.IsConfig(read.Config.MediaType) || ocilayout.IsIndex(read.MediaType):
		return nil, part, &MissingError{fmt.Sprintf("fetch from %s: it was pushed as an image, whose tar the registry does not have; pull it: docker pull %s", repository, location)}
	}
	return nil, part, &MissingError{fmt.Sprintf("fetch from %s: the manifest %s has no content %s", repository, contents.Abbreviate(manifestDigest), contentDigest)}
}
