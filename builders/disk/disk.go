// SPDX-License-Identifier: Apache-2.0

// Package disk makes disks that boot by a BIOS and by UEFI, and reads what it has made. It knows no distribution. The same input makes the
// same bytes.
package disk

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
)

// The layout of the disk: a GPT with a partition for the BIOS boot loader, an EFI system partition, and the root file system.
const (
	mib    = 1 << 20
	sector = 512

	biosStart = 1 * mib
	biosSize  = 1 * mib
	espStart  = biosStart + biosSize
	// espSize gives FAT32 with clusters of one sector more than the 65,525 clusters that UEFI wants. Firmware takes a smaller file system
	// for FAT16, and does not find its files.
	espSize = 64 * mib
	// RootStart is the byte of the disk at which the root file system begins.
	RootStart = espStart + espSize
	gptBackup = 1 * mib // the second partition table at the end

	partDisk = "disk"
	partBIOS = "bios"
	partESP  = "esp"
	partRoot = "root"

	// The types of partitions: BIOS boot, and root of x86-64 (Discoverable Partitions Specification).
	typeBIOS = "21686148-6449-6E6F-744E-656564454649"
	typeRoot = "4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709"
)

// Disk is a disk to make, of a root file system.
type Disk struct {
	// Path is the file of the disk.
	Path string
	// RootFS is a tar of the root file system. The paths of its files begin with "./".
	RootFS string
	// Size is in bytes. Defaults to 512 MiB of free space.
	Size int64
	// IDs are the UUIDs of the disk and of its parts.
	IDs Identifiers
	// Time is the time of the files in the EFI system partition.
	Time time.Time
	// Loaders are the signed boot loaders for UEFI.
	Loaders []Loader
	// Vendor is the directory of EFI in which the signed GRUB looks for its configuration.
	Vendor string
	// GRUB is the directory with the modules of GRUB for a BIOS.
	GRUB string
	// Work is a directory for files that are needed only meanwhile.
	Work string
	// Run runs a program of e2fsprogs, dosfstools, mtools, sfdisk or GRUB, and returns the last lines of its output.
	Run func(ctx context.Context, input io.Reader, name string, args ...string) (last []string, err error)
	// Logf writes a line of the log.
	Logf func(format string, args ...any)
}

// Loader is a signed boot loader.
type Loader struct {
	// File is its path in the root file system, and Name its name in EFI/BOOT, where every firmware looks for it.
	File, Name string
}

// A TooSmallError reports that a disk cannot hold the root file system.
type TooSmallError struct {
	// Size is that of the disk in bytes, and Minimum the size to try.
	Size, Minimum int64
	// Why tells what needs the space.
	Why string
}

func (e *TooSmallError) Error() string {
	return fmt.Sprintf("the size of the disk is %s, must be at least %s: %s", SizeText(e.Size), SizeText(e.Minimum), e.Why)
}

// Make makes the disk.
func (d *Disk) Make(ctx context.Context) error {
	need, err := contentSize(d.RootFS)
	if err != nil {
		return err
	}
	size := d.Size
	if size == 0 {
		size = defaultSize(need)
	}
	d.Logf("disk of %s, of which the root file system needs %s", SizeText(size), SizeText(need))
	if minimum := minimumSize(need); size < minimum {
		return &TooSmallError{size, minimum, fmt.Sprintf("%s for files, %s for their inodes, the journal and some free space, %s for boot loaders",
			SizeText(need), SizeText(overhead(need)), SizeText(RootStart+gptBackup))}
	}
	if err := d.partition(ctx, size); err != nil {
		return err
	}
	if err := d.makeRoot(ctx, size-RootStart-gptBackup); err != nil {
		return err
	}
	if err := d.makeESP(ctx); err != nil {
		return err
	}
	return d.installBIOS(ctx)
}

func (d *Disk) run(ctx context.Context, name string, args ...string) error {
	_, err := d.Run(ctx, nil, name, args...)
	return err
}

// partition makes a sparse file with the partition table.
func (d *Disk) partition(ctx context.Context, size int64) error {
	file, err := os.Create(d.Path)
	if err != nil {
		return fmt.Errorf("make the disk: %w", err)
	}
	if err := errors.Join(file.Truncate(size), file.Close()); err != nil {
		return fmt.Errorf("make the disk: %w", err)
	}
	var layout strings.Builder
	fmt.Fprintf(&layout, "label: gpt\nlabel-id: %s\nfirst-lba: %d\n", d.IDs.uuid(partDisk), biosStart/sector)
	for _, part := range []struct {
		name, kind  string
		start, size int64
	}{
		{partBIOS, typeBIOS, biosStart, biosSize},
		{partESP, "uefi", espStart, espSize},
		{partRoot, typeRoot, RootStart, size - RootStart - gptBackup},
	} {
		fmt.Fprintf(&layout, "start=%d, size=%d, type=%s, uuid=%s, name=%s\n", part.start/sector, part.size/sector, part.kind, d.IDs.uuid("partition "+part.name), part.name)
	}
	_, err = d.Run(ctx, strings.NewReader(layout.String()), "sfdisk", "--quiet", d.Path)
	return err
}

// makeRoot writes the root file system. mke2fs takes owners and capabilities of files from the tar.
func (d *Disk) makeRoot(ctx context.Context, size int64) error {
	last, err := d.Run(ctx, nil, "mke2fs", "-q", "-t", "ext4", "-L", partRoot, "-U", d.IDs.uuid(partRoot), "-m", "1",
		"-b", strconv.Itoa(blockSize), "-i", strconv.Itoa(bytesPerInode), // by default those of a small file system differ, but it can grow
		"-E", fmt.Sprintf("offset=%d,hash_seed=%s,root_owner=0:0", RootStart, d.IDs.uuid("hash")),
		"-d", d.RootFS, d.Path, strconv.FormatInt(size/1024, 10)+"k")
	if err != nil && ctx.Err() == nil && strings.Contains(strings.Join(last, " "), "Could not allocate") {
		whole := size + RootStart + gptBackup
		return &TooSmallError{whole, roundUp(whole+whole/4, 256*mib), "the file system cannot hold these packages and files: " + last[len(last)-1]}
	}
	return err
}

// The block size and the number of inodes of ext4.
const (
	blockSize     = 4096
	bytesPerInode = 16384
)

// contentSize returns how many bytes the files of a tar need in ext4.
func contentSize(name string) (int64, error) {
	var size int64
	err := readTar(name, func(header *tar.Header, _ io.Reader) error {
		size += roundUp(header.Size, blockSize)
		if header.Typeflag == tar.TypeDir {
			size += blockSize
		}
		return nil
	})
	return size, err
}

// minimumSize returns the size of the smallest disk for files.
func minimumSize(need int64) int64 {
	return RootStart + roundUp(need, mib) + roundUp(overhead(need), mib) + gptBackup
}

// overhead returns how many bytes ext4 needs besides the blocks of files. Inodes take 1/64 of a file system, extents and block groups less. A journal has
// 16 MiB, and more from 1 GiB on. What is left over is for what a machine writes when it boots.
func overhead(need int64) int64 { return need/32 + 64*mib }

// defaultSize returns the size of a disk with 512 MiB of free space.
func defaultSize(need int64) int64 {
	return roundUp(minimumSize(need)+512*mib, 256*mib)
}

// SizeText returns a size in whole MiB or GiB, rounded up, such as 2G.
func SizeText(bytes int64) string {
	bytes = roundUp(bytes, mib)
	const gib = 1024 * mib
	if bytes%gib == 0 {
		return fmt.Sprintf("%dG", bytes/gib)
	}
	return fmt.Sprintf("%dM", bytes/mib)
}

func roundUp(size, unit int64) int64 { return (size + unit - 1) / unit * unit }

// readTar calls visit for each file of a tar.
func readTar(name string, visit func(*tar.Header, io.Reader) error) error {
	file, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("read the root file system: %w", err)
	}
	defer func() { _ = file.Close() }() // only read from
	for archive := tar.NewReader(file); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = visit(header, archive)
		}
		if err != nil {
			return fmt.Errorf("read the root file system: %w", err)
		}
	}
}
