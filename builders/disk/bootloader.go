// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"archive/tar"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// earlyConfig is what both boot loaders read first. It finds the root file system, which has the menu.
const earlyConfig = `search.fs_uuid %s root
set prefix=($root)/boot/grub
configfile ($root)/boot/grub/grub.cfg
`

// makeESP makes the EFI system partition, with Secure Boot.
func (d *Disk) makeESP(ctx context.Context) error {
	err := d.run(ctx, "mkfs.vfat", "--invariant", "-F", "32", "-s", "1", "-i", d.IDs.volumeID(partESP), "-n", "ESP",
		"--offset", strconv.Itoa(espStart/sector), d.Path, strconv.Itoa(espSize/1024))
	if err != nil {
		return err
	}
	if err := d.writeTimed("grub.cfg", fmt.Appendf(nil, earlyConfig, d.IDs.uuid(partRoot))); err != nil {
		return err
	}
	var programs, lacking []string
	for _, loader := range d.Loaders {
		programs, lacking = append(programs, d.path(loader.Name)), append(lacking, loader.File)
	}
	err = readTar(d.RootFS, func(header *tar.Header, content io.Reader) error {
		at := slices.IndexFunc(d.Loaders, func(loader Loader) bool { return loader.File == header.Name })
		if at < 0 {
			return nil
		}
		lacking = slices.DeleteFunc(lacking, func(file string) bool { return file == header.Name })
		program, err := io.ReadAll(content)
		if err != nil {
			return err
		}
		return d.writeTimed(d.Loaders[at].Name, program)
	})
	if err != nil {
		return err
	}
	if len(lacking) > 0 {
		return fmt.Errorf("the root file system lacks a signed boot loader: %s", strings.Join(lacking, ", "))
	}
	partition := fmt.Sprintf("%s@@%d", d.Path, espStart)
	for _, command := range [][]string{
		{"mmd", "-i", partition, "::EFI", "::EFI/BOOT", "::EFI/" + d.Vendor},
		slices.Concat([]string{"mcopy", "-m", "-i", partition}, programs, []string{"::EFI/BOOT"}),
		{"mcopy", "-m", "-i", partition, d.path("grub.cfg"), "::EFI/" + d.Vendor},
	} {
		if err := d.run(ctx, command[0], command[1:]...); err != nil {
			return err
		}
	}
	return nil
}

func (d *Disk) path(name string) string { return filepath.Join(d.Work, name) }

// writeTimed writes a file of the work directory with the time of the image, which mcopy copies.
func (d *Disk) writeTimed(name string, content []byte) error {
	if err := os.WriteFile(d.path(name), content, 0o644); err != nil { //nolint:gosec // the mode that a package has given it
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err := os.Chtimes(d.path(name), d.Time, d.Time); err != nil {
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
	bootCodeSize    = 440   // the code of the master boot record
	bootKernel      = 0x5c  // boot.img: first sector of the core
	bootDriveCheck  = 0x66  // boot.img: a jump to skip, so that the drive of the BIOS counts
	coreFirstSector = 0x1f4 // core: first sector of the rest
	coreLength      = 0x1fc // core: number of sectors of the rest
	coreSegment     = 0x1fe // core: segment to load the rest to
	coreLoadSegment = 0x820
)

// installBIOS makes the disk bootable by a BIOS. grub-bios-setup would do the same, but only to a block device.
func (d *Disk) installBIOS(ctx context.Context) (err error) {
	args := append([]string{"-O", "i386-pc", "-d", d.GRUB, "-p", "/boot/grub", "-c", d.path("grub.cfg"), "-o", d.path("core.img")}, grubModules...)
	if err := d.run(ctx, "grub-mkimage", args...); err != nil {
		return err
	}
	boot, err := os.ReadFile(filepath.Join(d.GRUB, "boot.img"))
	if err != nil {
		return fmt.Errorf("read GRUB: %w", err)
	}
	core, err := os.ReadFile(d.path("core.img"))
	if err != nil {
		return fmt.Errorf("read GRUB: %w", err)
	}
	if len(boot) != sector || len(core) <= sector || len(core) > biosSize {
		return fmt.Errorf("the boot sector of GRUB has %d bytes and its core has %d, which do not fit the disk", len(boot), len(core))
	}
	patchBoot(boot, core)
	disk, err := os.OpenFile(d.Path, os.O_WRONLY, 0)
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
