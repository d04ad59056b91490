// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/render"
)

// GRUB's boot sector finds the core at the first MiB, and the core the rest of itself behind its first sector.
func TestTheBootSectorFindsTheCore(t *testing.T) {
	boot, core := make([]byte, sector), make([]byte, 3*sector+1)
	patchBoot(boot, core)
	if got := fmt.Sprintf("%x %x", boot[0x5c:0x64], boot[0x66:0x68]); got != "0008000000000000 9090" {
		t.Errorf("boot sector %s", got)
	}
	if got := fmt.Sprintf("%x %x %x", core[0x1f4:0x1fc], core[0x1fc:0x1fe], core[0x1fe:0x200]); got != "0108000000000000 0300 2008" {
		t.Errorf("core %s", got)
	}
}

func TestIdentifiersDependOnTheInputsAndNotOnTheBuild(t *testing.T) {
	source := ""
	ids := func(change func(*render.Input)) string {
		input := &render.Input{Build: render.InputBuild{Name: "web-1"}, Attempt: 1, Parameters: map[string]string{"size": "2G"}}
		change(input)
		ids, err := NewIdentifiers(input, source)
		if err != nil {
			t.Fatal(err)
		}
		return ids.Root()
	}
	first := ids(func(*render.Input) {})
	if other := ids(func(input *render.Input) { input.Build.Name, input.Attempt = "web-2", 2 }); other != first {
		t.Errorf("another build has %s, not %s", other, first)
	}
	if other := ids(func(input *render.Input) { input.Parameters["size"] = "3G" }); other == first {
		t.Error("another input has the same UUID")
	}
	source = "sha256:of another source"
	if other := ids(func(*render.Input) {}); other == first {
		t.Error("another source has the same UUID")
	}
	if len(first) != len("00000000-0000-0000-0000-000000000000") || first[14] != '8' {
		t.Errorf("%s is no UUID of version 8", first)
	}
}

// calls runs no program, and records the calls with their input. grub-mkimage makes a core.
type calls struct {
	t               *testing.T
	directory, text string
	full            bool // mke2fs finds no space on the disk
}

func (c *calls) run(_ context.Context, input io.Reader, name string, args ...string) ([]string, error) {
	c.text += strings.ReplaceAll(name+" "+strings.Join(args, " "), c.directory, "") + "\n"
	if input != nil {
		c.text += string(require.Value(io.ReadAll(input))(c.t))
	}
	switch {
	case name == "grub-mkimage":
		return nil, os.WriteFile(filepath.Join(c.directory, "core.img"), make([]byte, 2000), 0o600)
	case name == "mke2fs" && c.full:
		return []string{"mke2fs 1.47", "Could not allocate block"}, errors.New("exit status 1")
	}
	return nil, nil
}

// newDisk is a disk whose root file system has 1 MiB and one boot loader.
func newDisk(t *testing.T) (*Disk, *calls) {
	t.Helper()
	directory := t.TempDir()
	recorded := &calls{t: t, directory: directory}
	rootFS := require.Value(os.Create(filepath.Join(directory, "rootfs.tar")))(t)
	archive := tar.NewWriter(rootFS)
	require.NoError(t, archive.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "./boot/loader", Size: mib}))
	require.Value(archive.Write(make([]byte, mib)))(t)
	require.NoError(t, errors.Join(archive.Close(), rootFS.Close(), os.WriteFile(filepath.Join(directory, "boot.img"), make([]byte, sector), 0o600)))
	return &Disk{
		Path: filepath.Join(directory, "disk"), RootFS: rootFS.Name(), Time: time.Unix(1e9, 0), Loaders: []Loader{{"./boot/loader", "BOOTX64.EFI"}},
		Vendor: "acme", GRUB: directory, Work: directory, Run: recorded.run, Logf: t.Logf,
	}, recorded
}

func TestADiskOfAnotherDistributionIsMade(t *testing.T) {
	disk, recorded := newDisk(t)
	require.NoError(t, disk.Make(t.Context()))
	const want = `sfdisk --quiet /disk
label: gpt
label-id: DISK
first-lba: 2048
start=2048, size=2048, type=21686148-6449-6E6F-744E-656564454649, uuid=BIOS, name=bios
start=4096, size=131072, type=uefi, uuid=ESP, name=esp
start=135168, size=1435648, type=4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709, uuid=PARTITION, name=root
mke2fs -q -t ext4 -L root -U ROOT -m 1 -b 4096 -i 16384 -E offset=69206016,hash_seed=HASH,root_owner=0:0 -d /rootfs.tar /disk 717824k
mkfs.vfat --invariant -F 32 -s 1 -i VOLUME -n ESP --offset 4096 /disk 65536
mmd -i /disk@@2097152 ::EFI ::EFI/BOOT ::EFI/acme
mcopy -m -i /disk@@2097152 /BOOTX64.EFI ::EFI/BOOT
mcopy -m -i /disk@@2097152 /grub.cfg ::EFI/acme
`
	got := strings.NewReplacer(
		disk.IDs.uuid("disk"), "DISK", disk.IDs.uuid("partition bios"), "BIOS", disk.IDs.uuid("partition esp"), "ESP", disk.IDs.uuid("partition root"), "PARTITION",
		disk.IDs.Root(), "ROOT", disk.IDs.uuid("hash"), "HASH", disk.IDs.volumeID("esp"), "VOLUME").Replace(recorded.text)
	got, _, _ = strings.Cut(got, "grub-mkimage")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	config := "search.fs_uuid " + disk.IDs.Root() + " root\nset prefix=($root)/boot/grub\nconfigfile ($root)/boot/grub/grub.cfg\n"
	if got := require.Value(os.ReadFile(filepath.Join(disk.Work, "grub.cfg")))(t); string(got) != config {
		t.Errorf("GRUB reads %s", got)
	}
	if info := require.Value(os.Stat(filepath.Join(disk.Work, "BOOTX64.EFI")))(t); info.Size() != mib || !info.ModTime().Equal(disk.Time) {
		t.Errorf("the boot loader has %d bytes, of %v", info.Size(), info.ModTime())
	}
}

func TestADiskThatCannotBeMadeTellsWhy(t *testing.T) {
	for want, change := range map[string]func(*Disk, *calls){
		"the size of the disk is 100M, must be at least 133M: 1M for files, 65M for their inodes, the journal and some free space, 67M for boot loaders": func(d *Disk, _ *calls) { d.Size = 100 * mib },
		"the size of the disk is 768M, must be at least 1G: the file system cannot hold these packages and files: Could not allocate block":              func(_ *Disk, c *calls) { c.full = true },
		"the root file system lacks a signed boot loader: ./boot/other":                                                                                  func(d *Disk, _ *calls) { d.Loaders = append(d.Loaders, Loader{"./boot/other", "grubx64.efi"}) },
	} {
		disk, recorded := newDisk(t)
		change(disk, recorded)
		if err := disk.Make(t.Context()); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestTheTimeOfADiskIsThatOfItsFileSystem(t *testing.T) {
	path := filepath.Join(t.TempDir(), "disk")
	content := make([]byte, superblock+superblockSize)
	require.NoError(t, os.WriteFile(path, content, 0o600))
	if _, err := TimeOf(path); !errors.Is(err, ErrForeign) {
		t.Errorf("an empty disk: %v", err)
	}
	copy(content[superblock+magicAt:], "\x53\xef")
	copy(content[superblock+madeAt:], "\x00\xca\x9a\x3b")
	require.NoError(t, os.WriteFile(path, content, 0o600))
	if made := require.Value(TimeOf(path))(t); made.Unix() != 1e9 {
		t.Errorf("the time is %v", made)
	}
}
