// SPDX-License-Identifier: Apache-2.0

package boot

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
)

// disk is an artifact that QEMU can boot.
type disk struct {
	target    string
	format    v1alpha1.ArtifactFormat
	sizeBytes int64
}

// leastDisk is less than any disk with an operating system has, and more than an artifact of a test, in bytes.
const leastDisk = 1 << 20

// HasDisk reports whether a build has an artifact that is worth booting.
func HasDisk(build *v1alpha1.ImageBuild) bool {
	return slices.ContainsFunc(disksOf(build), func(each disk) bool { return each.sizeBytes >= leastDisk })
}

// disksOf returns the artifacts of a build that are disks for amd64.
func disksOf(build *v1alpha1.ImageBuild) (disks []disk) {
	for _, artifact := range build.Status.Artifacts {
		at := max(0, strings.LastIndexByte(artifact.Target, '/'))
		platform, format := artifact.Target[:at], v1alpha1.ArtifactFormat(strings.TrimPrefix(artifact.Target[at:], "/"))
		bootable := format == v1alpha1.ArtifactFormatRaw || format == v1alpha1.ArtifactFormatQCOW2
		if bootable && slices.Contains(strings.Split(platform, "/"), "amd64") {
			disks = append(disks, disk{artifact.Target, format, artifact.SizeBytes})
		}
	}
	return disks
}

// chooseDisk returns the disk of a target, or the only disk without a target. It prefers qcow2 to raw, because qcow2 is smaller.
func chooseDisk(build *v1alpha1.ImageBuild, target string) (disk, error) {
	disks := disksOf(build)
	var all, bootable []string
	for _, artifact := range build.Status.Artifacts {
		all = append(all, output.OneLine(artifact.Target))
	}
	for _, each := range disks {
		if each.target == target {
			return each, nil
		}
		bootable = append(bootable, output.OneLine(each.target))
	}
	if len(disks) == 0 {
		return disk{}, fmt.Errorf("build %s has no disk that can boot, which is amd64 and raw or qcow2: its targets are %s", build.Name, strings.Join(all, ", "))
	}
	if target != "" {
		return disk{}, fmt.Errorf("build %s has no disk %s: choose one with --target: %s", build.Name, target, strings.Join(bootable, ", "))
	}
	isRaw := func(each disk) bool { return each.format == v1alpha1.ArtifactFormatRaw }
	if smaller := slices.DeleteFunc(slices.Clone(disks), isRaw); len(smaller) > 0 {
		disks = smaller
	}
	if len(disks) > 1 {
		return disk{}, fmt.Errorf("build %s has several disks: choose one with --target: %s", build.Name, strings.Join(bootable, ", "))
	}
	return disks[0], nil
}

// privateFile creates a file without a name, so that nothing is left of it, however this process ends. As for QEMU's own snapshots, it is
// in $TMPDIR, or else in /var/tmp: /tmp is often in memory.
func privateFile() (*os.File, error) {
	file, err := os.CreateTemp(cmp.Or(os.Getenv("TMPDIR"), "/var/tmp"), "goldsmith-boot-*")
	if err == nil {
		if err = os.Remove(file.Name()); err != nil {
			err = errors.Join(err, file.Close())
		}
	}
	if err != nil {
		return nil, fmt.Errorf("create a temporary file: %w", err)
	}
	return file, nil
}

// checkDisk refuses a file that no firmware can boot: without --until, a user would only see that the firmware finds nothing.
func checkDisk(format v1alpha1.ArtifactFormat, file io.ReaderAt) error {
	if format == v1alpha1.ArtifactFormatQCOW2 {
		return checkSelfContained(file)
	}
	sector := make([]byte, 512) // with a GPT, too, it is that of an MBR
	if _, err := file.ReadAt(sector, 0); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read the disk: %w", err)
	}
	if !bytes.HasSuffix(sector, []byte{0x55, 0xaa}) {
		return &noDiskError{"is no disk that can boot: its bytes 510 and 511 are not those of a boot sector, 55 AA"}
	}
	return nil
}

// noDiskError reports that an artifact is no disk.
type noDiskError struct{ what string }

func (e *noDiskError) Error() string { return "the artifact " + e.what }

// checkSelfContained refuses a qcow2 file that names other files, because QEMU would show files of this machine to the guest.
func checkSelfContained(file io.ReaderAt) error {
	const externalData = 1 << 2
	header := make([]byte, 80) // of version 3; that of version 2 is shorter
	n, err := file.ReadAt(header, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read the disk: %w", err)
	}
	switch {
	case n < 72 || !bytes.HasPrefix(header, []byte("QFI\xfb")):
		return &noDiskError{"is not in the format qcow2"}
	case binary.BigEndian.Uint64(header[8:]) != 0:
		return errors.New("the disk is only the difference to a backing file: build an image of its own")
	case binary.BigEndian.Uint32(header[4:]) > 2 && binary.BigEndian.Uint64(header[72:])&externalData != 0:
		return errors.New("the disk has its data in another file: build an image of its own")
	}
	return nil
}
