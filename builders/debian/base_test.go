// SPDX-License-Identifier: Apache-2.0

package debian

import (
	"archive/tar"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/render"
)

// plainChroot stands for the program chroot: it runs the programs that look at files, with the paths of the root file system. What tar would
// extract is in a directory beside it.
const plainChroot = `#!/bin/sh
root=$1; shift
for argument; do
  shift
  case $argument in /*) argument=$root$argument ;; esac
  set -- "$@" "$argument"
done
case $1 in
  tar) cp -r "${0%/*}/files/." "$root" ;;
  test | grep | tee | sed) exec "$@" ;;
esac
`

// child unpacks a base with some files below etc/apt, writes such files of the image, and returns those of the image. machine is the list of the plan.
func child(t *testing.T, base, files map[string]string, machine string) map[string]string {
	t.Helper()
	input := inputWith(nil)
	input.Base = render.InputBase{Image: "server"}
	c, err := newConfiguration(input)
	require.NoError(t, err)
	p := newPlan(c, nil, "NEW")
	p.machine = machine
	directory := t.TempDir()
	plan, bin, root := filepath.Join(directory, "plan"), filepath.Join(directory, "bin"), filepath.Join(directory, "root")
	require.NoError(t, p.write(plan))
	put := func(name, content string) {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(directory, name)), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(directory, name), []byte(content), 0o700))
	}
	put("bin/chroot", plainChroot)
	// What mmdebstrap has begun.
	put("root/etc/apt/sources.list.d/0000sources.list", "deb the build\n")
	put("root/etc/apt/apt.conf.d/99mmdebstrap", "of the build")
	put("root/etc/dpkg/dpkg.cfg.d/99mmdebstrap", "of the build")
	require.NoError(t, os.Mkdir(filepath.Join(bin, "files"), 0o700))
	for name, content := range files {
		put("bin/files/etc/apt/"+name, content)
	}

	file := require.Value(os.Create(filepath.Join(plan, baseTar)))(t)
	archive := tar.NewWriter(file)
	contents := map[string]string{
		"var/lib/dpkg/status": "", "usr/lib/os-release": "VERSION_CODENAME=trixie\n", "boot/grub/grub.cfg": "  linux /vmlinuz root=UUID=OLD ro\n", "etc/fstab": "UUID=OLD /\n",
	}
	for name, content := range base {
		contents["etc/apt/"+name] = content
	}
	for _, name := range slices.Sorted(maps.Keys(contents)) {
		require.NoError(t, archive.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "./" + name, Mode: modeFile, Size: int64(len(contents[name]))}))
		_, err := io.WriteString(archive, contents[name])
		require.NoError(t, err)
	}
	require.NoError(t, archive.Close())
	require.NoError(t, file.Close())
	run := func(program string) {
		command := exec.CommandContext(t.Context(), filepath.Join(plan, program), root)
		command.Env = []string{"PATH=" + bin + ":/usr/bin:/bin", "SOURCE_DATE_EPOCH=0", "BUILDER=true"}
		output, err := command.CombinedOutput()
		t.Logf("%s: %s", program, output)
		require.NoError(t, err)
	}
	run("unpack")
	for name := range filesBelow(t, filepath.Join(root, "etc/apt")) {
		if strings.HasPrefix(name, "sources") && name != "sources.list.d/0000sources.list" {
			t.Errorf("apt of the build knows %s", name)
		}
	}
	run("customize")
	if left := filesBelow(t, filepath.Join(root, "etc/dpkg")); len(left) > 0 {
		t.Errorf("dpkg of the machine has %v", left)
	}
	return filesBelow(t, filepath.Join(root, "etc/apt"))
}

func filesBelow(t *testing.T, directory string) map[string]string {
	t.Helper()
	files := map[string]string{}
	require.NoError(t, filepath.WalkDir(directory, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		files[strings.TrimPrefix(path, directory+"/")] = string(text)
		return err
	}))
	return files
}

func TestOnlyTheListThatTheBuilderHasWrittenIsReplacedInABase(t *testing.T) {
	const own, list, vendor = "sources.list.d/0000sources.list", "sources.list", "sources.list.d/vendor.sources"
	for name, test := range map[string]struct {
		base, files map[string]string // below etc/apt
		machine     string
		want        map[string]string
	}{
		"nothing is set": {
			base: map[string]string{own: "base", list: "user", vendor: "vendor"},
			want: map[string]string{own: "base", list: "user", vendor: "vendor"},
		},
		"a mirror is set": {
			base: map[string]string{own: "base", list: "user", vendor: "vendor"}, machine: "machine",
			want: map[string]string{own: "machine", list: "user", vendor: "vendor"},
		},
		"no list":               {base: map[string]string{vendor: "vendor"}, want: map[string]string{vendor: "vendor"}},
		"no list, and a mirror": {machine: "machine", want: map[string]string{own: "machine"}},
		"a list of the image": {
			base: map[string]string{own: "base", vendor: "vendor"}, machine: "machine",
			files: map[string]string{own: "image", vendor: "image"},
			want:  map[string]string{own: "image", vendor: "image"},
		},
		"settings": {
			base: map[string]string{"apt.conf.d/99mmdebstrap": "of an earlier build", "apt.conf.d/50user": "user", "auth.conf.d/a.conf": "user"},
			want: map[string]string{"apt.conf.d/50user": "user", "auth.conf.d/a.conf": "user"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, child(t, test.base, test.files, test.machine)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
