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
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"
)

// ErrNotFound means that the archive has no such log or build.
var ErrNotFound = errors.New("not in the log archive")

const (
	// maxObject is the maximum size of an object that is read. The archive writes no larger objects.
	maxObject = 16 << 20
	// uploadBuffer is how much of an upload a service's client may buffer, if the client can be configured. A chunk fits.
	uploadBuffer = 2 << 20
	// maxErrorText is the maximum length of a service's error, in bytes.
	maxErrorText = 1024
)

// objects are the operations of a store. Each has a time limit; their errors are storeErrors.
type objects interface {
	// put stores content, durably and as a whole.
	put(ctx context.Context, key string, content []byte) error
	// get appends an object's content to buffer. Errors: ErrNotFound if there is no such object.
	get(ctx context.Context, key string, buffer []byte) ([]byte, error)
	// list calls each with every key below a prefix, in order. It cuts each key after the first delimiter behind the prefix.
	list(ctx context.Context, prefix, delimiter string, each func(entry)) error
	// remove deletes an object. A missing object is no error.
	remove(ctx context.Context, key string) error
	ping(ctx context.Context) error
	close() error
}

// entry of a list.
type entry struct {
	key      string
	modified time.Time // zero for a key that ends with the delimiter
}

// bucket is objects in a gocloud bucket.
type bucket struct {
	*blob.Bucket
	timeout time.Duration
	// directory of a file:// archive, else empty.
	directory string
}

func (b *bucket) put(ctx context.Context, key string, content []byte) error {
	ctx, cancel := context.WithTimeout(ctx, b.timeout)
	defer cancel()
	if b.directory != "" {
		return operationError("write", key, b.putFile(ctx, key, content))
	}
	return operationError("write", key, b.Upload(ctx, key, bytes.NewReader(content), &blob.WriterOptions{
		ContentType: "application/octet-stream", MaxConcurrency: 1, BufferSize: uploadBuffer,
	}))
}

// putFile writes a file atomically and durably: after a power failure the file is complete, or does not exist.
func (b *bucket) putFile(ctx context.Context, key string, content []byte) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var file *os.File
	w, err := b.NewWriter(ctx, key, &blob.WriterOptions{
		ContentType: "application/octet-stream",
		BeforeWrite: func(as func(any) bool) error {
			if !as(&file) {
				return errors.New("not a file")
			}
			return nil
		},
	})
	if err != nil {
		return err
	}
	_, err = w.Write(content)
	if err == nil {
		err = file.Sync()
	}
	if err != nil {
		cancel() // the temporary file is removed instead of renamed
	}
	if closed := w.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	return b.syncDirectories(key)
}

// syncDirectories makes the name of a file durable, and the names of the directories that may have been created for it.
func (b *bucket) syncDirectories(key string) error {
	for folder := path.Dir(key); ; folder = path.Dir(folder) {
		d, err := os.Open(filepath.Join(b.directory, filepath.FromSlash(folder)))
		if err != nil {
			return err
		}
		err = d.Sync()
		_ = d.Close()
		if err != nil || folder == "." {
			return err
		}
	}
}

func (b *bucket) get(ctx context.Context, key string, buffer []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, b.timeout)
	defer cancel()
	content, err := b.read(ctx, key, buffer)
	return content, operationError("read", key, err)
}

func (b *bucket) read(ctx context.Context, key string, buffer []byte) ([]byte, error) {
	r, err := b.NewReader(ctx, key, nil)
	if err != nil {
		return buffer, err
	}
	defer func() { _ = r.Close() }()
	if r.Size() > maxObject {
		return buffer, fmt.Errorf("size is %d bytes, more than the limit of %d", r.Size(), maxObject)
	}
	content := bytes.NewBuffer(buffer)
	if r.Size() > 0 {
		content.Grow(int(r.Size()) + bytes.MinRead) // the free space that ReadFrom requires at the end
	}
	n, err := content.ReadFrom(io.LimitReader(r, maxObject))
	if err == nil && r.Size() > 0 && n != r.Size() {
		err = fmt.Errorf("%w: received %d of %d bytes", io.ErrUnexpectedEOF, n, r.Size())
	}
	return content.Bytes(), err
}

func (b *bucket) list(ctx context.Context, prefix, delimiter string, each func(entry)) error {
	if b.directory != "" {
		return operationError("list", prefix, b.listFiles(ctx, prefix, delimiter, each))
	}
	for token := blob.FirstPageToken; len(token) > 0; {
		var err error
		if token, err = b.page(ctx, token, prefix, delimiter, each); err != nil {
			return operationError("list", prefix, err)
		}
	}
	return nil
}

// listFiles is list in a directory. fileblob would read the whole directory for each page, fail if a file is deleted meanwhile, and
// leave out unreadable files.
func (b *bucket) listFiles(ctx context.Context, prefix, delimiter string, each func(entry)) error {
	last := ""
	top := filepath.Join(b.directory, filepath.FromSlash(prefix))
	return filepath.WalkDir(top, func(name string, file fs.DirEntry, err error) error {
		if err = cmp.Or(ctx.Err(), err); err != nil || file.IsDir() {
			return ignoreMissing(err)
		}
		info, err := file.Info()
		if err != nil {
			return ignoreMissing(err)
		}
		key := prefix + filepath.ToSlash(strings.TrimPrefix(name, top+string(filepath.Separator)))
		if folder, _, found := strings.Cut(key[len(prefix):], delimiter); found && delimiter != "" {
			if folder != last {
				each(entry{key: prefix + folder + delimiter})
			}
			last = folder
			return nil
		}
		each(entry{key: key, modified: info.ModTime()})
		return nil
	})
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// page lists up to 1000 entries, and returns the token of the next page.
func (b *bucket) page(ctx context.Context, token []byte, prefix, delimiter string, each func(entry)) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, b.timeout)
	defer cancel()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	found, next, err := b.ListPage(ctx, token, 1000, &blob.ListOptions{Prefix: prefix, Delimiter: delimiter})
	if err != nil {
		return nil, err
	}
	for _, o := range found {
		each(entry{key: o.Key, modified: o.ModTime})
	}
	return next, nil
}

func (b *bucket) remove(ctx context.Context, key string) error {
	ctx, cancel := context.WithTimeout(ctx, b.timeout)
	defer cancel()
	err := b.Delete(ctx, key)
	if gcerrors.Code(err) == gcerrors.NotFound {
		return nil
	}
	return operationError("delete", key, err)
}

func (b *bucket) ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, b.timeout)
	defer cancel()
	if b.directory != "" {
		_, err := os.ReadDir(b.directory) // fileblob lists a missing directory without an error
		return operationError("list", "", err)
	}
	_, _, err := b.ListPage(ctx, blob.FirstPageToken, 1, &blob.ListOptions{Prefix: root, Delimiter: "/"})
	return operationError("list", root, err)
}

func (b *bucket) close() error { return operationError("close", "", b.Close()) }

// storeError is a store's error. It does not unwrap, because a service's error may contain the query of a URL, and with it
// credentials.
type storeError struct {
	operation, key string
	err            error
}

// operationError wraps an error of a store; nil stays nil.
func operationError(operation, key string, err error) error {
	if err == nil {
		return nil
	}
	return &storeError{operation: operation, key: key, err: err}
}

// Error implements error. It has one line of limited length.
func (e *storeError) Error() string {
	return fmt.Sprintf("log archive: %s %q: %s", e.operation, e.key, oneLine(e.err.Error()))
}

// Is finds the errors that callers handle: ErrNotFound, an end of the context or of the time limit, and ENOSPC.
func (e *storeError) Is(target error) bool {
	if target == ErrNotFound {
		return gcerrors.Code(e.err) == gcerrors.NotFound
	}
	return errors.Is(e.err, target)
}

// oneLine returns a service's error in one line, without queries and credentials of URLs.
func oneLine(text string) string {
	text = regexp.MustCompile(`://[^/@\s"]*@`).ReplaceAllString(text, "://")
	text = regexp.MustCompile(`(://[^\s?"]*)\?[^\s"]*`).ReplaceAllString(text, "$1")
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > maxErrorText {
		text = strings.ToValidUTF8(text[:maxErrorText], "") + "…"
	}
	return text
}
