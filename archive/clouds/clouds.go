// SPDX-License-Identifier: Apache-2.0

// Package clouds opens log archives in Google Cloud Storage (gs://) and Azure Blob Storage (azblob://). The clients of these
// services are hundreds of packages, so `goldsmith`, which users compile themselves, does not have them: see docs/decisions/programs.md.
package clouds

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"time"

	"gocloud.dev/blob"
	_ "gocloud.dev/blob/azureblob" // azblob://
	_ "gocloud.dev/blob/gcsblob"   // gs://
	"gocloud.dev/gcerrors"

	"goldsmith.dev/goldsmith/archive"
)

const (
	// uploadBuffer is how much of an upload a service's client may buffer, if the client can be configured. A chunk fits.
	uploadBuffer = 2 << 20
	// pageSize is the number of keys that one request lists.
	pageSize = 1000
)

// Open implements archive.Opener.
func Open(ctx context.Context, u *url.URL) (archive.Bucket, error) {
	b, err := blob.DefaultURLMux().OpenBucketURL(ctx, u)
	if err != nil {
		return nil, err
	}
	return bucket{b}, nil
}

// bucket is the archive's bucket in a bucket of gocloud.dev.
type bucket struct{ *blob.Bucket }

// Put implements archive.Bucket.
func (b bucket) Put(ctx context.Context, key string, content []byte) error {
	return withMissing(b.Upload(ctx, key, bytes.NewReader(content), &blob.WriterOptions{
		ContentType: "application/octet-stream", MaxConcurrency: 1, BufferSize: uploadBuffer,
	}))
}

// Read implements archive.Bucket.
func (b bucket) Read(ctx context.Context, key string) (content io.ReadCloser, size int64, err error) {
	r, err := b.NewReader(ctx, key, nil)
	if err != nil {
		return nil, 0, withMissing(err)
	}
	return r, r.Size(), nil
}

// List implements archive.Bucket.
func (b bucket) List(ctx context.Context, prefix, delimiter string, each func(string, time.Time)) error {
	for token := blob.FirstPageToken; len(token) > 0; {
		found, next, err := b.ListPage(ctx, token, pageSize, &blob.ListOptions{Prefix: prefix, Delimiter: delimiter})
		if err != nil {
			return withMissing(err)
		}
		for _, o := range found {
			each(o.Key, o.ModTime)
		}
		token = next
	}
	return nil
}

// Delete implements archive.Bucket.
func (b bucket) Delete(ctx context.Context, key string) error {
	return withMissing(b.Bucket.Delete(ctx, key))
}

// Ping implements archive.Bucket.
func (b bucket) Ping(ctx context.Context, prefix string) error {
	_, _, err := b.ListPage(ctx, blob.FirstPageToken, 1, &blob.ListOptions{Prefix: prefix, Delimiter: "/"})
	return err
}

// withMissing makes fs.ErrNotExist of an error about a missing object.
func withMissing(err error) error {
	if gcerrors.Code(err) == gcerrors.NotFound {
		return fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	}
	return err
}
