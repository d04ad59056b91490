// SPDX-License-Identifier: Apache-2.0

package debian

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// The layout of the disk: a GPT with a partition for the BIOS boot loader, an EFI system partition, and the root file system.
const (
	sector = 512

	biosStart = 1 * mib
	biosSize  = 1 * mib
	espStart  = biosStart + biosSize
	// espSize gives FAT32 with clusters of one sector more than the 65,525 clusters that UEFI wants. Firmware takes a smaller file system
	// for FAT16, and does not find its files.
	espSize   = 64 * mib
	rootStart = espStart + espSize
	gptBackup = 1 * mib // the second partition table at the end

	partDisk = "disk"
	partBIOS = "bios"
	partESP  = "esp"
	partRoot = "root"

	// The types of partitions: BIOS boot, and root of x86-64 (Discoverable Partitions Specification).
	typeBIOS = "21686148-6449-6E6F-744E-656564454649"
	typeRoot = "4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709"
)

// disk is the path of the disk. It is where artifacts are, because that may be another file system than that of the work.
func (b *build) disk() string { return filepath.Join(b.output, "disk.raw") }

// makeDisk makes the disk of the root file system.
func (b *build) makeDisk(ctx context.Context) error {
	b.begin(stageDisk, percentDisk)
	need, err := contentSize(b.rootFS())
	if err != nil {
		return err
	}
	size := b.config.sizeBytes
	if size == 0 {
		size = defaultSize(need)
	}
	b.logf("disk of %s, of which the root file system needs %s", sizeText(size), sizeText(roundUp(need, mib)))
	if minimum := minimumSize(need); size < minimum {
		return tooSmall(size, minimum, fmt.Sprintf("%s for files, %s for their inodes, the journal and some free space, %s for boot loaders",
			sizeText(roundUp(need, mib)), sizeText(roundUp(overhead(need), mib)), sizeText(rootStart+gptBackup)))
	}
	if err := b.partition(ctx, size); err != nil {
		return err
	}
	if err := b.makeRoot(ctx, size-rootStart-gptBackup); err != nil {
		return err
	}
	if err := b.makeESP(ctx); err != nil {
		return err
	}
	return b.installBIOS(ctx)
}

func tooSmall(size, minimum int64, why string) error {
	return fail("DiskTooSmall", "parameter %s is %s, must be at least %s: %s", paramSize, sizeText(size), sizeText(minimum), why)
}

// partition makes a sparse file with the partition table.
func (b *build) partition(ctx context.Context, size int64) error {
	file, err := os.Create(b.disk())
	if err != nil {
		return fmt.Errorf("make the disk: %w", err)
	}
	if err := errors.Join(file.Truncate(size), file.Close()); err != nil {
		return fmt.Errorf("make the disk: %w", err)
	}
	var layout strings.Builder
	fmt.Fprintf(&layout, "label: gpt\nlabel-id: %s\nfirst-lba: %d\n", b.ids.uuid(partDisk), biosStart/sector)
	for _, part := range []struct {
		name, kind  string
		start, size int64
	}{
		{partBIOS, typeBIOS, biosStart, biosSize},
		{partESP, "uefi", espStart, espSize},
		{partRoot, typeRoot, rootStart, size - rootStart - gptBackup},
	} {
		fmt.Fprintf(&layout, "start=%d, size=%d, type=%s, uuid=%s, name=%s\n", part.start/sector, part.size/sector, part.kind, b.ids.uuid("partition "+part.name), part.name)
	}
	return b.commandWith(ctx, strings.NewReader(layout.String()), "sfdisk", "--quiet", b.disk())
}

// makeRoot writes the root file system. mke2fs takes owners and capabilities of files from the tar.
func (b *build) makeRoot(ctx context.Context, size int64) error {
	last, err := b.tool(ctx, nil, "mke2fs", "-q", "-t", "ext4", "-L", partRoot, "-U", b.ids.uuid(partRoot), "-m", "1",
		"-b", strconv.Itoa(blockSize), "-i", strconv.Itoa(bytesPerInode), // by default those of a small file system differ, but it can grow
		"-E", fmt.Sprintf("offset=%d,hash_seed=%s,root_owner=0:0", rootStart, b.ids.uuid("hash")),
		"-d", b.rootFS(), b.disk(), strconv.FormatInt(size/1024, 10)+"k")
	if err == nil || ctx.Err() != nil {
		return err
	}
	if strings.Contains(strings.Join(last, " "), "Could not allocate") {
		whole := size + rootStart + gptBackup
		return tooSmall(whole, roundUp(whole+whole/4, 256*mib), "the file system cannot hold these packages and files: "+lastOf(last))
	}
	return failed(last, err)
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
	return rootStart + roundUp(need, mib) + roundUp(overhead(need), mib) + gptBackup
}

// overhead returns how many bytes ext4 needs besides the blocks of files. Inodes take 1/64 of a file system, extents and block groups less. A journal has
// 16 MiB, and more from 1 GiB on. What is left over is for what a machine writes when it boots.
func overhead(need int64) int64 { return need/32 + 64*mib }

// defaultSize returns the size of a disk with 512 MiB of free space.
func defaultSize(need int64) int64 {
	return roundUp(minimumSize(need)+512*mib, 256*mib)
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
