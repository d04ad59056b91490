// SPDX-License-Identifier: Apache-2.0

package debian

import (
	"archive/tar"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
)

// earlyConfig is what both boot loaders read first. It finds the root file system, which has the menu.
const earlyConfig = `search.fs_uuid %s root
set prefix=($root)/boot/grub
configfile ($root)/boot/grub/grub.cfg
`

// signedLoaders are Debian's signed boot loaders in the root file system, and their names in the EFI system partition, where every
// firmware looks for them. Debian's GRUB reads its configuration from EFI/debian.
var signedLoaders = map[string]string{
	"./usr/lib/shim/shimx64.efi.signed":                   "BOOTX64.EFI",
	"./usr/lib/shim/mmx64.efi.signed":                     "mmx64.efi",
	"./usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed": "grubx64.efi",
}

// makeESP makes the EFI system partition, with Secure Boot.
func (b *build) makeESP(ctx context.Context) error {
	err := b.command(ctx, "mkfs.vfat", "--invariant", "-F", "32", "-s", "1", "-i", b.ids.volumeID(partESP), "-n", "ESP",
		"--offset", strconv.Itoa(espStart/sector), b.disk(), strconv.Itoa(espSize/1024))
	if err != nil {
		return err
	}
	if err := b.writeTimed("grub.cfg", fmt.Appendf(nil, earlyConfig, b.ids.uuid(partRoot))); err != nil {
		return err
	}
	found := 0
	err = readTar(b.rootFS(), func(header *tar.Header, content io.Reader) error {
		name, wanted := signedLoaders[header.Name]
		if !wanted {
			return nil
		}
		found++
		program, err := io.ReadAll(content)
		if err != nil {
			return err
		}
		return b.writeTimed(name, program)
	})
	if err != nil {
		return err
	}
	if found != len(signedLoaders) {
		return errors.New("the root file system lacks a signed boot loader of the packages shim-signed and grub-efi-amd64-signed")
	}
	partition := fmt.Sprintf("%s@@%d", b.disk(), espStart)
	for _, command := range [][]string{
		{"mmd", "-i", partition, "::EFI", "::EFI/BOOT", "::EFI/debian"},
		{"mcopy", "-m", "-i", partition, b.path("BOOTX64.EFI"), b.path("mmx64.efi"), b.path("grubx64.efi"), "::EFI/BOOT"},
		{"mcopy", "-m", "-i", partition, b.path("grub.cfg"), "::EFI/debian"},
	} {
		if err := b.command(ctx, command[0], command[1:]...); err != nil {
			return err
		}
	}
	return nil
}

// writeTimed writes a file of the work directory with the time of the image, which mcopy copies.
func (b *build) writeTimed(name string, content []byte) error {
	if err := os.WriteFile(b.path(name), content, modeFile); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err := os.Chtimes(b.path(name), b.time, b.time); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

// grubModules are what GRUB needs to find the root file system of a disk that a BIOS reads, and to read the menu there.
var grubModules = []string{
	"biosdisk", "part_gpt", "ext2", "search", "search_fs_uuid", "normal", "configfile", "linux", "echo", "test", "ls", "serial", "terminal",
	"gzio", "minicmd", "reboot", "halt",
}

// Fields of GRUB's boot.img and of the first sector of its core, as grub-bios-setup sets them (include/grub/i386/pc/boot.h).
const (
	grubDirectory = "usr/lib/grub/i386-pc" // of the tools

	bootCodeSize    = 440   // the code of the master boot record
	bootKernel      = 0x5c  // boot.img: first sector of the core
	bootDriveCheck  = 0x66  // boot.img: a jump to skip, so that the drive of the BIOS counts
	coreFirstSector = 0x1f4 // core: first sector of the rest
	coreLength      = 0x1fc // core: number of sectors of the rest
	coreSegment     = 0x1fe // core: segment to load the rest to
	coreLoadSegment = 0x820
)

// installBIOS makes the disk bootable by a BIOS. grub-bios-setup would do the same, but only to a block device.
func (b *build) installBIOS(ctx context.Context) (err error) {
	directory := filepath.Join(b.tools, grubDirectory)
	args := append([]string{"-O", "i386-pc", "-d", directory, "-p", "/boot/grub", "-c", b.path("grub.cfg"), "-o", b.path("core.img")}, grubModules...)
	if err := b.command(ctx, "grub-mkimage", args...); err != nil {
		return err
	}
	boot, err := os.ReadFile(filepath.Join(directory, "boot.img"))
	if err != nil {
		return fmt.Errorf("read GRUB: %w", err)
	}
	core, err := os.ReadFile(b.path("core.img"))
	if err != nil {
		return fmt.Errorf("read GRUB: %w", err)
	}
	if len(boot) != sector || len(core) <= sector || len(core) > biosSize {
		return fmt.Errorf("the boot sector of GRUB has %d bytes and its core has %d, which do not fit the disk", len(boot), len(core))
	}
	patchBoot(boot, core)
	disk, err := os.OpenFile(b.disk(), os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("write the boot loader: %w", err)
	}
	_, first := disk.WriteAt(boot[:bootCodeSize], 0)
	_, second := disk.WriteAt(core, biosStart)
	if err := errors.Join(first, second, disk.Close()); err != nil {
		return fmt.Errorf("write the boot loader: %w", err)
	}
	return nil
}

// patchBoot tells the boot sector where the core is, and the first sector of the core where its rest is.
func patchBoot(boot, core []byte) {
	const start = biosStart / sector
	binary.LittleEndian.PutUint64(boot[bootKernel:], start)
	copy(boot[bootDriveCheck:], []byte{0x90, 0x90}) // no operation
	binary.LittleEndian.PutUint64(core[coreFirstSector:], start+1)
	binary.LittleEndian.PutUint16(core[coreLength:], uint16((len(core)-1)/sector)) //nolint:gosec // a core of at most biosSize has 2,048 sectors
	binary.LittleEndian.PutUint16(core[coreSegment:], coreLoadSegment)
}
