// SPDX-License-Identifier: Apache-2.0

package debian

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
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

// socketName is the name of the socket of a server, if a fixture has one.
const socketName = "kept.sock"

// keeping lets a build keep its packages in a store.
func (f *fixture) keeping(store *kept.Store) {
	f.t.Helper()
	socket := filepath.Join(f.directory, "tmp", socketName)
	listener := require.Value(net.Listen("unix", socket))(f.t)
	served := make(chan error, 1)
	go func() { served <- (&kept.Server{Store: store, Namespace: "default", Log: &f.log}).Serve(listener) }()
	f.t.Cleanup(func() {
		_ = listener.Close()
		require.NoError(f.t, <-served)
	})
}

// installs is a mmdebstrap whose root file system is the one that the plan unpacks, if there is one, and tells apart the run that only installs packages.
// It fails if its programs could connect to the server of kept packages.
const installs = `for hook; do case $hook in --customize-hook=*/customize) plan=${hook#*=}; plan=${plan%/*}; esac; done
for last; do before=$target target=$list list=$last; done
[ ! -e "$plan/keep" ] || { printf '%s\n' $RELEASE $RELEASE >"$plan/releases"; echo installs >>calls; }
[ ! -e tmp/kept.sock ] || exit 3
if [ -e "$plan/base.tar" ]; then cp "$plan/base.tar" "$target"; else cp rootfs.tar "$target"; fi`

func TestALaterBuildStartsFromThePackagesThatABuildHasKept(t *testing.T) {
	store := &kept.Store{Directory: t.TempDir(), Max: 1 << 30}
	state := "Date: Sat, 21 Nov 2026 09:15:44 UTC\nComponents: main\n"
	mirror := func() string {
		return mirrorWith(t, func(writer http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(writer, state) })
	}
	same := mirror()
	read := state // by apt
	// run builds with a change, and reports whether it installs packages.
	run := func(change func(*fixture)) (installed bool, log string) {
		f := newFixture(t, map[string]string{"packages": "curl"})
		f.input.Files["scripts/10"] = "#!/bin/sh\ntrue\n"
		f.keeping(store)
		f.write("tools/"+toolSources, []byte("deb "+same+" trixie main\n"))
		change(f)
		f.tool("mmdebstrap", strings.ReplaceAll(installs, "$RELEASE", fmt.Sprintf("%x", sha256.Sum256([]byte(read)))))
		if code, said := f.run(); code != 0 {
			t.Fatalf("exit code %d, failure %+v", code, said.Failure)
		}
		calls := f.read("calls")
		if last := calls[strings.LastIndex(calls, "mmdebstrap --"):]; !strings.Contains(last, "--variant=custom") || !strings.Contains(last, "--skip=update") {
			t.Errorf("the image is not made of what is kept: %s", last)
		}
		if left := require.Value(os.ReadDir(filepath.Join(f.directory, "tmp")))(t); len(left) > 0 {
			t.Errorf("the build leaves %v", left)
		}
		return strings.Contains(calls, "installs\n"), f.log.String()
	}
	if installed, log := run(func(*fixture) {}); !installed || !strings.Contains(log, "the packages are kept for later builds, sha256:") {
		t.Fatalf("installed %t, log %s", installed, log)
	}
	for name, change := range map[string]func(*fixture){
		"nothing":       func(*fixture) {},
		"a script":      func(f *fixture) { f.input.Files["scripts/10"] = "#!/bin/sh\nfalse || true\n" },
		"a file":        func(f *fixture) { f.input.Files["root/etc/motd"] = "hello" },
		"a source":      func(f *fixture) { f.sourceWith(map[string]string{"root/etc/motd": "hello", "scripts/20": "true"}) },
		"a user":        func(f *fixture) { f.input.Parameters["users"] = "[{name: admin}]" },
		"a service":     func(f *fixture) { f.input.Parameters["services"] = "nginx" },
		"the time zone": func(f *fixture) { f.input.Parameters["timeZone"] = "Europe/Berlin" },
	} {
		if installed, log := run(change); installed || !strings.Contains(log, "the packages are those that an earlier build has kept, sha256:") {
			t.Errorf("with another value of %s packages are installed: %s", name, log)
		}
	}
	for name, change := range map[string]func(*fixture){
		"a package":        func(f *fixture) { f.input.Parameters["packages"] = "curl wget" },
		"the kernel":       func(f *fixture) { f.input.Parameters["kernel"] = kernelGeneric },
		"a locale":         func(f *fixture) { f.input.Parameters["locale"] = "en_GB.UTF-8" },
		"acceptExpired":    func(f *fixture) { f.input.Parameters["acceptExpired"] = "true" },
		"the host name":    func(f *fixture) { f.input.Parameters["hostname"] = "web" },
		"the file hosts":   func(f *fixture) { f.input.Files["root/etc/hosts"] = "127.0.0.1 localhost web" },
		"a source's hosts": func(f *fixture) { f.sourceWith(map[string]string{"root/etc/hosts": "127.0.0.1 localhost db"}) },
		"the tools":        func(f *fixture) { f.write("tools"+tools.Digest, []byte("sha256:others\n")) },
		"the mirror":       func(f *fixture) { f.input.Parameters["mirror"] = mirror() },
	} {
		if installed, _ := run(change); !installed {
			t.Errorf("with another value of %s no packages are installed", name)
		}
	}
	state = strings.Replace(state, "09:15", "09:16", 1)
	for i, want := range []string{"the packages are not kept for later builds: the mirror has changed meanwhile", "the packages are kept"} {
		if installed, log := run(func(*fixture) {}); !installed || !strings.Contains(log, want) {
			t.Errorf("%d builds after the mirror has changed: installed %t, log %s", i, installed, log)
		}
		read = state
	}
	store.Max = 10
	if installed, log := run(func(f *fixture) { f.input.Parameters["packages"] = "nginx" }); !installed || !strings.Contains(log, "the packages are not kept for later builds: ") {
		t.Errorf("beyond the limit of the cache: installed %t, log %s", installed, log)
	}
}

// The first build starts from a root file system that is not made of its inputs. A rebuild that took the same one would show that it is.
func TestARebuildTakesNothingThatABuildHasKept(t *testing.T) {
	store := &kept.Store{Directory: t.TempDir(), Max: 1 << 30}
	release := "Date: Sat, 21 Nov 2026 09:15:44 UTC\nComponents: main\n"
	mirror := mirrorWith(t, func(writer http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(writer, release) })
	// build returns the digest of the image.
	build := func(reproduces bool) string {
		f := newFixture(t, map[string]string{"packages": "curl"})
		f.input.Targets = []render.InputTarget{{Name: "linux/amd64/oci", Platform: platform, Format: v1alpha1.ArtifactFormatOCI}}
		f.input.Build.Reproduces = reproduces
		f.keeping(store)
		f.write("tools/"+toolSources, []byte("deb "+mirror+" trixie main\n"))
		f.tool("mmdebstrap", strings.ReplaceAll(installs, "$RELEASE", fmt.Sprintf("%x", sha256.Sum256([]byte(release)))))
		if code, said := f.run(); code != 0 {
			t.Fatalf("exit code %d, failure %+v", code, said.Failure)
		}
		return require.Value(digestOf(filepath.Join(f.directory, "output/image.tar")))(t)
	}
	entries := func() []string { return require.Value(filepath.Glob(filepath.Join(store.Directory, "*.*")))(t) }
	honest := build(false)
	key, _, _ := strings.Cut(filepath.Base(entries()[0]), ".")
	_, _, err := store.Add(key, bytes.NewReader(rootFS(t, map[string]string{"./usr/bin/curl": "a trojan horse"})))
	require.NoError(t, err)
	poisoned := entries()
	if build(false) == honest {
		t.Fatal("a build does not start from what is kept")
	}
	if build(true) != honest {
		t.Error("a rebuild starts from what is kept")
	}
	if diff := cmp.Diff(poisoned, entries()); diff != "" {
		t.Errorf("a rebuild keeps something: %s", diff)
	}
}

// Scripts could get and keep packages of any key.
func TestScriptsOfAnImageWithoutPackagesCannotConnectToTheServer(t *testing.T) {
	base := newFixture(t, nil)
	base.input.Targets = []render.InputTarget{{Name: "linux/amd64/oci", Platform: platform, Format: v1alpha1.ArtifactFormatOCI}}
	base.run()
	f := newFixture(t, nil)
	f.write("base", []byte(base.read("output/image.tar")))
	f.input.Base = render.InputBase{Image: "server", Build: "server-7", Artifacts: []render.InputArtifact{{Target: "linux/amd64/oci", MediaType: result.MediaTypeLayout, Path: "base"}}}
	f.input.Files["scripts/10"] = "#!/bin/sh\ntrue\n"
	f.keeping(&kept.Store{Directory: t.TempDir(), Max: 1 << 30})
	f.tool("mmdebstrap", installs)
	if code, said := f.run(); code != 0 {
		t.Errorf("exit code %d, failure %+v", code, said.Failure)
	}
}
