// SPDX-License-Identifier: Apache-2.0

package up

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
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
	timer := o.clock.AfterFunc(quietTime, func() {
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
		return fmt.Errorf("%w\nlost: the history, statistics, changes and notes since the last backup; images and builds are in other files\n%s\n"+
			"to start without history: mkdir %s && mv %s* %s", damage, restore, shellword.Quote(aside), shellword.Quote(damage.Path), shellword.Quote(aside))
	}
	if errors.Is(err, syscall.ENOSPC) {
		return fmt.Errorf("%w: the file system of %s is full: free space, then start again", err, directory)
	}
	return err
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
	_, noStorage := os.Stat(d.join("storage")) // it may have run with --files only
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
