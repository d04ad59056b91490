// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"sync/atomic"
	"time"
)

// Bucket is the objects of one place. It is safe for concurrent use. Errors about an object that does not exist wrap fs.ErrNotExist.
type Bucket interface {
	// Put stores an object, durably and as a whole.
	Put(ctx context.Context, key string, content []byte) error
	// Read opens an object. The size is in bytes, or -1 if it is unknown.
	Read(ctx context.Context, key string) (content io.ReadCloser, size int64, err error)
	// List calls each with every key below a prefix, in order, and with the time when the object was stored. It cuts each key after the first
	// delimiter behind the prefix, and such a key has no time. The delimiter is "/", or "" to cut no key. The prefix ends with "/".
	List(ctx context.Context, prefix, delimiter string, each func(key string, modified time.Time)) error
	// Delete deletes an object.
	Delete(ctx context.Context, key string) error
	// Ping returns nil if the bucket answers a list of a prefix.
	Ping(ctx context.Context, prefix string) error
	Close() error
}

// Opener opens the bucket of a URL.
type Opener func(context.Context, *url.URL) (Bucket, error)

// bucket is objects in a Bucket.
type bucket struct {
	Bucket
	timeout time.Duration
	closed  atomic.Bool
}

// usable reports why an operation cannot begin.
func (b *bucket) usable(ctx context.Context) error {
	if b.closed.Load() {
		return errors.New("the archive is closed")
	}
	return ctx.Err()
}

// do runs an operation within the time limit.
func (b *bucket) do(ctx context.Context, operation, key string, run func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, b.timeout)
	defer cancel()
	err := b.usable(ctx)
	if err == nil {
		err = run(ctx)
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	return operationError(operation, key, err)
}

func (b *bucket) put(ctx context.Context, key string, content []byte) error {
	return b.do(ctx, "write", key, func(ctx context.Context) error { return b.Put(ctx, key, content) })
}

func (b *bucket) get(ctx context.Context, key string, buffer []byte) ([]byte, error) {
	err := b.do(ctx, "read", key, func(ctx context.Context) error {
		r, size, err := b.Read(ctx, key)
		if err == nil {
			buffer, err = appendAll(buffer, r, size)
		}
		return err
	})
	return buffer, err
}

// appendAll reads an object of a known size, or -1, to its end, and closes it.
func appendAll(buffer []byte, r io.ReadCloser, size int64) ([]byte, error) {
	defer func() { _ = r.Close() }()
	if size > maxObject {
		return buffer, fmt.Errorf("size is %d bytes, more than the limit of %d", size, maxObject)
	}
	content := bytes.NewBuffer(buffer)
	if size > 0 {
		content.Grow(int(size) + bytes.MinRead) // the free space that ReadFrom requires at the end
	}
	n, err := content.ReadFrom(io.LimitReader(r, maxObject+1))
	switch {
	case err != nil:
	case n > maxObject:
		err = fmt.Errorf("size is more than the limit of %d bytes", maxObject)
	case size > 0 && n != size:
		err = fmt.Errorf("%w: received %d of %d bytes", io.ErrUnexpectedEOF, n, size)
	}
	return content.Bytes(), err
}

// list has no time limit as a whole, because it may be long. The time limit is for each entry, and so for each page of them.
func (b *bucket) list(ctx context.Context, prefix, delimiter string, each func(entry)) error {
	err := b.usable(ctx)
	if err == nil {
		limited, cancel := context.WithCancel(ctx)
		defer cancel()
		limit := time.AfterFunc(b.timeout, cancel)
		defer limit.Stop()
		err = b.List(limited, prefix, delimiter, func(key string, modified time.Time) {
			limit.Reset(b.timeout)
			each(entry{key, modified})
		})
		if err != nil && limited.Err() != nil {
			err = cmp.Or(ctx.Err(), context.DeadlineExceeded)
		}
	}
	return operationError("list", prefix, err)
}

func (b *bucket) remove(ctx context.Context, key string) error {
	return b.do(ctx, "delete", key, func(ctx context.Context) error { return ignoreMissing(b.Delete(ctx, key)) })
}

func (b *bucket) ping(ctx context.Context) error {
	return b.do(ctx, "list", root, func(ctx context.Context) error { return b.Ping(ctx, root) })
}

func (b *bucket) close() error {
	b.closed.Store(true)
	return operationError("close", "", b.Close())
}

// ignoreMissing ignores that an object is missing.
func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
