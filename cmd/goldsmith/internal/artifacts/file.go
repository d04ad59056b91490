// SPDX-License-Identifier: Apache-2.0

package artifacts

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"goldsmith.dev/goldsmith/cmd/internal/ownfile"
)

// toFile writes the content to a file, or to the default file of a directory, and returns the path. An existing file with the same
// content stays. Until the content is complete and verified, it is in a partial file, where the next call continues.
func (f *fetch) toFile(ctx context.Context, path string, force bool) (string, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, f.fileName)
	}
	if done, err := f.exists(ctx, path, force); done || err != nil {
		return path, err
	}
	partial := path + "." + strings.TrimPrefix(f.Digest, "sha256:")[:12] + ".partial"
	file, err := openPartial(partial)
	if err != nil {
		return "", err
	}
	if err := errors.Join(f.complete(ctx, file), file.Close()); err != nil {
		return "", f.explain(err, partial)
	}
	if err := os.Rename(partial, path); err != nil {
		return "", fmt.Errorf("store the %s: %w", f.content, err)
	}
	return path, f.progress.writeLine(fmt.Sprintf("%s %s: %s, %s, verified", f.progress.mark(), f.content, size(f.SizeBytes), f.Digest))
}

// exists reports whether a file has the content already. It returns an error if another file is there and force is false.
func (f *fetch) exists(ctx context.Context, path string, force bool) (bool, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("check file %s: %w", path, err)
	case !info.Mode().IsRegular():
		return false, fmt.Errorf("%s is no regular file: write to it with `-o -`, or name another file with -o", path)
	}
	if err := ownfile.Trusted(path); err != nil && !force {
		return false, err
	} else if err == nil && info.Size() == f.SizeBytes {
		sum := sha256.New()
		file, err := os.Open(path)
		if err == nil {
			_, err = copyHash(ctx, sum, file)
			err = errors.Join(err, file.Close())
		}
		if err != nil {
			return false, fmt.Errorf("compare file %s: %w", path, err)
		}
		if f.verify(sum) == nil {
			return true, f.progress.writeLine(fmt.Sprintf("%s %s is there already: %s, verified", f.progress.mark(), f.content, f.Digest))
		}
	}
	if !force {
		return false, fmt.Errorf("%s exists, and is not the %s: replace it with --force, or name another file with -o", path, f.content)
	}
	return false, nil
}

// openPartial opens a partial file for this process only, and creates it if it does not exist.
func openPartial(path string) (*os.File, error) {
	for {
		file, err := ownfile.Open(path, os.O_CREATE|os.O_RDWR, 0o666) // the umask of the user decides who can read it
		if err != nil {
			return nil, fmt.Errorf("open the partial file: %w", err)
		}
		err = lock(file)
		if errors.Is(err, errLocked) {
			err = errors.New("another command fetches the same artifact: wait for it, or name another file with -o")
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("open the partial file %s: %w", path, err), file.Close())
		}
		opened, err := file.Stat()
		if err != nil {
			return nil, errors.Join(fmt.Errorf("open the partial file: %w", err), file.Close())
		}
		if named, err := os.Stat(path); err == nil && os.SameFile(opened, named) {
			return file, nil
		}
		if err := file.Close(); err != nil { // another command has completed it meanwhile
			return nil, fmt.Errorf("close the partial file: %w", err)
		}
	}
}

// damagedError reports that the digest of the content differs.
type damagedError struct{ error }

// complete writes what a partial file lacks, and verifies all of it.
func (f *fetch) complete(ctx context.Context, file *os.File) error {
	sum := sha256.New()
	have, err := f.keepBeginning(ctx, file, sum)
	if err != nil {
		return err
	}
	f.progress.begin(have)
	holes := &Sparse{File: file, At: have}
	err = errors.Join(f.rest(ctx, &hashing{holes, sum}, have), holes.Finish())
	f.progress.end()
	if err != nil {
		return err
	}
	if err := f.verify(sum); err != nil {
		return &damagedError{err}
	}
	return nil
}

// keepBeginning hashes what a partial file has, so that the fetch continues there. It empties a file that has too much.
func (f *fetch) keepBeginning(ctx context.Context, file *os.File, sum hash.Hash) (int64, error) {
	info, err := file.Stat()
	if err != nil {
		return 0, err
	}
	if info.Size() > f.SizeBytes {
		return 0, file.Truncate(0)
	}
	if info.Size() > 0 {
		if err := f.progress.writeLine(fmt.Sprintf("%s checking the %s in %s", f.progress.step(), size(info.Size()), file.Name())); err != nil {
			return 0, err
		}
	}
	return copyHash(ctx, sum, file)
}

func copyHash(ctx context.Context, sum hash.Hash, file *os.File) (int64, error) {
	return io.CopyBuffer(sum, untilDone{ctx, file}, make([]byte, bufferSize))
}

// untilDone reads until ctx is done.
type untilDone struct {
	ctx context.Context
	io.Reader
}

// Read implements io.Reader.
func (r untilDone) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}

// explain completes the error of a fetch, and tells what became of the partial file.
func (f *fetch) explain(err error, partial string) error {
	if _, damaged := errors.AsType[*damagedError](err); damaged { // nobody can tell which bytes are wrong
		if removal := os.Remove(partial); removal != nil {
			return fmt.Errorf("%w; remove %s, and run the command again", err, partial)
		}
		return fmt.Errorf("%w; its partial file was removed: run the command again", err)
	}
	switch info, failure := os.Stat(partial); {
	case failure != nil:
	case info.Size() == 0: // another call has nothing to continue
		err = errors.Join(err, os.Remove(partial))
	default:
		_ = f.progress.writeLine(fmt.Sprintf("%s %s keeps %s of %s: run the command again to continue", f.progress.step(), partial, size(info.Size()), size(f.SizeBytes)))
	}
	return f.explainFailure(err)
}
