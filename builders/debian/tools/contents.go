// SPDX-License-Identifier: Apache-2.0

package tools

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"path/filepath"

	"goldsmith.dev/goldsmith/builders/debian/suite"
)

const (
	// Program is where the program of the builder is, or is mounted.
	Program = "/debian-builder"
	// Digest is a file with the digest of all files of the tools, which can decide bytes of images.
	Digest = "/etc/debian-builder-digest"
	// Mounts is a directory for mounts.
	Mounts = "/goldsmith"
	// ID is the user and the group that the builder runs as.
	ID = 65532
	// Keyring has the keys that the packages of Debian are verified with.
	Keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"
)

// contents decide what the tools are, together with the state of the mirror.
type contents struct {
	Suite    string
	Packages []string
	// Excluded are the paths of the packages that the builder does not need, and Included are exceptions.
	Excluded, Included []string
	// Links are symbolic links that the scripts of packages would make, by their paths.
	Links map[string]string
	// Files are files without which the packages do not work, by their paths. Empty ones are mount points.
	Files map[string]string
	// Executables are files like Files that are programs.
	Executables map[string]string
	// Directories are mount points.
	Directories []string
	// Removed are files that differ from machine to machine, or that would change what the builder does.
	Removed []string
	// Users and Groups are lines that are added to those of the package base-passwd.
	Users, Groups string
	// Revision is raised for each change of what package tools does that no other field shows.
	Revision int
}

//go:embed ldd.fakechroot
var lddScript string

func trixie() contents {
	return contents{
		Suite: suite.Name,
		Packages: []string{
			"apt", "attr", "base-files", "base-passwd", "bash", "bzip2", "ca-certificates", "coreutils", "dash", "debian-archive-keyring",
			"debianutils", "diffutils", "dosfstools", "dpkg", "e2fsprogs", "fakechroot", "fakeroot", "fdisk", "findutils", "grep",
			"grub-pc-bin", "gzip", "hostname", "libarchive13t64", "libc-bin", "mawk", "mmdebstrap", "mtools", "perl-base", "qemu-utils",
			"sed", "sqv", "strace", "tar", "util-linux", "xz-utils", "zstd",
		},
		Excluded: []string{"/usr/share/man/*", "/usr/share/locale/*", "/usr/share/doc/*", "/usr/share/info/*", "/usr/lib/grub/*/*.module"},
		Included: []string{"/usr/share/doc/*/copyright"},
		Links: map[string]string{
			"usr/bin/awk": "mawk", "usr/bin/fakeroot": "fakeroot-sysv", "usr/bin/faked": "faked-sysv",
		},
		Files:       map[string]string{"etc/hosts": "", "etc/resolv.conf": "", "etc/hostname": "debian-builder\n", Program[1:]: ""},
		Executables: map[string]string{"usr/bin/ldd.fakechroot": lddScript},
		Directories: []string{"dev", Mounts[1:], "proc", "sys", "tmp"},
		// The options of dpkg would apply to the packages of an image.
		Removed:  []string{"dev", "etc/dpkg/dpkg.cfg.d/99mmdebstrap", "etc/apt/apt.conf.d/99mmdebstrap", "etc/machine-id", "var/cache/ldconfig", "var/lib/apt/lists", "var/log"},
		Users:    "builder:x:65532:65532::/tmp:/bin/sh\n",
		Groups:   "builder:x:65532:\n",
		Revision: 3,
	}
}

// ofTester are what the program that tests images needs: QEMU, firmware, and goss, which it runs in guests.
func ofTester() contents {
	return contents{
		Suite:    suite.Name,
		Packages: []string{"base-files", "base-passwd", "goss", "libc-bin", "ovmf", "qemu-system-x86"},
		Excluded: []string{
			"/etc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/doc/*", "/usr/share/info/*", "/usr/share/doc-base/*", "/usr/share/bug/*",
			"/usr/share/lintian/*", "/usr/share/ovmf/*", "/usr/share/OVMF/*.strictnx.*", "/usr/share/pam*", "/usr/share/perl5/*", "/usr/share/icons/*",
			"/usr/lib/ipxe/*", "/usr/share/qemu/*", "/usr/bin/*", "/usr/sbin/*", "/usr/lib/*/gconv/*", "/usr/lib/systemd/*", "/usr/share/alsa/*",
		},
		Included: []string{
			"/etc/os-release", "/usr/share/doc/*/copyright", "/usr/bin/qemu-system-x86_64", "/usr/bin/goss", "/usr/sbin/ldconfig",
			"/usr/share/qemu/firmware*", "/usr/share/qemu/kvmvapic.bin", "/usr/share/qemu/linuxboot*.bin", "/usr/share/qemu/bios-256k.bin", "/usr/share/qemu/vgabios*.bin",
		},
		// Pods can write only to /tmp, and QEMU writes to /var/tmp.
		Links:       map[string]string{"var/tmp": "../tmp"},
		Files:       map[string]string{"etc/hosts": "", "etc/resolv.conf": "", "etc/hostname": ""},
		Directories: []string{"dev", "proc", "sys", "tmp"},
		Removed:     []string{"boot", "dev", "etc/apt/apt.conf.d", "etc/dpkg", "home", "media", "mnt", "opt", "root", "srv", "var/cache", "var/lib/apt", "var/log"},
		Users:       "tester:x:65532:65532::/tmp:/usr/sbin/nologin\n",
		Groups:      "tester:x:65532:\n",
	}
}

// name returns a name that changes with the contents.
func (c contents) name() string {
	encoded, err := json.Marshal(c)
	if err != nil {
		panic(err) // it has only texts and a number
	}
	sum := sha256.Sum256(encoded)
	return c.Suite + "-" + hex.EncodeToString(sum[:6])
}

// Path returns the directory of the tools below a directory for caches. Its name changes with what the tools contain, apart from the state
// of the mirror.
func Path(cache string) string {
	return filepath.Join(cache, "goldsmith", "debian-builder", trixie().name())
}

// TesterPath returns the directory of the root file system of the tester, as Path does for the tools of the builder.
func TesterPath(cache string) string {
	return filepath.Join(cache, "goldsmith", "tester", ofTester().name())
}
