// SPDX-License-Identifier: Apache-2.0

package up

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"goldsmith.dev/goldsmith/apiserver/storage/etcd"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/shellword"
	"goldsmith.dev/goldsmith/records"
)

// quietTime is how long a step of the start may take without a line.
const quietTime = 10 * time.Second

// await runs a step of the start. If it takes long, a line tells what the start waits for.
func (o *Options) await(what string, step func() error) error {
	return o.awaitQuietly(quietTime, what, step)
}

// awaitQuietly runs a step of the start, which may take so long without a line.
func (o *Options) awaitQuietly(quiet time.Duration, what string, step func() error) error {
	timer := o.clock.AfterFunc(quiet, func() {
		_, _ = fmt.Fprintf(o.Notices, "still starting: waiting for %s\n", what) // a notice that nobody can read is no failure
	})
	defer timer.Stop()
	return step()
}

// explain adds to the error of a damaged file what is lost, and what to do, and to the error of a full disk what to do.
func explain(directory string, err error) error {
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

// checkTypes reports a named pipe, a device or a socket where a data directory has a file: to open a named pipe waits for ever. It leaves
// out the sockets of running servers, and what builders write.
func checkTypes(directory string) error {
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
		case name == encryptionFile:
			return (&dataDirectory{path: directory}).encryptionError(cause, true)
		case strings.HasPrefix(name, "records"):
			return &records.DamageError{Path: path, Cause: cause}
		}
		return fmt.Errorf("%s is damaged: %w: delete it, or move it away", path, cause)
	})
}

// checkRecordsFile reports an empty file as damaged if a server was ready here before: its database had tables then.
func (d *dataDirectory) checkRecordsFile(path string) error {
	info, err := os.Stat(path)
	if err != nil || info.Size() > 0 || !d.wasReady() {
		return nil //nolint:nilerr // opening the database has the same error
	}
	return &records.DamageError{Path: path, Cause: errors.New("it is empty")}
}

// checkStorage reports a missing member of etcd if a server was ready here before. etcd would start without objects, and the agent
// would delete the files of all builds.
func (d *dataDirectory) checkStorage() error {
	member := d.join("storage", "etcd", "member")
	_, noStorage := os.Stat(d.join("storage")) // it may have run with --memory only
	if _, err := os.Stat(member); errors.Is(err, fs.ErrNotExist) && noStorage == nil && d.wasReady() {
		return &etcd.DamageError{Path: member, Cause: errors.New("it is missing")}
	}
	return nil
}

// wasReady reports whether an earlier run got so far that all of its files existed.
func (d *dataDirectory) wasReady() bool {
	address, err := d.recall("address")
	return err == nil && address != ""
}
