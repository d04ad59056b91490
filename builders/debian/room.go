// SPDX-License-Identifier: Apache-2.0

//go:build linux

package debian

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"

	"github.com/dustin/go-humanize"
)

// addDiskSpace adds to the failure of a full disk which directory it is, how much is free there, and how much the build has written: it needs more.
func (b *build) addDiskSpace(err error) error {
	failed := failureOf(err)
	if failed.Reason != ReasonDiskFull {
		return err
	}
	for _, directory := range []string{b.work, b.output} {
		var stat syscall.Statfs_t
		if syscall.Statfs(directory, &stat) == nil {
			failed.Message += fmt.Sprintf("; %s has %s free, and this build needs more than the %s that it has written there",
				directory, humanize.IBytes(stat.Bavail*uint64(max(0, stat.Bsize))), humanize.IBytes(diskUsage(directory)))
		}
	}
	return &failure{*failed}
}

// diskUsage returns how many bytes of the disk the files of a directory occupy, as far as they can be read.
func diskUsage(directory string) (bytes uint64) {
	const block = 512 // the unit of stat(2), on every file system
	_ = filepath.WalkDir(directory, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil {
			return nil //nolint:nilerr // it is left out
		}
		if info, err := entry.Info(); err == nil {
			stat, _ := info.Sys().(*syscall.Stat_t)
			bytes += uint64(max(0, stat.Blocks)) * block
		}
		return nil
	})
	return bytes
}
