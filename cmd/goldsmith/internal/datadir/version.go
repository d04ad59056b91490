// SPDX-License-Identifier: Apache-2.0

package datadir

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"

	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/shellword"
	"goldsmith.dev/goldsmith/cmd/internal/buildversion"
)

const (
	// VersionFile is the record of the version that last used a data directory. A backup holds it too.
	VersionFile = "version.json"
	// format is the number of the format of a data directory, which grows when an older program cannot read what this program writes. A
	// directory without a record has format 1.
	format = 1
)

// Version is a record of what wrote a data directory. Later versions may add fields.
type Version struct {
	// Format is the number of the format, from 1.
	Format int `json:"format"`
	// Version is that of the last program that used the directory. A program that does not know its release leaves the version of one that did.
	Version string `json:"version"`
}

// NewerError reports data that a newer program has written.
type NewerError struct {
	// Data names the data directory or the backup.
	Data string
	// Written is the record of the data.
	Written Version
	// Program is the version of this program.
	Program string
}

// Error names both versions and what to do.
func (e *NewerError) Error() string {
	reason, install, ours := "", "the version that wrote it, or a later version", "this program"
	if e.Written.Format > format {
		reason = fmt.Sprintf(" in format %d, but this program reads formats up to %d", e.Written.Format, format)
	}
	if release, known := buildversion.ReleaseOf(e.Written.Version); known {
		install = fmt.Sprintf("goldsmith %s or later", release)
	}
	if release, known := buildversion.ReleaseOf(e.Program); known {
		ours = fmt.Sprintf("goldsmith %s", release)
	}
	return fmt.Sprintf("%s is newer than this program, goldsmith %s: goldsmith %s has written it%s\nnothing was changed: install %s, or restore a backup that %s has made",
		e.Data, e.Program, e.Written.Version, reason, install, ours)
}

// ParseVersion reads a record, and fails with a *NewerError if a program of the given version cannot read the data.
func ParseVersion(record io.Reader, data, program string) (Version, error) {
	var written Version
	content, err := io.ReadAll(io.LimitReader(record, MaxServerFile))
	if err == nil {
		err = json.Unmarshal(content, &written)
	}
	switch {
	case err != nil:
		return Version{}, err
	case written.Format < 1:
		return Version{}, errors.New("it has no format")
	}
	written.Version = cmp.Or(written.Version, buildversion.Unknown)
	theirs, known := buildversion.ReleaseOf(written.Version)
	ours, alsoKnown := buildversion.ReleaseOf(program)
	if written.Format > format || known && alsoKnown && theirs.Compare(ours) > 0 {
		return Version{}, &NewerError{data, written, program}
	}
	return written, nil
}

// CheckVersion fails with a *NewerError if a program of the given version cannot read a data directory, and with another error if the record
// is damaged. It changes nothing. It returns the zero Version for a directory without a record.
func CheckVersion(directory, program string) (written Version, err error) {
	path := filepath.Join(directory, VersionFile)
	record, err := ReadFile(path, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return Version{}, nil
	}
	if _, unread := errors.AsType[*fs.PathError](err); unread {
		return Version{}, fmt.Errorf("read the version of data directory %s: %w", directory, err)
	}
	if err == nil {
		written, err = ParseVersion(bytes.NewReader(record), "data directory "+directory, program)
	}
	if _, newer := errors.AsType[*NewerError](err); err != nil && !newer {
		return Version{}, fmt.Errorf("%s is damaged: %w; nothing was changed: if no version newer than goldsmith %s has used the directory: rm %s", path, err, program, shellword.Quote(path))
	}
	return written, err
}

// recordVersion replaces the record, unless it is that of this program already. The record is on the disk before newer data is.
func (d *Directory) recordVersion(written Version, program string) error {
	_, wasKnown := buildversion.ReleaseOf(written.Version)
	if _, known := buildversion.ReleaseOf(program); wasKnown && !known {
		program = written.Version // otherwise an older program could no longer tell
	}
	if written == (Version{format, program}) {
		return nil
	}
	content, err := json.Marshal(Version{format, program})
	if err == nil {
		err = WriteFile(d.Join(VersionFile), append(content, '\n'))
	}
	if err == nil {
		err = syncDirectory(d.Path)
	}
	if err != nil {
		return fmt.Errorf("record the version in data directory %s: %w", d.Path, err)
	}
	return nil
}
