// SPDX-License-Identifier: Apache-2.0

package files

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// journal is a file of records, one JSON object per line. It determines what is stored.
type journal struct {
	path   string
	file   *os.File
	size   int64 // where the next record begins
	broken error // why no record can be appended any more
}

// record is a line of the journal, of one of five types:
//   - an object was stored, with its Value or, if it is encrypted, as Sealed;
//   - an object was deleted (Deleted);
//   - an object's file has a known content (a Key without a Revision); Value is then the value that the file was written
//     from, if it is not the stored one, or the content of the file, if it is Partial;
//   - revisions may be in use (Reserved);
//   - the storage was stopped cleanly at a revision (Closed).
type record struct {
	Key      string `json:"key,omitempty"`
	Revision int64  `json:"revision,omitempty"`
	Created  int64  `json:"created,omitempty"`
	Version  int64  `json:"version,omitempty"`
	Value    string `json:"value,omitempty"`
	Sealed   []byte `json:"sealed,omitempty"`
	Deleted  bool   `json:"deleted,omitempty"`
	File     string `json:"file,omitempty"` // the digest of the object's file after the record is applied
	Partial  bool   `json:"partial,omitempty"`
	Reserved int64  `json:"reserved,omitempty"`
	Closed   int64  `json:"closed,omitempty"`
}

// openJournal reads a journal record by record, and opens it for appending. It drops an incomplete last record, which was never
// acknowledged.
func openJournal(path string, each func(record)) (*journal, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	j := &journal{path: path, file: file}
	if err := j.read(each); err != nil {
		return nil, errors.Join(fmt.Errorf("read journal %s: %w", path, err), file.Close())
	}
	if err := errors.Join(file.Truncate(j.size), syncDirectory(filepath.Dir(path))); err != nil {
		return nil, errors.Join(fmt.Errorf("open journal %s: %w", path, err), file.Close())
	}
	return j, nil
}

func (j *journal) read(each func(record)) error {
	lines := bufio.NewReader(j.file)
	for number := 1; ; number++ {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		var parsed record
		if err := json.Unmarshal(line, &parsed); err != nil {
			if _, err := lines.Peek(1); errors.Is(err, io.EOF) {
				return nil // the machine stopped during the write
			}
			return fmt.Errorf("line %d is damaged: %w: restore the directory from a backup", number, err)
		}
		each(parsed)
		j.size += int64(len(line))
	}
}

// append adds records, and returns once all are on the disk. After an error, none is.
func (j *journal) append(records ...record) error {
	if j.broken != nil {
		return j.broken
	}
	content, err := encode(records)
	if err != nil {
		return err
	}
	if err := j.inPlace(); err != nil {
		return err
	}
	if _, err = j.file.WriteAt(content, j.size); err == nil {
		err = j.file.Sync()
	}
	if err != nil {
		err = fmt.Errorf("write journal %s: %w", j.path, err)
		if undo := errors.Join(j.file.Truncate(j.size), j.file.Sync()); undo != nil {
			j.broken = fmt.Errorf("%w; the write could not be undone: %w; the server stores nothing until you restart it", err, undo)
		}
		return err
	}
	j.size += int64(len(content))
	return nil
}

// inPlace returns an error if the open file is not the file that the next start will read.
func (j *journal) inPlace() error {
	opened, err := j.file.Stat()
	if err != nil {
		return fmt.Errorf("check journal %s: %w", j.path, err)
	}
	named, err := os.Lstat(j.path)
	if err != nil {
		return fmt.Errorf("check journal %s: %w", j.path, err)
	}
	if !os.SameFile(opened, named) {
		return fmt.Errorf("journal %s was replaced: the server stores nothing until you restart it", j.path)
	}
	return nil
}

// replace rewrites the journal with the records that still count.
func (j *journal) replace(records []record) error {
	content, err := encode(records)
	if err != nil {
		return err
	}
	if err := writeFile(filepath.Dir(j.path), filepath.Base(j.path), content, j.inPlace); err != nil {
		return fmt.Errorf("rewrite journal %s: %w", j.path, err)
	}
	file, err := os.OpenFile(j.path, os.O_RDWR, 0o600)
	if err != nil {
		j.broken = fmt.Errorf("open rewritten journal: %w", err)
		return j.broken
	}
	old := j.file
	j.file, j.size = file, int64(len(content))
	return old.Close()
}

func encode(records []record) ([]byte, error) {
	var content bytes.Buffer
	encoder := json.NewEncoder(&content) // ends every record with a newline
	encoder.SetEscapeHTML(false)
	for _, record := range records {
		if err := encoder.Encode(record); err != nil {
			return nil, fmt.Errorf("encode the record of %s: %w", record.Key, err)
		}
	}
	return content.Bytes(), nil
}
