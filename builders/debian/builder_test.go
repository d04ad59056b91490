// SPDX-License-Identifier: Apache-2.0

package debian

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/builders/debian/kept"
	"goldsmith.dev/goldsmith/builders/debian/tools"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/render"
	"goldsmith.dev/goldsmith/jobs/result"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// A fixture is a build with tools that only record how they are called. mmdebstrap makes a root file system with a few files, and applies no
// plan.
type fixture struct {
	t         *testing.T
	directory string
	log       signalling
	input     *render.Input
}

const toolsDigest = "sha256:d034f4d4aab4b6b0f0f5c54ac8b6a1a2f8a1e6b7c4a3d2e1f0a9b8c7d6e5f4a3"

const recorder = `#!/bin/sh
cd "$(dirname "$0")/../../.." && echo "${0##*/} $*" >>calls
`

func newFixture(t *testing.T, parameters map[string]string) *fixture {
	t.Helper()
	f := &fixture{t: t, directory: t.TempDir(), input: inputWith(parameters)}
	for _, name := range []string{"tools/usr/bin", "tools/etc/apt", "tools/" + grubDirectory, "output", "tmp"} {
		require.NoError(t, os.MkdirAll(filepath.Join(f.directory, name), 0o700))
	}
	for _, name := range []string{"sfdisk", "mkfs.vfat", "mke2fs", "mmd", "mcopy", "qemu-img"} {
		f.tool(name, "")
	}
	f.tool("mmdebstrap", `for last; do before=$target target=$list list=$last; done; cp rootfs.tar "$target"`)
	f.tool("grub-mkimage", `while [ "$1" != -o ]; do shift; done; head -c 2000 /dev/zero >"$2"`)
	f.mirrorOf("Sat, 21 Nov 2026 09:15:44 UTC")
	f.write("tools"+tools.Digest, []byte(toolsDigest+"\n"))
	f.write("rootfs.tar", rootFS(t, nil))
	f.write("tools/"+grubDirectory+"/boot.img", make([]byte, 512))
	return f
}

// mirrorOf lets the tools name a mirror whose release files have a date.
func (f *fixture) mirrorOf(date string) {
	f.t.Helper()
	url := mirrorWith(f.t, func(writer http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(writer, "Date: %s\nComponents: main\n", date)
	})
	f.write("tools/"+toolSources, []byte("deb "+url+" trixie main\n"))
}

// rootFS is the tar of a root file system with the boot loaders of UEFI, 3 MiB, and more files.
func rootFS(t *testing.T, more map[string]string) []byte {
	t.Helper()
	var buffer bytes.Buffer
	archive := tar.NewWriter(&buffer)
	files := map[string]string{"./var/large": strings.Repeat("x", 3*mib)}
	for _, loader := range signedLoaders {
		files[loader.File] = loader.File
	}
	maps.Copy(files, more)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		require.NoError(t, archive.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: int64(len(files[name]))}))
		_, err := io.WriteString(archive, files[name])
		require.NoError(t, err)
	}
	require.NoError(t, archive.Close())
	return buffer.Bytes()
}

func (f *fixture) tool(name, does string) {
	f.t.Helper()
	f.write("tools/usr/bin/"+name, []byte(recorder+does+"\n"))
	require.NoError(f.t, os.Chmod(filepath.Join(f.directory, "tools/usr/bin", name), 0o700))
}

func (f *fixture) write(name string, content []byte) {
	f.t.Helper()
	require.NoError(f.t, os.WriteFile(filepath.Join(f.directory, name), content, 0o600))
}

func (f *fixture) read(name string) string {
	f.t.Helper()
	return string(require.Value(os.ReadFile(filepath.Join(f.directory, name)))(f.t))
}

// main runs the builder, and returns its exit code.
func (f *fixture) main(ctx context.Context) int {
	f.write("input.json", require.Value(json.Marshal(f.input))(f.t))
	files := map[string]string{render.EnvInput: "input.json", render.EnvOutput: "output", render.EnvResult: "result", render.EnvBase: ".", "TMPDIR": "tmp"}
	if _, err := os.Stat(filepath.Join(f.directory, files["TMPDIR"], socketName)); err == nil {
		files[kept.EnvSocket] = filepath.Join(files["TMPDIR"], socketName)
	}
	if f.input.Source != nil && f.input.Source.URL != "" {
		files[render.EnvSource] = "source"
	}
	getenv := func(name string) string {
		if file := files[name]; file != "" {
			return filepath.Join(f.directory, file)
		}
		return ""
	}
	return runIn(ctx, filepath.Join(f.directory, "tools"), getenv, &f.log, &f.log)
}

// run runs the builder, and returns its exit code and its result.
func (f *fixture) run() (int, result.Result) {
	f.t.Helper()
	code := f.main(f.t.Context())
	f.t.Log(f.log.String())
	var said result.Result
	require.NoError(f.t, json.Unmarshal([]byte(f.read("result")), &said))
	return code, said
}

// fails runs the builder, and expects a failure.
func (f *fixture) fails(want result.Failure) {
	f.t.Helper()
	code, said := f.run()
	if code == 0 || said.Outcome != result.OutcomeFailed {
		f.t.Fatalf("exit code %d, outcome %s", code, said.Outcome)
	}
	if diff := cmp.Diff(&want, said.Failure); diff != "" {
		f.t.Error(diff)
	}
}

func TestADiskIsMadeByTheTools(t *testing.T) {
	f := newFixture(t, map[string]string{"packages": "curl"})
	f.tool("mke2fs", "echo 'libfakeroot internal error: payload not recognized!'; echo 'mke2fs 1.47'")
	code, said := f.run()
	if log := f.log.String(); strings.Contains(log, "libfakeroot") || !strings.Contains(log, "mke2fs 1.47") {
		t.Error("the log has noise, or lacks a line")
	}
	if code != 0 || said.Outcome != result.OutcomeSucceeded || len(said.Artifacts) != 1 || said.Artifacts[0].File != "disk.raw" {
		t.Fatalf("exit code %d, result %+v, failure %+v", code, said, said.Failure)
	}
	want := map[string]string{"debian.release": "trixie", "debian.time": "2026-11-21T09:15:44Z", "debian.tools": toolsDigest}
	if diff := cmp.Diff(want, said.Artifacts[0].Annotations); diff != "" {
		t.Error(diff)
	}
	if info, err := os.Stat(filepath.Join(f.directory, "output/disk.raw")); err != nil || info.Size() != 768*mib {
		t.Errorf("disk %v, error %v", info, err)
	}
	if left, err := os.ReadDir(filepath.Join(f.directory, "tmp")); err != nil || len(left) > 0 {
		t.Errorf("the build leaves %v, error %v", left, err)
	}
}

func TestTheToolsAreCalledWithTheSameArgumentsForTheSameInputs(t *testing.T) {
	calls := func(build string) string {
		f := newFixture(t, map[string]string{"packages": "nginx-light", "kernelArguments": "quiet", "size": "2G"})
		f.input.Build.Name = build
		f.input.Targets = append(f.input.Targets, render.InputTarget{Name: "linux/amd64/qcow2", Platform: platform, Format: v1alpha1.ArtifactFormatQCOW2})
		f.run()
		text := f.read("calls")
		text = regexp.MustCompile(`\S*/debian-\d+`).ReplaceAllString(text, "WORK")
		return strings.ReplaceAll(text, f.directory, "")
	}
	first := calls("web-1")
	const golden = "testdata/calls.txt"
	if *update {
		require.NoError(t, os.WriteFile(golden, []byte(first), 0o600))
	}
	if diff := cmp.Diff(string(require.Value(os.ReadFile(golden))(t)), first); diff != "" {
		t.Errorf("go test -update writes %s again: %s", golden, diff)
	}
	if diff := cmp.Diff(first, calls("web-2")); diff != "" {
		t.Error(diff)
	}
}

func TestFailuresHaveTheirReasonAndClass(t *testing.T) {
	t.Run("a disk that is too small", func(t *testing.T) {
		f := newFixture(t, map[string]string{"size": "100M"})
		f.fails(result.Failure{Reason: "DiskTooSmall", Class: v1alpha1.FailureUser, Message: "parameter size is 100M, must be at least 136M: 4M for files, 65M for their inodes, the journal and some free space, 67M for boot loaders"})
	})
	t.Run("a full disk of the builder", func(t *testing.T) {
		f := newFixture(t, map[string]string{})
		f.tool("mke2fs", "echo 'mke2fs: No space left on device while writing'; exit 1")
		code, said := f.run()
		want := "^the disk on which the builder works is full: mke2fs: No space left on device while writing" +
			strings.Repeat(`; /\S+ has \S+ [KMGT]?i?B free, and this build needs more than the \S+ [KMGT]?i?B that it has written there`, 2) + "$"
		if failure := said.Failure; code == 0 || failure == nil || failure.Reason != "DiskFull" || failure.Class != v1alpha1.FailureConfig || failure.Retryable ||
			!regexp.MustCompile(want).MatchString(failure.Message) {
			t.Errorf("code %d, failure %+v, want %s", code, failure, want)
		}
	})
	t.Run("a full disk of the image", func(t *testing.T) {
		f := newFixture(t, map[string]string{"size": "200M"})
		f.tool("mke2fs", "echo '__populate_fs: Could not allocate block in ext2 filesystem while writing file \"a\"'; exit 1")
		f.fails(result.Failure{Reason: "DiskTooSmall", Class: v1alpha1.FailureUser, Message: "parameter size is 200M, must be at least 256M: the file system cannot hold these packages and files: __populate_fs: Could not allocate block in ext2 filesystem while writing file \"a\""})
	})
	t.Run("a failure of the plan", func(t *testing.T) {
		f := newFixture(t, map[string]string{})
		f.tool("mmdebstrap", `for hook; do case $hook in --customize-hook=*) plan=${hook#*=}; esac; done
printf 'ScriptFailed\nfile scripts/a ended with exit code 7; its last output: \nit said this\n' >"${plan%/*}/failure"
echo "E: mmdebstrap failed to run"; exit 25`)
		f.fails(result.Failure{Reason: "ScriptFailed", Class: v1alpha1.FailureUser, Message: "file scripts/a ended with exit code 7; its last output: it said this"})
	})
	t.Run("a proxy with a password", func(t *testing.T) {
		f := newFixture(t, map[string]string{})
		f.tool("mmdebstrap", "echo 'E: Unsupported proxy configured: socks9://me:secret@proxy'; exit 25")
		f.fails(result.Failure{Reason: "PackagesNotInstalled", Class: v1alpha1.FailureUser, Message: "mmdebstrap: exit status 25: E: Unsupported proxy configured: socks9://[hidden]@proxy"})
		b := &build{log: &f.log}
		b.logf("%v", fail(ReasonMirror, "%s", "http://me:secret@host"))
		if strings.Contains(f.log.String(), "secret") {
			t.Error("the log has the password")
		}
	})
	t.Run("a tool that is missing", func(t *testing.T) {
		f := newFixture(t, map[string]string{})
		require.NoError(t, os.Remove(filepath.Join(f.directory, "tools/usr/bin/mcopy")))
		f.fails(result.Failure{Reason: "ToolsMissing", Class: v1alpha1.FailureConfig,
			Message: "there is no program mcopy in " + f.directory + "/tools/usr/bin: the builder runs only in its tools"})
	})
	t.Run("an input that is not valid", func(t *testing.T) {
		f := newFixture(t, map[string]string{})
		f.input.Files["etc/motd"] = "hello"
		f.fails(result.Failure{Reason: "InvalidInput", Class: v1alpha1.FailureUser,
			Message: "files[etc/motd]: Invalid value: \"etc/motd\": builder debian: the name of a file must begin with root/, for a file of the image, with scripts/, for a script, or with tests/, for a test"})
		if text := f.log.String(); strings.Contains(text, "==") {
			t.Errorf("the build began: %s", text)
		}
	})
}

func TestAnImageOnAnotherStartsFromItsRootFileSystem(t *testing.T) {
	made := newFixture(t, map[string]string{})
	made.input.Targets = []render.InputTarget{{Name: "linux/amd64/oci", Platform: platform, Format: v1alpha1.ArtifactFormatOCI}}
	made.run()

	unpacks := `for hook; do case $hook in --customize-hook=*) plan=${hook#*=}; esac; done
cp "${plan%/*}/base.tar" "${plan%/*}/packages" .
for last; do before=$target target=$list list=$last; done; cp base.tar "$target"`
	for name, test := range map[string]struct {
		parameters map[string]string
		mirror     bool
		time       string
	}{
		"files":    {map[string]string{}, false, "2026-11-21T09:15:44Z"},
		"machines": {map[string]string{"machineMirror": "http://nosuch.example.invalid/debian"}, false, "2026-11-21T09:15:44Z"},
		"packages": {map[string]string{"packages": "postgresql"}, true, "2026-11-24T09:15:44Z"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, test.parameters)
			f.mirrorOf("Tue, 24 Nov 2026 09:15:44 UTC")
			f.tool("mmdebstrap", unpacks)
			f.write("base", []byte(made.read("output/image.tar")))
			f.input.Base = render.InputBase{Image: "server", Build: "server-7", Artifacts: []render.InputArtifact{
				{Target: "linux/amd64/oci", MediaType: result.MediaTypeLayout, Path: "base"},
			}}
			code, said := f.run()
			if code != 0 {
				t.Fatalf("exit code %d, failure %+v", code, said.Failure)
			}
			if got := said.Artifacts[0].Annotations["debian.time"]; got != test.time {
				t.Errorf("time %s, want %s", got, test.time)
			}
			if f.read("base.tar") != made.read("rootfs.tar") {
				t.Error("the root file system is not that of the base")
			}
			if calls := f.read("calls"); !strings.Contains(calls, "--variant=custom") || strings.Contains(calls, "--skip=update") == test.mirror {
				t.Errorf("calls %s", calls)
			}
			if got, want := f.read("packages"), test.parameters["packages"]; strings.TrimSpace(got) != want {
				t.Errorf("packages %q, want %q", got, want)
			}
			if asked := strings.Contains(f.log.String(), "InRelease"); asked != test.mirror {
				t.Errorf("the mirror was asked: %t", asked)
			}
		})
	}
}

// A mirror that nothing is installed from is checked, before the base is read.
func TestEveryMirrorOfAnImageOnAnotherIsChecked(t *testing.T) {
	url := mirrorWith(t, func(writer http.ResponseWriter, request *http.Request) {
		if strings.HasPrefix(request.URL.Path, "/debian/") {
			_, _ = fmt.Fprintln(writer, "Date: Sat, 21 Nov 2026 09:15:44 UTC\nComponents: main")
			return
		}
		http.NotFound(writer, request)
	})
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for name, test := range map[string]struct {
		parameters map[string]string
		reason     string
		message    string
	}{
		"unreachable":         {map[string]string{"mirror": gone.URL + "/debian"}, "MirrorUnavailable", gone.URL + "/debian/dists/trixie/InRelease: "},
		"no mirror":           {map[string]string{"mirror": url + "/other"}, "NotAMirror", "set parameter mirror to a mirror that has trixie"},
		"no security updates": {map[string]string{"mirror": url + "/debian", "securityMirror": url + "/other"}, "NotAMirror", "set parameter securityMirror to a mirror that has trixie-security"},
		"no component":        {map[string]string{"mirror": url + "/debian", "components": "main nonsense"}, "UnknownComponent", "has no component nonsense"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, test.parameters)
			f.input.Base = render.InputBase{Image: "server", Build: "server-7"}
			code, said := f.run()
			if code == 0 || said.Failure == nil || said.Failure.Reason != test.reason || !strings.Contains(said.Failure.Message, test.message) {
				t.Errorf("exit code %d, failure %+v, want %s with %q", code, said.Failure, test.reason, test.message)
			}
		})
	}
}

func TestABaseOfAnotherBuilderIsRefused(t *testing.T) {
	for name, test := range map[string]struct{ mediaType, content, want string }{
		"a disk":        {"application/x-raw-disk-image", "no disk", "the disk of the base is not one of the builder debian: it has no root file system at byte 69206016"},
		"no layout":     {result.MediaTypeLayout, string(make([]byte, 1024)), "the image of the base is not one of the builder debian: it must be an image layout with one layer, and a time"},
		"other content": {"text/plain", "text", "base server: build server-7 has no file of the root file system: add target linux/amd64/raw to image server"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, map[string]string{})
			f.write("base", []byte(test.content))
			f.input.Base = render.InputBase{Image: "server", Build: "server-7", Artifacts: []render.InputArtifact{{Target: "linux/amd64/raw", MediaType: test.mediaType, Path: "base"}}}
			f.fails(result.Failure{Reason: "BaseNotUsable", Class: v1alpha1.FailureUser, Message: test.want})
		})
	}
}

// signalling is a log that tells when it has a text.
type signalling struct {
	bytes.Buffer
	text string
	seen chan struct{}
}

func (s *signalling) Write(text []byte) (int, error) {
	defer func() {
		if s.text != "" && strings.Contains(s.String(), s.text) {
			s.text = ""
			close(s.seen)
		}
	}()
	return s.Buffer.Write(text)
}

func TestABuildThatIsToldToEndEndsItsToolsAndLeavesNoResult(t *testing.T) {
	f := newFixture(t, map[string]string{})
	f.tool("mmdebstrap", `sh -c 'trap "echo the child ended; exit" TERM; echo started; while :; do sleep 0.05; done' & wait`)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	f.log = signalling{text: "started", seen: make(chan struct{})}
	done := make(chan int)
	go func() { done <- f.main(ctx) }()
	<-f.log.seen
	cancel()
	if code := <-done; code != exitTerminated {
		t.Errorf("exit code %d", code)
	}
	if !strings.Contains(f.log.String(), "the child ended") {
		t.Errorf("the child of a tool was not told to end: %s", f.log.String())
	}
	if _, err := os.Stat(filepath.Join(f.directory, "result")); err == nil {
		t.Errorf("there is a result: %s", f.read("result"))
	}
}
