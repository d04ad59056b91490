// SPDX-License-Identifier: Apache-2.0

package datadir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"goldsmith.dev/goldsmith/apiserver/storage/etcd"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/shellword"
	"goldsmith.dev/goldsmith/records"
)

// Explain adds to the error of a damaged file what is lost, and what to do, and to the error of a full disk what to do.
func Explain(directory string, err error) error {
	restore := fmt.Sprintf("to restore a backup: mv %[1]s %[2]s && goldsmith restore --data-dir %[1]s BACKUP",
		shellword.Quote(directory), shellword.Quote(directory+".damaged"))
	if damage, ok := errors.AsType[*etcd.DamageError](err); ok {
		return fmt.Errorf("%w\nlost: all changes of images, builds and other objects since the last backup; records and archived logs are in other files\n%s", damage, restore)
	}
	if damage, ok := errors.AsType[*records.DamageError](err); ok {
		aside := filepath.Join(filepath.Dir(damage.Path), "damaged")
		name, _, _ := strings.Cut(filepath.Base(damage.Path), ".db")
		database := filepath.Join(filepath.Dir(damage.Path), name+".db") // the damage may be in one of its further files
		return fmt.Errorf("%w\nlost: the history, statistics, changes and notes since the last backup; images and builds are in other files\n%s\n"+
			"to start without history: mkdir %s && mv %s* %s", damage, restore, shellword.Quote(aside), shellword.Quote(database), shellword.Quote(aside))
	}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		where := "there" // not always in the data directory: a backup is written to another
		if _, named := errors.AsType[*fs.PathError](err); !named {
			where = "on the file system of " + directory
		}
		return fmt.Errorf("%w: free space %s, then try again", err, where)
	}
	return err
}

// CheckTypes reports a named pipe, a device or a socket where a data directory has a file: to open a named pipe waits for ever. It leaves
// out the sockets of running servers, and what builders write.
func CheckTypes(directory string) error {
	return filepath.WalkDir(directory, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return nil //nolint:nilerr // whatever opens the file has the same error
		}
		name, err := filepath.Rel(directory, path)
		if err != nil {
			return err
		}
		if entry.IsDir() && (entry.Name() == "run" || strings.HasPrefix(name, "builds")) {
			return fs.SkipDir
		}
		kind := entry.Type()
		if info, err := os.Stat(path); kind == fs.ModeSymlink && err == nil {
			kind = info.Mode().Type()
		}
		if kind&^(fs.ModeDir|fs.ModeSymlink) == 0 {
			return nil
		}
		cause := errors.New("it is a named pipe, a device or a socket instead of a file")
		switch {
		case strings.HasPrefix(name, "storage"+string(filepath.Separator)):
			return &etcd.DamageError{Path: path, Cause: cause}
		case name == EncryptionFile:
			return (&Directory{Path: directory}).encryptionError(cause, true)
		case strings.HasPrefix(name, "records"):
			return &records.DamageError{Path: path, Cause: cause}
		}
		return fmt.Errorf("%s is damaged: %w: delete it, or move it away", path, cause)
	})
}

// checkRecordsFile reports an empty file as damaged if a server was ready here before: its database had tables then.
func (d *Directory) checkRecordsFile(path string) error {
	info, err := os.Stat(path)
	if err != nil || info.Size() > 0 || !d.wasReady() {
		return nil //nolint:nilerr // opening the database has the same error
	}
	return &records.DamageError{Path: path, Cause: errors.New("it is empty")}
}

// CheckStorage reports a missing member of etcd if a server was ready here before. etcd would start without objects, and the agent
// would delete the files of all builds.
func (d *Directory) CheckStorage() error {
	member := d.Join("storage", "etcd", "member")
	_, noStorage := os.Stat(d.Join("storage")) // it may have run with --memory only
	if _, err := os.Stat(member); errors.Is(err, fs.ErrNotExist) && noStorage == nil && d.wasReady() {
		return &etcd.DamageError{Path: member, Cause: errors.New("it is missing")}
	}
	return nil
}

// wasReady reports whether an earlier run got so far that all of its files existed.
func (d *Directory) wasReady() bool {
	address, err := d.Recall("address")
	return err == nil && address != ""
}
