// SPDX-License-Identifier: Apache-2.0

package local

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/e2e/require"
)

func TestOnlyDirectoriesOfPodsThatAreGoneAreRemoved(t *testing.T) {
	dirs := podDirs(t.TempDir())
	prepared := func(name string) string {
		t.Helper()
		log, err := podDir(filepath.Join(string(dirs), name)).prepare("")
		require.NoError(t, err)
		require.NoError(t, log.Close())
		return name
	}
	made := func(path string) string {
		t.Helper()
		require.NoError(t, os.MkdirAll(filepath.Join(string(dirs), path), 0o700))
		return path
	}
	known, gone := prepared("11111111-93a4-4c53-b4d6-6c1d8f0d2a11"), prepared("22222222-93a4-4c53-b4d6-6c1d8f0d2a11")
	secrets := made(known + "/mounts/etc")
	kept := []string{
		known,
		prepared("a-name-that-is-no-uid"),
		prepared("{33333333-93a4-4c53-b4d6-6c1d8f0d2a11}"),
		prepared("removed-a-name-that-is-no-uid"),
		made("44444444-93a4-4c53-b4d6-6c1d8f0d2a11"),
		made("55555555-93a4-4c53-b4d6-6c1d8f0d2a11/log"),
		made("release/output"),
	}
	link := filepath.Join(string(dirs), "66666666-93a4-4c53-b4d6-6c1d8f0d2a11")
	require.NoError(t, os.Symlink(filepath.Join(string(dirs), known), link))
	require.NoError(t, dirs.removeExcept(map[types.UID]bool{types.UID(known): true}))
	for _, path := range append(kept, filepath.Base(link)) {
		if _, err := os.Lstat(filepath.Join(string(dirs), path)); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	for _, path := range []string{gone, secrets} {
		if _, err := os.Lstat(filepath.Join(string(dirs), path)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: got %v, want nothing", path, err)
		}
	}
}

func TestADirectoryWhoseRemovalWasInterruptedIsRemovedAtTheNextStart(t *testing.T) {
	dirs := podDirs(t.TempDir())
	dir := podDir(filepath.Join(string(dirs), "11111111-93a4-4c53-b4d6-6c1d8f0d2a11"))
	log, err := dir.prepare("")
	require.NoError(t, err)
	require.NoError(t, log.Close())
	require.NoError(t, os.MkdirAll(dir.output()+strings.Repeat("/deep", 100), 0o700))
	var usual unix.Rlimit
	require.NoError(t, unix.Prlimit(0, unix.RLIMIT_NOFILE, nil, &usual))
	// The removal opens a file for each level of the output, and ends halfway.
	require.NoError(t, unix.Prlimit(0, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 64, Max: usual.Max}, nil))
	err = dir.discard()
	require.NoError(t, unix.Prlimit(0, unix.RLIMIT_NOFILE, &usual, nil))
	left, _ := filepath.Glob(filepath.Join(string(dirs), "*", "*"))
	if !errors.Is(err, unix.EMFILE) || len(left) != 1 || filepath.Base(left[0]) != "output" {
		t.Fatalf("the removal left %v: %v", left, err)
	}
	require.NoError(t, dirs.removeExcept(nil))
	if entries, err := os.ReadDir(string(dirs)); err != nil || len(entries) > 0 {
		t.Errorf("%v are left: %v", entries, err)
	}
}

func TestAResultThatIsNoSuchThingHarmsNothing(t *testing.T) {
	result := func(script string) string { return "cd /; R=$GOLDSMITH_RESULT; " + script }
	c := newCluster(t, map[string]string{
		"oversized": result(`printf '%05000d' 7 >$R`),
		"binary":    result(`printf 'a\xff\xfeb' >$R`),
		"link":      result(`ln -sf /etc/passwd $R`),
		"fifo":      result(`rm $R; mkfifo $R`),
		"directory": result(`rm $R; mkdir $R`),
		"device":    result(`ln -sf /dev/zero $R`),
		"missing":   result(`rm $R`),
		"sparse":    result(`truncate -s 1T $R`),
	})
	for name, message := range map[string]string{
		"oversized": strings.Repeat("0", 4095) + "7", "binary": "a\ufffdb", "link": "", "fifo": "", "directory": "", "device": "", "missing": "",
		"sparse": strings.Repeat("\x00", 4096),
	} {
		job := c.run(name)
		c.finishedJob(job)
		pod := require.Value(c.pod(job))(c.t)
		c.Expect(terminatedOf(pod)).To(And(HaveField("ExitCode", int32(0)), HaveField("Message", message)), name)
	}
}
