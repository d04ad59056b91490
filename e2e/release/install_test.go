//go:build e2e

// SPDX-License-Identifier: Apache-2.0

package release

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	// suite is the release of Debian of the clean systems.
	suite = "trixie"
	// patience is how long a scenario may take, in an emulator too.
	patience = 15 * time.Minute
)

// setUp makes a system of its own for a script, without a network: what is mounted and started there ends with it.
const setUp = `
set -eu
root=$1 dist=$2 next=$3
mount --make-rprivate /
ip link set lo up
mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
printf '%s' ':aarch64:M::\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00:\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff:'"$root/usr/bin/qemu-aarch64:OCF" \
  >/proc/sys/fs/binfmt_misc/register # of the kernel of this user namespace only
mount --bind "$root" "$root" # rpm changes how mounts of its root spread
mount -t proc proc "$root/proc"
mount -t tmpfs tmpfs "$root/dev"
for device in null zero full random urandom tty; do : >"$root/dev/$device"; mount --bind "/dev/$device" "$root/dev/$device"; done
mkdir "$root/dev/shm" "$root/dev/pts" && mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts" && ln -s pts/ptmx "$root/dev/ptmx" && chmod 1777 "$root/dev/shm"
ln -s /proc/self/fd "$root/dev/fd"
mkdir -p "$root/dist" "$root/next"
mount --bind -o ro "$dist" "$root/dist"
mount --bind -o ro "$next" "$root/next"
exec chroot "$root" env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 HOME=/root sh /scenario.sh
`

// TestARelease is installed on clean systems. $RELEASE is a directory that make release has written, and $NEXT_RELEASE one of a later version.
func TestARelease(t *testing.T) {
	clean := newSystem(t)
	for _, scenario := range []string{"apt", "tar", "rpm", "arm64"} {
		t.Run(scenario, func(t *testing.T) { clean.run(t, scenario) })
	}
	t.Run("service", func(t *testing.T) { clean.boot(t, "service") })
	t.Run("purge", func(t *testing.T) { clean.purge(t) })
}

// TestPackagesKeepThePolicies of Debian and of rpm.
func TestPackagesKeepThePolicies(t *testing.T) {
	dist := directoryOf(t, "RELEASE")
	for _, check := range []struct{ files, command string }{
		{"*.deb", "lintian --fail-on=error,warning --allow-root --suppress-tags-from-file=lintian.suppressed"},
		{"*.rpm", "rpmlint --strict --config=rpmlint.toml"},
	} {
		files, err := filepath.Glob(filepath.Join(dist, check.files))
		if err != nil || len(files) == 0 {
			t.Fatalf("no %s in %s: %v", check.files, dist, err)
		}
		words := strings.Fields(check.command)
		mustRun(t, words[0], append(words[1:], files...)...)
	}
}

// system is a clean system, as a tar file.
type system struct {
	archive, dist, next string
}

func newSystem(t *testing.T) *system {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("these tests need root: they mount")
	}
	s := &system{archive: filepath.Join(t.TempDir(), "system.tar"), dist: directoryOf(t, "RELEASE"), next: directoryOf(t, "NEXT_RELEASE")}
	// The packages that the packages of the release need are there, because the scenarios have no network.
	mustRun(t, "mmdebstrap", "--quiet", "--variant=minbase", "--include=rpm,mmdebstrap,bubblewrap,strace,debian-archive-keyring,bash-completion,sudo,systemd-sysv,linux-image-cloud-amd64,qemu-user", suite, s.archive)
	return s
}

func directoryOf(t *testing.T, variable string) string {
	t.Helper()
	directory, err := filepath.Abs(os.Getenv(variable))
	if err != nil || os.Getenv(variable) == "" {
		t.Fatalf("$%s names no release: make release-test sets it", variable)
	}
	return directory
}

// commands returns the commands of README.md for a way of installation.
func commands(t *testing.T, way string) []byte {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	script := []byte("set -eux\nmkdir ~/release && cd ~/release && ln -s /dist/* .\n")
	for _, block := range blocks.FindAllSubmatch(page, -1) {
		if slices.Contains(strings.Fields(string(block[1])), way) {
			script = append(script, block[2]...)
			script = append(script, "until test -e \"${KUBECONFIG:-.goldsmith/kubeconfig}\"; do sleep 0.1; done\n"...) // a person reads that the server is ready
		}
	}
	return script
}

// blocks finds blocks of shell commands for ways of installation.
var blocks = regexp.MustCompile("(?ms)^```sh ([a-z ]+)\n(.*?)^```$")

// extract makes a new system with a scenario, and with the commands of README.md.
func (s *system) extract(t *testing.T, scenario string) (root string) {
	t.Helper()
	root = t.TempDir()
	mustRun(t, "tar", "--extract", "--file="+s.archive, "--directory="+root, "--exclude=./dev/*")
	mustRun(t, "cp", filepath.Join("scenarios", scenario+".sh"), filepath.Join(root, "scenario.sh"))
	for _, way := range []string{"deb", "tar"} {
		if err := os.WriteFile(filepath.Join(root, "readme-"+way+".sh"), commands(t, way), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// run runs a scenario on a new system.
func (s *system) run(t *testing.T, scenario string) {
	t.Helper()
	root := s.extract(t, scenario)
	all := []syscall.SysProcIDMap{{Size: 1 << 16}}
	mustRunWith(t, &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS | syscall.CLONE_NEWNET | syscall.CLONE_NEWPID, UidMappings: all, GidMappings: all,
		GidMappingsEnableSetgroups: true, Pdeathsig: syscall.SIGKILL,
	}, "sh", "-c", setUp, "setup", root, s.dist, s.next)
}

// purging has piuparts install and purge the packages of a release, from a repository made for it: nothing may be left.
const purging = `
set -eu
root=$1 dist=$2 repository=$3
mount --make-rprivate /
cp "$dist"/*_amd64.deb "$dist"/*_all.deb "$repository"
(cd "$repository" && dpkg-scanpackages . >Packages)
rm -r "$root"/etc/apt/sources.list*
echo "deb [trusted=yes] file:$repository ./" >"$root/etc/apt/sources.list"
# debconf makes tmp.ci when it is first used.
exec piuparts --log-level=error --tmpdir="$repository" --existing-chroot="$root" --bindmount="$repository" --keep-sources-list --no-upgrade-test \
  --ignore=/var/cache/debconf/tmp.ci/ --apt goldsmith goldsmith-server goldsmith-builder-debian
`

func (s *system) purge(t *testing.T) {
	t.Helper()
	mustRunWith(t, &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL},
		"sh", "-c", purging, "purge", s.extract(t, "apt"), s.dist, t.TempDir())
}

func mustRun(t *testing.T, name string, arguments ...string) {
	t.Helper()
	mustRunWith(t, nil, name, arguments...)
}

func mustRunWith(t *testing.T, attributes *syscall.SysProcAttr, name string, arguments ...string) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	command := exec.CommandContext(ctx, name, arguments...)
	command.SysProcAttr = attributes
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatal(fmt.Errorf("%s: %w: %s", name, err, out))
	}
	t.Logf("%s", out)
	return out
}
