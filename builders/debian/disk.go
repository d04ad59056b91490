// SPDX-License-Identifier: Apache-2.0

//go:build linux

package debian

import (
	"context"
	"errors"
	"path/filepath"

	"goldsmith.dev/goldsmith/builders/disk"
)

// grubDirectory is a directory of the tools.
const grubDirectory = "usr/lib/grub/i386-pc"

// signedLoaders are in the packages shim-signed and grub-efi-amd64-signed. Debian's GRUB reads its configuration from EFI/debian.
var signedLoaders = []disk.Loader{
	{File: "./usr/lib/shim/shimx64.efi.signed", Name: "BOOTX64.EFI"},
	{File: "./usr/lib/shim/mmx64.efi.signed", Name: "mmx64.efi"},
	{File: "./usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed", Name: "grubx64.efi"},
}

// disk is the path of the disk. It is where artifacts are, because that may be another file system than that of the work.
func (b *build) disk() string { return filepath.Join(b.output, "disk.raw") }

// makeDisk makes the disk of the root file system.
func (b *build) makeDisk(ctx context.Context) error {
	b.begin(stageDisk, percentDisk)
	made := disk.Disk{
		Path: b.disk(), RootFS: b.rootFS(), Size: b.config.sizeBytes, IDs: b.ids, Time: b.time, Work: b.work,
		Loaders: signedLoaders, Vendor: "debian", GRUB: filepath.Join(b.tools, grubDirectory),
		Run: b.commandWith, Logf: b.logf,
	}
	err := made.Make(ctx)
	if small, ok := errors.AsType[*disk.TooSmallError](err); ok {
		return fail("DiskTooSmall", "parameter %s is %s, must be at least %s: %s", paramSize, disk.SizeText(small.Size), disk.SizeText(small.Minimum), small.Why)
	}
	return err
}
