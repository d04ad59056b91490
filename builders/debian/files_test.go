// SPDX-License-Identifier: Apache-2.0

package debian

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/render"
	"goldsmith.dev/goldsmith/jobs/result"
)

// sourceWith gives the build a source with files. A text that begins with -> is a symbolic link, one that begins with +x is executable, and a
// name that ends with a slash is a directory.
func (f *fixture) sourceWith(files map[string]string) {
	f.t.Helper()
	f.input.Source = &render.InputSource{URL: "https://git.example.com/images.git", Revision: "sha1:0123456789abcdef0123456789abcdef01234567"}
	for name, content := range files {
		at := filepath.Join(f.directory, "source", name)
		if strings.HasSuffix(name, "/") {
			require.NoError(f.t, os.MkdirAll(at, 0o700))
			continue
		}
		require.NoError(f.t, os.MkdirAll(filepath.Dir(at), 0o700))
		mode := os.FileMode(0o644)
		if target, isLink := strings.CutPrefix(content, "->"); isLink {
			require.NoError(f.t, os.Symlink(target, at))
			continue
		}
		if strings.HasPrefix(content, "+x") {
			mode = 0o755
		}
		require.NoError(f.t, os.WriteFile(at, []byte(content), mode))
	}
}

// copiesRoot is a mmdebstrap that leaves what the plan writes into the image.
const copiesRoot = `for hook; do case $hook in --customize-hook=*/customize) plan=${hook#*=}; plan=${plan%/*}; esac; done
cp "$plan/root.tar" "$plan/scripts.list" .; rm -rf scripts; cp -r "$plan/scripts" scripts
for last; do before=$target target=$list list=$last; done; cp rootfs.tar "$target"`

// files returns what the plan of the last build writes into the image, besides what every image has.
func (f *fixture) files() (files []string) {
	f.t.Helper()
	file := require.Value(os.Open(filepath.Join(f.directory, "root.tar")))(f.t)
	defer func() { _ = file.Close() }()
	for archive := tar.NewReader(file); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		require.NoError(f.t, err)
		if content := require.Value(io.ReadAll(archive))(f.t); header.Name != "boot/grub/grub.cfg" && !strings.HasPrefix(header.Name, "etc/") {
			files = append(files, fmt.Sprintf("%o %s %q%s", header.Mode, header.Name, content, header.Linkname))
		}
	}
}

func TestTheFilesOfASourceAreThoseOfTheImage(t *testing.T) {
	f := newFixture(t, nil)
	f.tool("mmdebstrap", copiesRoot)
	f.sourceWith(map[string]string{
		"README.md": "read me", ".github/workflows/build.yaml": "on: push", "tests/site.yaml": "port: {}", "lib/common.sh": "true\n",
		"root/usr/share/page": "#!/bin/sh\nno program\n", "root/usr/bin/program": "+x", "root/root/.ssh/key": "+x", "root/srv/-rf *\"$(reboot)": "", "root/srv/ü": "ü",
		"root/var/empty/": "", "scripts/20-b": "second\n", "scripts/10 a": "->../lib/common.sh", "scripts/empty/": "", "doc/empty/": "",
		// Links: as they are, over the directory root, to a file of a package, through another link, and in a directory that is a link in the image.
		"root/opt/page": "->../usr/./share/page", "root/opt/over": "->../../root/srv/ü", "root/opt/zone": "->../usr/share/zoneinfo/UTC", "root/opt/self": "->..",
		"root/opt/dir": "->../../root/usr", "root/opt/through": "->dir/share/page", "root/bin/b": "->../opt/tool", "root/bin/c": "->b", "root/opt/d": "->../bin/b",
		"root/var/run/e": "->../srv/ü",
	})
	if code, said := f.run(); code != 0 {
		t.Fatalf("exit code %d, failure %+v", code, said.Failure)
	}
	want := []string{
		`755 bin/b ""../../opt/tool`, `755 bin/c ""b`, `755 opt/d ""../bin/b`, `755 opt/dir ""../usr`, `755 opt/over ""../srv/ü`, `755 opt/page ""../usr/./share/page`, `755 opt/self ""..`,
		`755 opt/through ""../usr/share/page`, `755 opt/zone ""../usr/share/zoneinfo/UTC`, `600 root/.ssh/key "+x"`, `644 srv/-rf *"$(reboot) ""`, `644 srv/ü "ü"`,
		`755 usr/bin/program "+x"`, `644 usr/share/page "#!/bin/sh\nno program\n"`, `755 var/empty/ ""`, `755 var/run/e ""../var/srv/ü`,
	}
	if diff := cmp.Diff(want, f.files()); diff != "" {
		t.Error(diff)
	}
	if list := f.read("scripts.list") + f.read("scripts/0") + f.read("scripts/1"); list != "0 10 a\n1 20-b\ntrue\nsecond\n" {
		t.Errorf("scripts %q", list)
	}
	if want := `the source is sha1:0123456789abcdef0123456789abcdef01234567 of https://git.example.com/images.git: files taken: `; !strings.Contains(f.log.String(), want) {
		t.Errorf("the log lacks %s", want)
	}
}

func TestASourceThatCannotBeAnImageIsRefused(t *testing.T) {
	for name, test := range map[string]struct {
		files map[string]string
		want  string
	}{
		"a link that leaves root": {map[string]string{"root/a/b": "->../../README.md"}, `file "root/a/b" of the source is a symbolic link to "../../README.md", which is not in root/: move its target there, or copy it`},
		"by another link":         {map[string]string{"root/a": "->b/c", "root/b": "->../lib", "lib/c": ""}, `file "root/a" of the source is a symbolic link to "b/c", which is not in root/: move its target there, or copy it`},
		"a link out of all":       {map[string]string{"root/a": "->../../../root/b"}, `file "root/a" of the source is a symbolic link to "../../../root/b", which is not in root/: move its target there, or copy it`},
		"an absolute link":        {map[string]string{"root/a": "->/etc/passwd"}, `file "root/a" of the source is a symbolic link to "/etc/passwd", which is not in root/: move its target there, or copy it`},
		"links in a circle":       {map[string]string{"root/a": "->a/b"}, ""},
		"a script that is none":   {map[string]string{"scripts/a": "->../lib", "lib/": ""}, `file "scripts/a" of the source is a symbolic link to "../lib", which is no file of the source`},
		"a script from elsewhere": {map[string]string{"scripts/a": "->/etc/passwd"}, `file "scripts/a" of the source is a symbolic link to "/etc/passwd", which is no file of the source`},
		"two lines":               {map[string]string{"scripts/a\n1 b": ""}, `file "scripts/a\n1 b" of the source: its name must be printable: remove control characters, and characters that are invisible or change the direction of text`},
		"other bytes":             {map[string]string{"root/\xff": ""}, `file "root/\xff" of the source: its name must be UTF-8`},
		"a link instead of root":  {map[string]string{"root": "->image", "image/a": ""}, `root of the source must be a directory`},
		"another directory":       {map[string]string{"README.md": "", "web/root/a": ""}, `the source has no file in root/ or scripts/: let path of the source name the directory that has them`},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, nil)
			f.sourceWith(test.files)
			code, said := f.run()
			if said.Failure == nil {
				said.Failure = &result.Failure{Reason: reasonInput}
			}
			if said.Failure.Reason != reasonInput || said.Failure.Message != test.want || (code == 0) != (test.want == "") {
				t.Errorf("exit code %d, failure %+v, want %s", code, said.Failure, test.want)
			}
		})
	}
	f := newFixture(t, nil)
	f.input.Source = &render.InputSource{}
	if code, said := f.run(); code != exitFailed || !strings.Contains(said.Failure.Message, "GOLDSMITH_SOURCE is not set") {
		t.Errorf("exit code %d, failure %+v", code, said.Failure)
	}
}

// A file that is larger than what a builder can have as memory is only copied.
func TestALargeFileOfASourceIsStreamed(t *testing.T) {
	const size = 128 * mib
	f := newFixture(t, nil)
	f.tool("mmdebstrap", `for hook; do case $hook in --customize-hook=*/customize) plan=${hook#*=}; plan=${plan%/*}; esac; done
stat -c %s "$plan/root.tar" "$plan/scripts/0" >sizes
for last; do before=$target target=$list list=$last; done; cp rootfs.tar "$target"`)
	f.sourceWith(map[string]string{"root/srv/large": "", "scripts/large": ""})
	require.NoError(t, os.Truncate(filepath.Join(f.directory, "source/root/srv/large"), size))
	require.NoError(t, os.Truncate(filepath.Join(f.directory, "source/scripts/large"), size))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	code, said := f.run()
	runtime.ReadMemStats(&after)
	if allocated := after.TotalAlloc - before.TotalAlloc; code != 0 || allocated > 32*mib {
		t.Errorf("exit code %d, failure %+v, allocated %d MiB", code, said.Failure, allocated/mib)
	}
	var tarSize, scriptSize int64
	_, err := fmt.Sscan(f.read("sizes"), &tarSize, &scriptSize)
	if err != nil || tarSize < size || scriptSize != size {
		t.Errorf("%d bytes of files, and %d of the script, %v", tarSize, scriptSize, err)
	}
}

// The UUIDs of a disk follow the files that are taken from the source, and not its commit.
func TestTheSameFilesMakeTheSameDisk(t *testing.T) {
	uuid := func(files map[string]string, revision string) string {
		f := newFixture(t, nil)
		f.tool("mmdebstrap", `for hook; do case $hook in --customize-hook=*/customize) plan=${hook#*=}; cp "${plan%/*}/uuid" .; esac; done
for last; do before=$target target=$list list=$last; done; cp rootfs.tar "$target"`)
		f.sourceWith(files)
		f.input.Source.Revision = revision
		if code, said := f.run(); code != 0 {
			t.Fatalf("exit code %d, failure %+v", code, said.Failure)
		}
		return f.read("uuid")
	}
	first := uuid(map[string]string{"root/a": "a", "README.md": "a"}, "sha1:01")
	if other := uuid(map[string]string{"root/a": "a", "README.md": "b"}, "sha1:02"); other != first {
		t.Errorf("another commit with the same files has the UUID %s, not %s", other, first)
	}
	if other := uuid(map[string]string{"root/a": "b", "README.md": "a"}, "sha1:01"); other == first {
		t.Error("other files have the same UUID")
	}
}

func TestAResolveOfASourceIsCompleteUnlessItHasScripts(t *testing.T) {
	for file, complete := range map[string]bool{"root/a": true, "scripts/a": false} {
		f := newFixture(t, nil)
		f.tool("mmdebstrap", "")
		f.sourceWith(map[string]string{file: ""})
		f.input.Resolve, f.input.Targets = true, nil
		code, said := f.run()
		if code != 0 || said.Resolved == nil || said.Resolved.Complete != complete {
			t.Errorf("with %s: exit code %d, result %+v", file, code, said)
		}
	}
}
