// SPDX-License-Identifier: Apache-2.0

package ldd

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"goldsmith.dev/goldsmith/e2e/require"
)

func TestPrivateLibrariesGetLinks(t *testing.T) {
	t.Parallel()
	root, links := t.TempDir(), filepath.Join(t.TempDir(), "new/links")
	at := func(name string) string { return filepath.Join(root, name) }
	program{interpreter: dynamicLinker, runpath: "/usr/lib/postfix", needed: []string{"libtls.so"}}.write(t, at("usr/sbin/postconf"))
	program{runpath: "/usr/lib/postfix:$ORIGIN/more"}.write(t, at("usr/lib/postfix/libtls.so"))
	program{}.write(t, at("usr/lib/postfix/more/libmore.so.0")) // found by a library that is found by a link
	program{}.write(t, at("usr/lib/postfix/libc.so.6"))         // that of the system counts
	program{}.write(t, at("usr/lib/x86_64-linux-gnu/libc.so.6"))
	program{interpreter: dynamicLinker, rpath: "/opt/link:/opt/gone:relative"}.write(t, at("opt/old"))
	program{}.write(t, at("opt/samba/libold.so.1.2"))
	program{interpreter: dynamicLinker, runpath: "$ORIGIN/../lib"}.write(t, at("opt/java/bin/java")) // the dynamic linker finds it
	program{}.write(t, at("opt/java/lib/libjli.so"))
	program{rpath: "/opt/plugins"}.write(t, at("usr/lib/x86_64-linux-gnu/libplugged.so"))
	program{}.write(t, at("opt/plugins/plugin.so"))
	program{}.write(t, at("opt/unused/libunused.so"))
	program{interpreter: dynamicLinker, runpath: "/opt/unused"}.write(t, at("usr/share/example"))
	require.NoError(t, os.Chmod(at("usr/share/example"), 0o600)) // no program
	require.NoError(t, errors.Join(os.Chmod(at("usr/lib/x86_64-linux-gnu/libplugged.so"), 0o600), os.Symlink("/opt/samba", at("opt/link")),
		os.Symlink("libold.so.1.2", at("opt/samba/libold.so.1")), os.WriteFile(at("opt/samba/README"), nil, 0o600)))
	want := map[string]string{
		"libtls.so": "usr/lib/postfix/libtls.so", "libmore.so.0": "usr/lib/postfix/more/libmore.so.0", "plugin.so": "opt/plugins/plugin.so",
		"libold.so.1": "opt/samba/libold.so.1.2", "libold.so.1.2": "opt/samba/libold.so.1.2",
	}
	run := func(environment map[string]string, args ...string) {
		t.Helper()
		var complaints bytes.Buffer
		if code := LinkMain(func(name string) string { return environment[name] }, &complaints, args); code != 0 {
			t.Fatalf("exit code %d: %s", code, &complaints)
		}
	}
	found := func() map[string]string {
		names, _ := filepath.Glob(links + "/*")
		found := map[string]string{}
		for _, name := range names {
			found[filepath.Base(name)] = require.Value(filepath.Rel(root, require.Value(os.Readlink(name))(t)))(t)
		}
		return found
	}
	run(map[string]string{envOriginalRoot: root, "DPKG_HOOK_ACTION": "configure"}, links)
	if got := found(); len(got) > 0 {
		t.Errorf("links before anything is unpacked: %v", got)
	}
	run(map[string]string{envOriginalRoot: root, "DPKG_HOOK_ACTION": "unpack"}, links)
	if diff := cmp.Diff(want, found()); diff != "" {
		t.Error(diff)
	}
	// An upgrade moves one library, and brings another.
	require.NoError(t, os.Rename(at("opt/plugins"), at("opt/samba/plugins")))
	program{runpath: "/opt/samba/plugins"}.write(t, at("usr/lib/x86_64-linux-gnu/libplugged.so"))
	program{}.write(t, at("opt/samba/libnew.so"))
	run(nil, links, root)
	want["plugin.so"], want["libnew.so"] = "opt/samba/plugins/plugin.so", "opt/samba/libnew.so"
	if diff := cmp.Diff(want, found()); diff != "" {
		t.Error(diff)
	}
	if code := LinkMain(os.Getenv, &bytes.Buffer{}, nil); code != 2 {
		t.Errorf("exit code %d without arguments", code)
	}
}
