// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"
	"go.etcd.io/etcd/client/pkg/v3/fileutil"
	"go.etcd.io/etcd/server/v3/storage/schema"
	"go.etcd.io/etcd/server/v3/storage/wal"
	"go.etcd.io/etcd/server/v3/storage/wal/walpb"
	"go.uber.org/zap"
	"google.golang.org/protobuf/proto"
)

// DamageError reports a file from which etcd cannot start without losing objects.
type DamageError struct {
	// Path is the path of the file, or of a directory if the damaged file in it is unknown.
	Path string
	// Cause is what is wrong with the file.
	Cause error
}

// Error implements error.
func (e *DamageError) Error() string { return fmt.Sprintf("%s is damaged: %v", e.Path, e.Cause) }

// Unwrap returns the cause.
func (e *DamageError) Unwrap() error { return e.Cause }

// checkFiles returns a DamageError for files of a member that would end this process, or that etcd would take although entries are
// lost: it then answers no request, because it regards new entries as applied already.
//
// The database records the last entry that was applied to it. An entry is applied after the write-ahead log has it on disk, so a log
// that ends earlier has lost its end.
func checkFiles(member string) error {
	database, log := filepath.Join(member, "snap", "db"), filepath.Join(member, "wal")
	applied, err := appliedIndex(database)
	if err != nil {
		return &DamageError{Path: database, Cause: err}
	}
	segment, err := lastSegment(log)
	if err != nil {
		return err
	}
	switch {
	case segment == "" && applied > 0:
		return &DamageError{Path: log, Cause: errors.New("it has no files, but the database beside it has objects")}
	case segment == "":
		return nil // a new member, or one whose first start was cut short
	}
	snapshots, err := wal.ValidSnapshotEntries(zap.NewNop(), log)
	if err != nil {
		return &DamageError{Path: log, Cause: err}
	}
	if n := len(snapshots); n > 0 && snapshots[n-1].GetIndex() > applied {
		return &DamageError{Path: database, Cause: fmt.Errorf("it is missing, or older than the write-ahead log: it has entries up to %d, and the log those after %d", applied, snapshots[n-1].GetIndex())}
	}
	last, err := lastEntry(segment)
	if err == nil && last < applied {
		err = fmt.Errorf("it ends with entry %d, but the database has entry %d", last, applied)
	}
	if err != nil {
		return &DamageError{Path: segment, Cause: err}
	}
	return nil
}

// appliedIndex returns the index of the last entry that a database has: 0 if the database is missing or empty, because etcd can build
// it from a log that has all entries. It reads the structure of the whole database, because etcd reads the database in goroutines of
// its own, where damage ends the process.
func appliedIndex(path string) (index uint64, err error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0 {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true)) // a part of the file that the disk cannot read is a fault of memory
	defer recoverInto(&err)
	err = view(path, &bolt.Options{}, func(tx *bolt.Tx) error {
		if tx.Size() > info.Size() {
			return fmt.Errorf("it has %d of %d bytes", info.Size(), tx.Size())
		}
		return tx.ForEach(func(name []byte, bucket *bolt.Bucket) error {
			if string(name) == string(schema.Meta.Name()) {
				if value := bucket.Get(schema.MetaConsistentIndexKeyName); len(value) == 8 {
					index = binary.BigEndian.Uint64(value)
				}
			}
			cursor := bucket.Cursor()
			return bucket.ForEach(func(key, value []byte) error {
				if found, _ := cursor.Seek(key); !bytes.Equal(found, key) {
					return fmt.Errorf("its key %x is in a wrong place", key)
				}
				_ = bytes.Count(value, []byte{0}) // fails if the database does not have all of it
				return nil
			})
		})
	})
	if err != nil {
		return 0, err
	}
	// The rest of what etcd regards as damage: bbolt reports it here in this goroutine.
	return index, view(path, &bolt.Options{PreLoadFreelist: true}, func(*bolt.Tx) error { return nil })
}

// view reads a database.
func view(path string, options *bolt.Options, read func(tx *bolt.Tx) error) (err error) {
	options.ReadOnly, options.Timeout = true, time.Second
	database, err := bolt.Open(path, 0, options)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, database.Close()) }()
	return database.View(read)
}

// lastSegment returns the last file of a write-ahead log, or "" if it has none.
func lastSegment(log string) (string, error) {
	entries, err := os.ReadDir(log)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read the write-ahead log: %w", err)
	}
	for _, entry := range slices.Backward(entries) { // sorted by name, and so by position
		if strings.HasSuffix(entry.Name(), ".wal") {
			return filepath.Join(log, entry.Name()), nil
		}
	}
	return "", nil
}

// lastEntry returns the index of the last entry of a write-ahead log, whose last file begins with the metadata and the index in
// its name.
func lastEntry(segment string) (last uint64, err error) {
	defer recoverInto(&err)
	var sequence uint64
	if _, err := fmt.Sscanf(filepath.Base(segment), "%016x-%016x.wal", &sequence, &last); err != nil {
		return 0, fmt.Errorf("read its name: %w", err)
	}
	last = max(last, 1) - 1
	file, err := os.Open(segment)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	decoder, record, hasMetadata := wal.NewDecoder(fileutil.NewFileReader(file)), &walpb.Record{}, false
	for err = decoder.Decode(record); err == nil; err = decoder.Decode(record) {
		switch record.GetType() {
		case wal.MetadataType:
			hasMetadata = true
		case wal.EntryType:
			last = wal.MustUnmarshalEntry(record.GetData()).GetIndex()
		case wal.SnapshotType:
			snapshot := &walpb.Snapshot{}
			if err := proto.Unmarshal(record.GetData(), snapshot); err != nil {
				return 0, err
			}
			last = max(last, snapshot.GetIndex())
		case wal.CrcType:
			decoder.UpdateCRC(record.GetCrc())
		}
	}
	switch {
	case !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF): // etcd removes an incomplete last entry, which nobody was told of
		return 0, err
	case !hasMetadata:
		return 0, errors.New("it has no beginning")
	}
	return last, nil
}

// recoverInto turns a panic into an error.
func recoverInto(err *error) {
	if cause := recover(); cause != nil {
		*err = fmt.Errorf("%v", cause)
	}
}
