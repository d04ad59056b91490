// SPDX-License-Identifier: Apache-2.0

package debian

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"goldsmith.dev/goldsmith/e2e/require"
)

func TestTheLogTellsHowFarTheInstallationIs(t *testing.T) {
	b := &build{work: t.TempDir()}
	root, directory := filepath.Join(b.work, "root"), filepath.Join(b.work, "plan")
	archives, log := filepath.Join(root, "var/cache/apt/archives"), filepath.Join(root, "var/log/dpkg.log")
	var lines []string
	var percents []int
	b.log = writerFunc(func(text string) { lines = append(lines, strings.TrimSpace(text)) })
	b.report = func(_ string, percent int, _ string) { percents = append(percents, percent) }
	var told installation
	after := func(change func(), again bool) {
		change()
		b.tellInstallation(directory, &told, again)
	}
	put := func(path, content string) func() {
		return func() {
			require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
			require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		}
	}
	idle := func() {}
	after(idle, true) // there is no root file system yet
	after(func() {
		require.NoError(t, os.MkdirAll(root, 0o700))
		require.NoError(t, os.MkdirAll(directory, 0o700))
		require.NoError(t, os.Symlink(root, filepath.Join(directory, planRoot)))
		put(filepath.Join(archives, "libc6_2.41_amd64.deb"), "")()
		put(filepath.Join(archives, "partial/curl_8_amd64.deb"), "")()
	}, false)
	after(put(filepath.Join(directory, planSimulated), "Inst nginx (1.26 Debian:13 [amd64])\nInst curl (8)\nConf nginx (1.26)\nNote that\n"), false)
	const begin = "2026-11-28 02:17:01 "
	unpacked := begin + "startup archives unpack\n" + begin + "install libc6:amd64 <none> 2.41\n" + begin + "status half-installed libc6:amd64 2.41\n" +
		begin + "status unpacked libc6:amd64 2.41\n" + begin + "status unpacked libc6:amd64 2.41\n" + begin + "status unpacked nginx:amd64 1.26\n"
	after(put(log, unpacked), false)
	after(put(log, unpacked+begin+"status installed libc6:amd64 2.41\n"), false)
	after(idle, false)
	after(idle, true)
	after(func() { require.NoError(t, os.Remove(log)); require.NoError(t, unix.Mkfifo(log, 0o600)) }, false)
	want := []string{
		"downloaded 1 packages", "downloaded 1 of 3 packages", "unpacked 2 of 3 packages, configured 0", "unpacked 2 of 3 packages, configured 1",
		"unpacked 2 of 3 packages, configured 1", "downloaded 1 of 3 packages",
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]int{0, 0, 36, 44, 44, 44}, percents); diff != "" {
		t.Error(diff)
	}
}

// writerFunc is called with what is written.
type writerFunc func(text string)

func (f writerFunc) Write(text []byte) (int, error) { f(string(text)); return len(text), nil }
