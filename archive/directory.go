// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"
)

// temporarySuffix of a file that is not yet complete.
const temporarySuffix = ".tmp"

// directory is a bucket of files. Its value is the path.
type directory string

// openDirectory opens a directory, and creates it if it is missing.
func openDirectory(u *url.URL) (directory, error) {
	d, err := directoryOf(u)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(string(d), 0o700); err != nil {
		return "", fmt.Errorf("create directory: %w", err)
	}
	return d, nil
}

// directoryOf returns the directory of a URL.
func directoryOf(u *url.URL) (directory, error) {
	if u.Host != "" && u.Host != "localhost" || !filepath.IsAbs(u.Path) {
		return "", errors.New("a file URL must have an absolute path and no host: file:///directory")
	}
	if u.RawQuery != "" || u.Fragment != "" {
		return "", errors.New("remove the query and the fragment from the file URL")
	}
	return directory(filepath.Clean(u.Path)), nil
}

func (d directory) file(key string) string {
	return filepath.Join(string(d), filepath.FromSlash(key))
}

// Put writes a file atomically and durably: after a power failure the file is complete, or does not exist.
func (d directory) Put(ctx context.Context, key string, content []byte) error {
	if err := replace(ctx, d.file(key), content); err != nil {
		return err
	}
	return d.syncDirectories(key)
}

// replace renames a temporary file beside the file, so that both are in one file system.
func replace(ctx context.Context, name string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	temporary := name + "." + rand.Text() + temporarySuffix
	file, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666) //nolint:gosec // the umask and the directory restrict who reads it
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	if err == nil {
		err = file.Sync()
	}
	if err = cmp.Or(err, file.Close(), ctx.Err()); err == nil {
		err = os.Rename(temporary, name)
	}
	if err != nil {
		_ = os.Remove(temporary)
	}
	return err
}

// syncDirectories makes the name of a file durable, and the names of the directories that may have been created for it.
func (d directory) syncDirectories(key string) error {
	for folder := path.Dir(key); ; folder = path.Dir(folder) {
		f, err := os.Open(d.file(folder))
		if err != nil {
			return err
		}
		if err = cmp.Or(f.Sync(), f.Close()); err != nil || folder == "." {
			return err
		}
	}
}

// Read opens a file.
func (d directory) Read(_ context.Context, key string) (io.ReadCloser, int64, error) {
	file, err := os.Open(d.file(key))
	if err != nil {
		return nil, 0, err
	}
	info, err := file.Stat()
	if err == nil && info.IsDir() {
		err = fs.ErrNotExist
	}
	if err != nil {
		return nil, 0, cmp.Or(err, file.Close())
	}
	return file, info.Size(), nil
}

// List leaves out files that are deleted meanwhile.
func (d directory) List(ctx context.Context, prefix, delimiter string, each func(string, time.Time)) error {
	top, cut := d.file(prefix)+string(filepath.Separator), cutting(prefix, delimiter, each) // with a separator, top may be a symbolic link
	return filepath.WalkDir(top, func(name string, file fs.DirEntry, err error) error {
		if err = cmp.Or(ctx.Err(), err); err != nil || file.IsDir() {
			return ignoreMissing(err)
		}
		info, err := file.Info()
		if err == nil {
			cut(prefix+filepath.ToSlash(strings.TrimPrefix(name, top)), info.ModTime())
		}
		return ignoreMissing(err)
	})
}

// cutting returns a function that cuts keys as Bucket.List does. Keys that are the same after the cut must follow each other.
func cutting(prefix, delimiter string, each func(string, time.Time)) func(key string, modified time.Time) {
	last := ""
	return func(key string, modified time.Time) {
		folder, _, found := strings.Cut(key[len(prefix):], delimiter)
		switch folder = prefix + folder + delimiter; {
		case !found || delimiter == "":
			each(key, modified)
		case folder != last:
			each(folder, time.Time{})
			last = folder
		}
	}
}

// Delete deletes a file.
func (d directory) Delete(_ context.Context, key string) error { return os.Remove(d.file(key)) }

// Ping fails for a missing directory, which has no objects for List.
func (d directory) Ping(context.Context, string) error {
	_, err := os.ReadDir(string(d))
	return err
}

// Close implements Bucket.
func (directory) Close() error { return nil }
