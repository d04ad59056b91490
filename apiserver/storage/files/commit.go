// SPDX-License-Identifier: Apache-2.0

package files

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"

	"go.etcd.io/etcd/api/v3/mvccpb"
)

// Commit stores changes for the memory storage. It returns once they are in the journal and in their files.
func (d *Directory) Commit(revision int64, changes []*mvccpb.KeyValue) error {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	var records []record
	for _, change := range changes {
		planned, err := d.plan(revision, change)
		if err != nil {
			return err
		}
		records = append(records, planned...)
	}
	if len(records) == 0 {
		return d.reserve(revision)
	}
	if err := d.append(records...); err != nil {
		return err
	}
	d.reserved = max(d.reserved, revision)
	for _, r := range records { // no change can be refused from here on
		d.applyToFiles(r)
	}
	for _, change := range changes {
		if stored := d.objects[string(change.GetKey())]; stored != nil {
			stored.version = change // the memory storage has the same value
		}
	}
	if err := d.tidy(); err != nil {
		d.report(err.Error())
	}
	return nil
}

func (d *Directory) append(records ...record) error {
	records = append(d.owed, records...)
	if err := d.journal.append(records...); err != nil {
		return err
	}
	d.records += len(records)
	d.owed = nil
	d.closed = 0
	return nil
}

// reserve ensures that no revision is used twice, even if its change is not stored in the journal.
func (d *Directory) reserve(revision int64) error {
	if revision <= d.reserved {
		return nil
	}
	if err := d.append(record{Reserved: revision + reservation}); err != nil {
		return err
	}
	d.reserved = revision + reservation
	return nil
}

// plan returns the record of a change, or none if it stays in memory.
func (d *Directory) plan(revision int64, change *mvccpb.KeyValue) ([]record, error) {
	key := string(change.GetKey())
	known := d.objects[key]
	if sealed(change) && change.GetLease() == 0 {
		if known != nil && known.path != "" {
			return nil, fmt.Errorf("store %s encrypted: its file %s is not: delete the object before", key, known.path)
		}
		return []record{recordOf(change)}, nil
	}
	place, isObject := placeOf(change)
	if change.GetVersion() == 0 || change.GetLease() != 0 || !isObject {
		if bytes.HasPrefix(change.GetValue(), []byte("k8s\x00")) && change.GetLease() == 0 {
			return nil, fmt.Errorf("store %s: object is encoded as protobuf: files can store only JSON", key)
		}
		if change.GetLease() == 0 && !isObject && headOf(change).isObject() {
			return nil, fmt.Errorf("store %s: object key must be /<prefix>/[<group>/]<resource>/[<namespace>/]<name>", key)
		}
		if known == nil {
			return nil, nil
		}
		return []record{{Key: key, Revision: revision, Deleted: true}}, nil
	}
	path := place.path()
	if other := d.paths[path]; other != nil && other != known {
		return nil, fmt.Errorf("store object in %s: the file belongs to %s", path, other.version.GetKey())
	}
	_, actual, err := readFile(d.root, path)
	if err != nil {
		return nil, fmt.Errorf("read the file of %s: %w", key, err)
	}
	r := recordOf(change)
	if path == d.asked {
		same := false
		if known != nil {
			if same, err = sameFile(known.version.GetValue(), change.GetValue()); err != nil {
				return nil, fmt.Errorf("%s: %w", path, err)
			}
		}
		if !same {
			d.answers++
		}
		return []record{r}, nil // the editor handles the edit once this write is answered
	}
	if r.File, err = planFile(known, actual, change.GetValue()); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return []record{r}, nil
}

// planFile returns the digest of an object's file after a value is stored, or "" if the file was edited and is not changed.
// If the change is not visible in the file, the file stays as it was written, with its comments.
func planFile(known *object, actual string, value []byte) (string, error) {
	content, err := render(value)
	switch {
	case err != nil:
		return "", err
	case known == nil && actual == "":
		return digest(content), nil
	case known == nil || actual != known.file && !known.partial:
		return "", nil
	case actual == known.file && (actual == "" || known.base != nil && !known.partial):
		return digest(content), nil
	}
	same, err := sameFile(known.version.GetValue(), value)
	switch {
	case err != nil:
		return "", err
	case same:
		return known.file, nil
	case actual != known.file:
		return "", nil
	}
	return digest(content), nil
}

// applyToFiles applies stored changes to the files. A file that cannot be written is out of date until the next write or the
// next start.
func (d *Directory) applyToFiles(r record) {
	var before object
	if known := d.objects[r.Key]; known != nil {
		before = *known
	}
	d.replay(r)
	d.records-- // append has counted it
	stored := d.objects[r.Key]
	var err error
	switch {
	case r.Deleted:
		if stored.path != "" {
			err = d.remove(stored)
		}
		delete(d.objects, r.Key)
		delete(d.paths, stored.path)
	case r.File != "" && r.File != before.file:
		err = d.overwrite(stored, before)
	}
	if err != nil {
		d.report(fmt.Sprintf("%s: the object is stored, but its file is not up to date: %v", stored.path, err))
	}
}

// overwrite writes an object's file, unless it was edited since the write was planned.
func (d *Directory) overwrite(stored *object, before object) error {
	err := d.write(stored, before.file)
	if err == nil {
		return nil
	}
	if errors.Is(err, errEdited) {
		err = nil
	}
	// The journal has recorded the file as written.
	stored.file, stored.base, stored.partial = before.file, before.base, false
	if stored.base == nil && before.version != nil {
		stored.base = before.version.GetValue()
	}
	correction := record{Key: string(stored.version.GetKey()), File: stored.file, Value: string(stored.base)}
	unwritten := d.append(correction)
	if unwritten != nil {
		d.owed = append(d.owed, correction) // must precede any other record
	}
	return errors.Join(err, unwritten)
}

// write writes the stored object to its file, if the file has the expected content.
func (d *Directory) write(stored *object, expected string) error {
	content, err := render(stored.version.GetValue())
	if err != nil {
		return err
	}
	path := stored.path
	if err := makeDirectory(d.root, filepath.Dir(path)); err != nil {
		return err
	}
	unchanged := func() error {
		_, actual, err := readFile(d.root, path)
		if err == nil && actual != expected {
			err = errEdited
		}
		return err
	}
	if err := writeFile(d.root, path, content, unchanged); err != nil {
		return err
	}
	stored.file, stored.base, stored.partial = digest(content), nil, false
	return nil
}

// remove removes a deleted object's file. If the file was edited meanwhile, it is moved aside, so that it does not create the
// object again.
func (d *Directory) remove(gone *object) error {
	path := gone.path
	_, actual, err := readFile(d.root, path)
	if err != nil || actual == "" {
		return err
	}
	if actual == gone.before {
		return removeFile(d.root, path)
	}
	name := filepath.Base(path)
	if len(name) > longestName-len(".edited") {
		name = "~" + digest([]byte(name))[:16] + extension
	}
	directory, err := openDirectory(d.root, filepath.Dir(path))
	if err != nil {
		return err
	}
	aside := "." + name + ".edited"
	if err := directory.Rename(filepath.Base(path), aside); err != nil {
		return errors.Join(err, directory.Close())
	}
	d.report(fmt.Sprintf("%s: the object was deleted while its file was being edited; the edit is in %s", gone.path, aside))
	return errors.Join(syncOpened(directory), directory.Close())
}

// tidy rewrites the journal if most of its records are obsolete.
func (d *Directory) tidy() error {
	if d.records <= slack+2*len(d.objects) {
		return nil
	}
	var records []record
	for key, stored := range d.objects {
		r := recordOf(stored.version)
		r.File = stored.file
		records = append(records, r)
		if stored.base != nil {
			records = append(records, record{Key: key, File: stored.file, Value: string(stored.base), Partial: stored.partial})
		}
	}
	records = append(records, record{Reserved: d.reserved}) // last, because it marks the write before it as complete
	if d.closed != 0 {
		records = append(records, record{Closed: d.closed})
	}
	if err := d.journal.replace(records); err != nil {
		return err
	}
	d.records, d.owed = len(records), nil
	return nil
}

// recordOf returns the record of a stored version.
func recordOf(version *mvccpb.KeyValue) record {
	r := record{
		Key: string(version.GetKey()), Revision: version.GetModRevision(), Created: version.GetCreateRevision(), Version: version.GetVersion(),
	}
	if sealed(version) {
		r.Sealed = version.GetValue()
	} else {
		r.Value = string(version.GetValue())
	}
	return r
}

// sealed reports whether a version is encrypted, so that only the journal has it.
func sealed(version *mvccpb.KeyValue) bool {
	return version.GetVersion() != 0 && bytes.HasPrefix(version.GetValue(), []byte("k8s:enc:"))
}

// placeOf returns the place of an object in the API. A key that is not of an object has no place.
func placeOf(version *mvccpb.KeyValue) (place, bool) {
	head := headOf(version)
	if !head.isObject() {
		return place{}, false
	}
	return placeOfKey(string(version.GetKey()), head.APIVersion)
}
