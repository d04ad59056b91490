// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// The superblock of the root file system on a disk (ext4, "Super Block" of the kernel's documentation).
const (
	superblock     = RootStart + 1024
	superblockSize = 0x10c
	magicAt        = 0x38
	madeAt         = 0x108 // time of creation, in seconds
	magic          = 0xef53
)

// ErrForeign reports that a disk has no root file system where Make puts it.
var ErrForeign = fmt.Errorf("it has no root file system at byte %d", RootStart)

// TimeOf returns the time of a disk that Make has made: that in SOURCE_DATE_EPOCH of mke2fs.
func TimeOf(path string) (time.Time, error) {
	file, err := os.Open(path)
	if err != nil {
		return time.Time{}, fmt.Errorf("read the disk: %w", err)
	}
	defer func() { _ = file.Close() }() // only read from
	block := make([]byte, superblockSize)
	if _, err := file.ReadAt(block, superblock); err != nil && !errors.Is(err, io.EOF) {
		return time.Time{}, fmt.Errorf("read the disk: %w", err)
	}
	if binary.LittleEndian.Uint16(block[magicAt:]) != magic {
		return time.Time{}, ErrForeign
	}
	return time.Unix(int64(binary.LittleEndian.Uint32(block[madeAt:])), 0).UTC(), nil
}
