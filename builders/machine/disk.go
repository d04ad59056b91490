// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// PrivateFile creates a file without a name in a directory, so that nothing is left of it, however this process ends. As for QEMU's own snapshots,
// the directory defaults to /var/tmp: /tmp is often in memory.
func PrivateFile(directory string) (*os.File, error) {
	file, err := os.CreateTemp(cmp.Or(directory, "/var/tmp"), "goldsmith-boot-*")
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

// CheckDisk refuses a file that no firmware can boot: without --until, a user would only see that the firmware finds nothing.
func CheckDisk(format v1alpha1.ArtifactFormat, file io.ReaderAt) error {
	if format == v1alpha1.ArtifactFormatQCOW2 {
		return checkSelfContained(file)
	}
	sector := make([]byte, 512) // with a GPT, too, it is that of an MBR
	if _, err := file.ReadAt(sector, 0); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read the disk: %w", err)
	}
	if !bytes.HasSuffix(sector, []byte{0x55, 0xaa}) {
		return &NoDiskError{"is no disk that can boot: its bytes 510 and 511 are not those of a boot sector, 55 AA"}
	}
	return nil
}

// NoDiskError reports that an artifact is no disk.
type NoDiskError struct{ what string }

func (e *NoDiskError) Error() string { return "the artifact " + e.what }

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
		return &NoDiskError{"is not in the format qcow2"}
	case binary.BigEndian.Uint64(header[8:]) != 0:
		return errors.New("the disk is only the difference to a backing file: build an image of its own")
	case binary.BigEndian.Uint32(header[4:]) > 2 && binary.BigEndian.Uint64(header[72:])&externalData != 0:
		return errors.New("the disk has its data in another file: build an image of its own")
	}
	return nil
}

// CopyVariables copies the variables of firmware to a private file in a directory.
func CopyVariables(name, directory string) (*os.File, error) {
	from, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("copy the variables of the firmware: %w", err)
	}
	defer func() { _ = from.Close() }() // is only read
	to, err := PrivateFile(directory)
	if err != nil {
		return nil, err
	}
	if _, err := io.Copy(to, from); err != nil {
		return nil, errors.Join(fmt.Errorf("copy the variables of the firmware: %w", err), to.Close())
	}
	return to, nil
}
