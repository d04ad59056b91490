// SPDX-License-Identifier: Apache-2.0

// Package s3 keeps objects in a bucket of Amazon S3, or of a server with its protocol, such as MinIO, Ceph, Garage and R2. Open lists
// the parameters of a URL. What the URL does not set comes from the environment and the shared files of the AWS SDKs, and has the meaning
// that it has there.
package s3

import (
	"bytes"
	"context"
	"crypto/md5" //nolint:gosec // S3 checks uploads by it
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
)

// Bucket is a bucket. It is safe for concurrent use. Errors about an object that does not exist wrap fs.ErrNotExist.
type Bucket struct {
	client     *minio.Core
	transport  *http.Transport
	name       string
	region     string
	prefix     string            // of all keys
	encryption map[string]string // headers of new objects
	// validate the checksums of responses.
	validate bool
}

// Put stores an object in one request. The request is signed with its content, and has no checksum in a trailer, because many servers
// cannot read one. Content-MD5 is what every server checks, and what a bucket with Object Lock requires.
func (b *Bucket) Put(ctx context.Context, key string, content []byte) error {
	sha := sha256.Sum256(content)
	sum := md5.Sum(content) //nolint:gosec // as above
	_, err := b.client.PutObject(ctx, b.name, b.prefix+key, bytes.NewReader(content), int64(len(content)),
		base64.StdEncoding.EncodeToString(sum[:]), hex.EncodeToString(sha[:]), minio.PutObjectOptions{
			ContentType: "application/octet-stream", UserMetadata: b.encryption, DisableContentSha256: true, // no chunked signature
		})
	return b.explain(withoutSuccess(err))
}

// Read opens an object. The size is in bytes, or -1 if the server does not tell it.
func (b *Bucket) Read(ctx context.Context, key string) (io.ReadCloser, int64, error) {
	content, info, _, err := b.client.GetObject(ctx, b.name, b.prefix+key, minio.GetObjectOptions{Checksum: b.validate})
	if err != nil {
		return nil, 0, b.explain(err)
	}
	return content, info.Size, nil
}

// List calls each with every key below a prefix, in order, and with the time when the object was stored. It cuts each key after the first
// delimiter behind the prefix, and such a key has no time. The delimiter is "/", or "" to cut no key.
func (b *Bucket) List(ctx context.Context, prefix, delimiter string, each func(key string, modified time.Time)) error {
	var cut []minio.ObjectInfo // a page has the keys that are cut after all others
	for o, err := range b.list(ctx, prefix, delimiter, 0) {
		switch {
		case err != nil:
			return err
		case delimiter == "":
			each(strings.TrimPrefix(o.Key, b.prefix), o.LastModified)
		default:
			cut = append(cut, o)
		}
	}
	slices.SortFunc(cut, func(a, b minio.ObjectInfo) int { return strings.Compare(a.Key, b.Key) })
	for _, o := range cut {
		each(strings.TrimPrefix(o.Key, b.prefix), o.LastModified)
	}
	return nil
}

// list yields what is below a prefix. Each request asks for at most as many keys as the limit; 0 means 1000.
func (b *Bucket) list(ctx context.Context, prefix, delimiter string, limit int) func(yield func(minio.ObjectInfo, error) bool) {
	return func(yield func(minio.ObjectInfo, error) bool) {
		owner := false
		for o := range b.client.ListObjectsIter(ctx, b.name, minio.ListObjectsOptions{
			Prefix: b.prefix + prefix, Recursive: delimiter == "", MaxKeys: limit, FetchOwner: &owner,
		}) {
			if !yield(o, b.explain(o.Err)) || o.Err != nil {
				return
			}
		}
		if ctx.Err() != nil { // which ends the list without an error
			yield(minio.ObjectInfo{}, ctx.Err())
		}
	}
}

// Ping returns nil if the server lists the prefix.
func (b *Bucket) Ping(ctx context.Context, prefix string) error {
	for _, err := range b.list(ctx, prefix, "/", 1) {
		return err
	}
	return nil
}

// Delete deletes an object. A missing object is no error for S3, and fs.ErrNotExist for some servers.
func (b *Bucket) Delete(ctx context.Context, key string) error {
	return b.explain(withoutSuccess(b.client.RemoveObject(ctx, b.name, b.prefix+key, minio.RemoveObjectOptions{})))
}

// Close closes idle connections.
func (b *Bucket) Close() error {
	b.transport.CloseIdleConnections()
	return nil
}

// withoutSuccess ignores the client's error about a success with another status than the one that it expects. The code of such an error is
// the status, unless the server has answered with an error.
func withoutSuccess(err error) error {
	if refusal := minio.ToErrorResponse(err); refusal.StatusCode/100 == 2 && strings.HasPrefix(refusal.Code, "2") {
		return nil
	}
	return err
}

// explain adds to an error of the server what to do about it.
func (b *Bucket) explain(err error) error {
	var refusal minio.ErrorResponse
	if !errors.As(err, &refusal) || refusal.StatusCode == 0 {
		return err
	}
	text := fmt.Sprintf("the server answers %d %s: %s", refusal.StatusCode, refusal.Code, refusal.Message)
	if refusal.RequestID != "" {
		text += " (request " + refusal.RequestID + ")"
	}
	switch refusal.Code {
	case minio.NoSuchKey, "NotFound":
		return fmt.Errorf("%w: %s", fs.ErrNotExist, text)
	case minio.NoSuchBucket:
		return fmt.Errorf("%s; create the bucket %s, or correct its name in the URL", text, b.name)
	case minio.AccessDenied:
		return fmt.Errorf("%s; the account needs s3:ListBucket of the bucket %s, and s3:GetObject, s3:PutObject and s3:DeleteObject of its objects", text, b.name)
	case "RequestTimeTooSkewed":
		return fmt.Errorf("%s; set the clock of this machine", text)
	}
	if refusal.Region != "" && refusal.Region != b.region {
		return fmt.Errorf("%s; set region=%s in the URL, where the bucket %s is", text, refusal.Region, b.name)
	}
	return errors.New(text)
}
