// SPDX-License-Identifier: Apache-2.0

package files

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"
)

// finish completes the last write of an object that a crash may have interrupted. Any remaining difference is an edit from outside.
// interrupted is whether the object's last write may be incomplete.
func (d *Directory) finish(stored *object, interrupted bool) error {
	key := string(stored.version.GetKey())
	if stored.path == "" {
		if !sealed(stored.version) {
			delete(d.objects, key)
		}
		return nil
	}
	content, actual, err := readFile(d.root, stored.path)
	if err != nil {
		return fmt.Errorf("read the file of an object: %w", err)
	}
	if stored.version.GetVersion() == 0 {
		delete(d.objects, key)
		delete(d.paths, stored.path)
		if interrupted && actual != "" && actual == stored.before {
			return removeFile(d.root, stored.path)
		}
		return nil
	}
	outdated := actual == stored.file && !stored.partial && !sameObject(content, stored.version.GetValue())
	if outdated || interrupted && actual == stored.before && actual != stored.file {
		return d.rewrite(stored, actual)
	}
	return nil
}

// rewrite writes the stored object to its file, independent of a write of the object.
func (d *Directory) rewrite(stored *object, actual string) error {
	err := d.write(stored, actual)
	if errors.Is(err, errEdited) {
		return nil // that edit is seen, too
	}
	if err != nil {
		return err
	}
	return d.append(record{Key: string(stored.version.GetKey()), File: stored.file})
}

// sweep removes temporary files that a crash left.
func (d *Directory) sweep() error {
	return filepath.WalkDir(d.root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return fmt.Errorf("read the directory: %w", err)
		case entry.IsDir() && entry.Name() == ".git":
			return filepath.SkipDir
		case strings.HasPrefix(entry.Name(), temporaryPrefix):
			return os.Remove(path) //nolint:gosec // only users who may remove the objects themselves can put a link in its way
		}
		return nil
	})
}

// settle writes the stored object to its file. accepted is the edit that the API has accepted, or the known content of the
// file. If the file was edited again, that is a new edit of the accepted content. If the stored object has only defaults in
// addition to the file, the file stays as it was written.
func (d *Directory) settle(accepted edit) error {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	d.asked = ""
	path, stored := accepted.path, d.paths[accepted.path]
	content, actual, err := readFile(d.root, path)
	if err != nil {
		return err
	}
	partial := accepted.whole && d.answers <= 1
	if actual != accepted.file {
		if stored == nil || accepted.file == "" {
			return nil
		}
		return d.keep(stored, accepted, partial)
	}
	if stored == nil {
		if actual == "" {
			return nil
		}
		return removeFile(d.root, path) // created and deleted again
	}
	if actual == "" {
		return d.rewrite(stored, actual)
	}
	if !sameObject(content, stored.version.GetValue()) {
		if !partial {
			return d.rewrite(stored, actual)
		}
		return d.keep(stored, accepted, partial)
	}
	stored.file, stored.base, stored.partial = actual, nil, false
	return d.append(record{Key: string(stored.version.GetKey()), File: stored.file})
}

// keep notes the accepted edit as the content of an object's file.
func (d *Directory) keep(stored *object, accepted edit, partial bool) error {
	base, err := yaml.YAMLToJSON(accepted.content)
	if err != nil {
		return err
	}
	stored.file, stored.base, stored.partial = accepted.file, base, partial
	return d.append(record{Key: string(stored.version.GetKey()), File: stored.file, Value: string(base), Partial: partial})
}

// restore writes the stored object to its file, if the object changed while the file was being edited, and the file has the
// known content.
func (d *Directory) restore(path string) error {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	stored := d.paths[path]
	if stored == nil || stored.partial || stored.base == nil && stored.file != "" {
		return nil
	}
	_, actual, err := readFile(d.root, path)
	if err != nil || actual != stored.file {
		return err
	}
	return d.rewrite(stored, actual)
}

// read returns the edit of a file, if it was edited. It compares the file with its known content.
func (d *Directory) read(path string) (found edit, edited bool, err error) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	content, file, err := readFile(d.root, path)
	if err != nil {
		return edit{}, false, err
	}
	found = edit{path: path, content: content, file: file, whole: true}
	known := ""
	if stored := d.paths[path]; stored != nil {
		known = stored.file
		found.stored, found.base = stored.version, stored.base
		found.whole = known != "" && (stored.base == nil || stored.partial)
		switch {
		case found.base != nil:
		case known == "":
			// A new file has the fields that should be set, and none that should be removed.
			head := headOf(stored.version)
			found.base = fmt.Appendf(nil, `{"apiVersion":%q,"kind":%q}`, head.APIVersion, head.Kind)
		default:
			found.base = stored.version.GetValue()
		}
	}
	return found, file != known, nil
}
