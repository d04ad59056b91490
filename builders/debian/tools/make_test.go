// SPDX-License-Identifier: Apache-2.0

package tools

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"goldsmith.dev/goldsmith/e2e/require"
)

// fakeMmdebstrap makes a directory with what the repairs need. It counts its runs in the file runs beside itself.
const fakeMmdebstrap = `#!/bin/sh
set -eu
here=$(dirname "$0")
echo run >>"$here/runs"
for directory; do :; done
[ -e "$here/message" ] && { cat "$here/message" >&2; mkdir "$directory"; exit 1; }
echo "I: extracting archives..."
mkdir -p "$directory/usr/bin" "$directory/usr/share/base-passwd" "$directory/etc/apt" "$directory/dev/pts" "$directory/var/log" \
  "$directory/usr/share/ca-certificates/mozilla" "$directory/etc/dpkg/dpkg.cfg.d" "$directory/tmp"
mkdir -p "$directory/var/cache/apt/archives" "$directory/var/lib/dpkg"
touch "$directory/var/cache/apt/archives/mawk_1_amd64.deb"
for option; do case $option in --extract-hook=*) sh -c "${option#*=}" exec "$directory" ;; esac; done
cd "$directory"
touch usr/bin/mawk usr/bin/fakeroot-sysv usr/bin/faked-sysv var/log/dpkg.log etc/dpkg/dpkg.cfg.d/99mmdebstrap
chmod 4755 usr/bin/mawk
chmod 1777 tmp
ln -s ../run/resolv.conf etc/resolv.conf
echo machine >etc/hostname
echo root:x:0:0::/root:/bin/sh >usr/share/base-passwd/passwd.master
echo root:x:0: >usr/share/base-passwd/group.master
printf B >usr/share/ca-certificates/mozilla/b.crt
printf A >usr/share/ca-certificates/mozilla/a.crt
printf 'deb http://mirror.example/debian trixie main\ndeb [signed-by="/x"] http://mirror.example/debian trixie-updates main\n' >etc/apt/sources.list
case $* in *qemu-system-x86*) rm -r usr/share/ca-certificates ;; esac
echo "$*" >arguments
env | sort >environment
`

// machineWith returns a directory of programs, and options that use them.
func machineWith(t *testing.T) (programs string, options Options) {
	t.Helper()
	programs = t.TempDir()
	for name, script := range map[string]string{
		"mmdebstrap": fakeMmdebstrap, "bwrap": "#!/bin/sh\n", "dpkg-deb": "#!/bin/sh\n[ $# = 2 ] && echo Version: 1 || echo mawk\n",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(programs, name), []byte(script), 0o700))
	}
	t.Setenv("PATH", programs+":"+os.Getenv("PATH"))
	environment := map[string]string{"PATH": os.Getenv("PATH"), "http_proxy": "http://proxy.example", "SECRET": "hidden"}
	return programs, Options{Getenv: func(name string) string { return environment[name] }}
}

func TestTheToolsAreRepaired(t *testing.T) {
	_, options := machineWith(t)
	directory := filepath.Join(t.TempDir(), "cache", "tools")
	var log bytes.Buffer
	options.Log = &log
	require.NoError(t, Make(t.Context(), directory, options))
	for name, want := range map[string]string{
		"etc/passwd":             "root:x:0:0::/root:/bin/sh\nbuilder:x:65532:65532::/tmp:/bin/sh\n",
		"etc/group":              "root:x:0:\nbuilder:x:65532:\n",
		"etc/hosts":              "",
		"etc/resolv.conf":        "",
		"etc/hostname":           "debian-builder\n",
		"debian-builder":         "",
		"usr/bin/ldd.fakechroot": lddScript,
		bundle:                   "A\nB\n",
		"etc/apt/sources.list":   "deb [signed-by=" + Keyring + "] http://mirror.example/debian trixie main\ndeb [signed-by=" + Keyring + "] http://mirror.example/debian trixie-updates main\n",
		"usr/bin/awk":            "",

		"var/lib/dpkg/status.d/mawk": "Version: 1\n",
	} {
		if content, err := os.ReadFile(filepath.Join(directory, name)); err != nil || string(content) != want {
			t.Errorf("%s: %q, %v, want %q", name, content, err, want)
		}
	}
	for _, name := range []string{"dev/pts", "var/log", "etc/dpkg/dpkg.cfg.d/99mmdebstrap"} {
		if _, err := os.Lstat(filepath.Join(directory, name)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is not removed: %v", name, err)
		}
	}
	for name, want := range map[string]fs.FileMode{"usr/bin/mawk": 0o755, "tmp": fs.ModeDir | 0o755, "goldsmith": fs.ModeDir | 0o755, "usr/bin/ldd.fakechroot": 0o755} {
		if info, err := os.Lstat(filepath.Join(directory, name)); err != nil || info.Mode() != want {
			t.Errorf("%s: %v %v, want %s", name, info, err, want)
		}
	}
	environment, err := os.ReadFile(filepath.Join(directory, "environment"))
	require.NoError(t, err)
	if text := string(environment); !strings.Contains(text, "http_proxy=http://proxy.example\n") || strings.Contains(text, "hidden") {
		t.Errorf("mmdebstrap had the environment %s", text)
	}
	if log.String() != "I: extracting archives...\n" {
		t.Errorf("the log is %q", log.String())
	}
}

func TestTheTesterHasARootFileSystemOfItsOwn(t *testing.T) {
	_, options := machineWith(t)
	directory := TesterPath(t.TempDir())
	require.NoError(t, MakeTester(t.Context(), directory, options))
	if target, err := os.Readlink(filepath.Join(directory, "var/tmp")); err != nil || target != "../tmp" {
		t.Errorf("QEMU writes to %q, %v, and pods only to /tmp", target, err)
	}
	if users := require.Value(os.ReadFile(filepath.Join(directory, "etc/passwd")))(t); !strings.Contains(string(users), "tester:x:65532:") {
		t.Errorf("the users are %s", users)
	}
	if NeedsRenewal(directory) || exists(filepath.Join(directory, Program)) {
		t.Error("it is incomplete, or has the program of the builder")
	}
}

func TestTheToolsAreMadeOnceAndAppearComplete(t *testing.T) {
	programs, options := machineWith(t)
	directory := filepath.Join(t.TempDir(), "tools")
	// A process that was killed has left something.
	require.NoError(t, errors.Join(os.MkdirAll(directory+".unfinished/usr", 0o700), os.Chmod(directory+".unfinished/usr", 0o500)))
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if err := Make(t.Context(), directory, options); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if runs, err := os.ReadFile(filepath.Join(programs, "runs")); err != nil || string(runs) != "run\n" {
		t.Errorf("runs of mmdebstrap: %q, %v", runs, err)
	}
	if left, _ := filepath.Glob(filepath.Dir(directory) + "/*"); len(left) != 2 {
		t.Errorf("besides the tools and their lock there is %q", left)
	}
}

// age makes tools older.
func age(t *testing.T, directory string, by time.Duration) {
	t.Helper()
	at := time.Now().Add(-by)
	require.NoError(t, os.Chtimes(directory, at, at))
}

const month = 31 * 24 * time.Hour

func TestOldToolsAreRenewedBesideBuilds(t *testing.T) {
	programs, options := machineWith(t)
	cache := t.TempDir()
	directory := filepath.Join(cache, "ours")
	runs := func() string {
		text, _ := os.ReadFile(filepath.Join(programs, "runs"))
		return string(text)
	}
	names := func() (names []string) {
		for _, entry := range require.Value(os.ReadDir(cache))(t) {
			if entry.IsDir() {
				names = append(names, regexp.MustCompile(`old-\d+`).ReplaceAllString(entry.Name(), "old"))
			}
		}
		return names
	}
	require.NoError(t, Make(t.Context(), directory, options))
	for _, other := range []string{"trixie-used", "trixie-unused"} {
		require.NoError(t, errors.Join(os.Mkdir(filepath.Join(cache, other), 0o700), os.WriteFile(filepath.Join(cache, other, Program), nil, 0o600)))
	}
	age(t, filepath.Join(cache, "trixie-unused"), month)
	held := require.Value(Hold(directory))(t)
	age(t, directory, month)

	require.NoError(t, Make(t.Context(), directory, options))
	if got := runs(); got != "run\nrun\n" || NeedsRenewal(directory) {
		t.Errorf("runs %q, due %t", got, NeedsRenewal(directory))
	}
	if diff := cmp.Diff([]string{"ours", "ours.old", "trixie-used"}, names()); diff != "" {
		t.Error(diff)
	}
	if err := checkSameFile(held, filepath.Join(directory, Program)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a build that waited while the tools were replaced gets %v", err)
	}
	require.NoError(t, held.Close())
	age(t, directory, month)
	require.NoError(t, Make(t.Context(), directory, options))
	if diff := cmp.Diff([]string{"ours", "trixie-used"}, names()); diff != "" {
		t.Error(diff)
	}
	if _, err := Hold(filepath.Join(cache, "trixie-unused")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("removed tools: %v", err)
	}
}

func TestOldToolsStayIfTheyCannotBeRenewed(t *testing.T) {
	programs, options := machineWith(t)
	directory := filepath.Join(t.TempDir(), "trixie-ours")
	require.NoError(t, Make(t.Context(), directory, options))
	require.NoError(t, os.WriteFile(filepath.Join(programs, "message"), []byte("E: Failed to fetch http://m/x\n"), 0o600))
	age(t, directory, month)
	var log bytes.Buffer
	options.Log = &log
	require.NoError(t, Make(t.Context(), directory, options))
	if text := log.String(); !strings.Contains(text, "the old tools are used, because they cannot be renewed: ") || !strings.Contains(text, "Failed to fetch http://m/x") {
		t.Errorf("the log is %q", text)
	}
	if NeedsRenewal(directory) {
		t.Error("the next build tries again")
	}
	age(t, directory, renewAfter-time.Minute)
	if NeedsRenewal(directory) {
		t.Error("tools are renewed too early")
	}
}

func TestAnErrorTellsWhetherTheMirrorIsTheCause(t *testing.T) {
	programs, options := machineWith(t)
	directory := filepath.Join(t.TempDir(), "tools")
	for message, want := range map[string]string{
		"E: Failed to fetch http://m/x  Could not connect to m:80 (192.0.2.1). - connect (111: Connection refused)": "mirror",
		"Err:1 http://m trixie InRelease\n  Temporary failure resolving 'm'":                                        "mirror",
		"E: Failed to fetch http://m/x  503  Service Unavailable [IP: 192.0.2.1 80]":                                "mirror",
		"E: Failed to fetch http://m/x  Hash Sum mismatch":                                                          "mirror",
		"E: Failed to fetch http://m/x  404  Not Found [IP: 192.0.2.1 80]":                                          "mirror",
		"E: The repository 'http://m trixie Release' does not have a Release file.":                                 "",
		"W: GPG error: http://m trixie InRelease: The following signatures couldn't be verified: NO_PUBKEY 0":       "",
		"tar: ./usr/bin/x: Cannot write: No space left on device":                                                   "disk",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(programs, "message"), []byte(message+"\nE: mmdebstrap failed to run\n"), 0o600))
		err := Make(t.Context(), directory, options)
		if err == nil || !strings.Contains(err.Error(), strings.Split(message, "\n")[0]) || !strings.Contains(err.Error(), "make the tools in "+directory) {
			t.Errorf("%q: the error is %v", message, err)
		}
		if mirror, disk := errors.Is(err, ErrMirror), errors.Is(err, ErrDiskFull); mirror != (want == "mirror") || disk != (want == "disk") {
			t.Errorf("%q: mirror %t, disk %t", message, mirror, disk)
		}
	}
	if left, _ := filepath.Glob(filepath.Dir(directory) + "/*"); len(left) != 1 {
		t.Errorf("besides the lock there is %q", left)
	}
}

func TestTheDigestOfTheToolsChangesWithTheirFiles(t *testing.T) {
	t.Parallel()
	digest := func(change func(directory string) error) string {
		directory := t.TempDir()
		require.NoError(t, errors.Join(os.Mkdir(directory+"/etc", 0o700), os.WriteFile(directory+"/program", []byte("grub"), 0o600), os.Symlink("program", directory+"/link"),
			change(directory), writeDigest(directory)))
		return string(require.Value(os.ReadFile(directory + Digest))(t))
	}
	digests := map[string]string{}
	for name, change := range map[string]func(directory string) error{
		"none":    func(string) error { return nil },
		"content": func(directory string) error { return os.WriteFile(directory+"/program", []byte("GRUB"), 0o600) },
		"mode":    func(directory string) error { return os.Chmod(directory+"/program", 0o700) },
		"name":    func(directory string) error { return os.Rename(directory+"/program", directory+"/other") },
		"link": func(directory string) error {
			return errors.Join(os.Remove(directory+"/link"), os.Symlink("other", directory+"/link"))
		},
	} {
		digests[digest(change)] = name
	}
	if len(digests) != 5 {
		t.Errorf("changes have the same digest: %q", digests)
	}
	if got := digests[digest(func(directory string) error { age(t, directory+"/program", month); return nil })]; got != "none" {
		t.Error("a time changes the digest")
	}
}

func TestTheNameOfTheToolsChangesWithTheirContents(t *testing.T) {
	t.Parallel()
	changed := trixie()
	changed.Packages = changed.Packages[1:]
	if a, b := trixie().name(), changed.name(); a == b || !strings.HasPrefix(a, "trixie-") || Path("/cache") != "/cache/goldsmith/debian-builder/"+a {
		t.Errorf("%s, %s, %s", a, b, Path("/cache"))
	}
}
