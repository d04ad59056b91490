// SPDX-License-Identifier: Apache-2.0

package files

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// finish does what a crash kept from being done, for one object. What remains different is an edit from outside.
// interrupted says that the object's last write may not have come to its end.
func (d *Directory) finish(stored *object, interrupted bool) error {
	key := string(stored.version.GetKey())
	if stored.path == "" {
		delete(d.objects, key)
		return nil
	}
	content, actual, err := readFile(d.absolute(stored.path))
	if err != nil {
		return fmt.Errorf("look at the file of an object: %w", err)
	}
	if stored.version.GetVersion() == 0 {
		delete(d.objects, key)
		delete(d.paths, stored.path)
		if interrupted && actual != "" && actual == stored.before {
			return removeFile(d.root, d.absolute(stored.path))
		}
		return nil
	}
	outdated := actual == stored.file && !sameObject(content, stored.version.GetValue())
	if outdated || interrupted && actual == stored.before && actual != stored.file {
		return d.rewrite(stored)
	}
	return nil
}

// rewrite makes an object's file what is stored, outside of a write of the object.
func (d *Directory) rewrite(stored *object) error {
	if err := d.write(stored); err != nil {
		return err
	}
	return d.append(record{Key: string(stored.version.GetKey()), File: stored.file})
}

// sweep removes what a crash left of files that were being written.
func (d *Directory) sweep() error {
	return filepath.WalkDir(d.root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return fmt.Errorf("look at the directory: %w", err)
		case entry.IsDir() && entry.Name() == ".git":
			return filepath.SkipDir
		case strings.HasPrefix(entry.Name(), temporaryPrefix):
			return os.Remove(path)
		}
		return nil
	})
}

// settle makes a file what the server has stored, unless it was edited again. accepted is the digest of the edit that the
// API has taken over, or of what the server knows of the file anyway.
func (d *Directory) settle(path, accepted string) error {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	content, actual, err := readFile(d.absolute(path))
	if err != nil || actual != accepted {
		return err
	}
	stored := d.paths[path]
	if stored == nil {
		if actual == "" {
			return nil
		}
		return removeFile(d.root, d.absolute(path)) // created and deleted again
	}
	if actual == "" || !sameObject(content, stored.version.GetValue()) {
		return d.rewrite(stored)
	}
	stored.file, stored.base = actual, nil
	return d.append(record{Key: string(stored.version.GetKey()), File: stored.file})
}

// restore makes a file that holds what the server knows what is stored, if that changed while the file was being edited.
func (d *Directory) restore(path string) error {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	stored := d.paths[path]
	if stored == nil || stored.base == nil && stored.file != "" {
		return nil
	}
	_, actual, err := readFile(d.absolute(path))
	if err != nil || actual != stored.file {
		return err
	}
	return d.rewrite(stored)
}

// read says what was edited in a file, if anything was. It is one look at the file and at what is known of it.
func (d *Directory) read(path string) (found edit, edited bool, err error) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	content, file, err := readFile(d.absolute(path))
	if err != nil {
		return edit{}, false, err
	}
	found = edit{path: path, content: content, file: file}
	known := ""
	if stored := d.paths[path]; stored != nil {
		known = stored.file
		found.stored, found.base = stored.version, stored.base
		if found.base == nil {
			found.base = stored.version.GetValue()
		}
	}
	return found, file != known, nil
}
