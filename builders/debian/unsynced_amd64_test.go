// SPDX-License-Identifier: Apache-2.0

package debian

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"goldsmith.dev/goldsmith/e2e/require"
)

// envUnsynced lets the test run in processes of its own, because the calls are skipped until a process ends. Its value tells which of them it is.
const envUnsynced = "TEST_UNSYNCED"

func TestCallsThatWaitForTheDiskOrChangeOwnersAreSkipped(t *testing.T) {
	none := -1
	again := func(as string) {
		command := exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$")
		command.Env = []string{envUnsynced + "=" + as}
		if out, err := command.CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	}
	switch os.Getenv(envUnsynced) {
	case "":
		if err := unix.Fsync(none); !errors.Is(err, unix.EBADF) {
			t.Fatalf("fsync of no file: %v, want EBADF", err)
		}
		again("process")
		return
	case "process":
		runtime.LockOSThread() // so that the goroutines below have other threads
		require.NoError(t, skipCalls())
		again("child")
	}
	for name, call := range map[string]func() error{
		"fsync":           func() error { return unix.Fsync(none) },
		"fdatasync":       func() error { return unix.Fdatasync(none) },
		"syncfs":          func() error { return unix.Syncfs(none) },
		"sync_file_range": func() error { return unix.SyncFileRange(none, 0, 0, 0) },
		"chown":           func() error { return unix.Chown("/no/such/file", 0, 8) },
		"fchown":          func() error { return unix.Fchown(none, 0, 8) },
		"lchown":          func() error { return unix.Lchown("/no/such/file", 0, 8) },
		"fchownat":        func() error { return unix.Fchownat(none, "file", 0, 8, 0) },
	} {
		done := make(chan error)
		go func() { done <- call() }()
		if err := <-done; err != nil {
			t.Errorf("%s is not skipped: %v", name, err)
		}
	}
	if err := unix.Close(none); !errors.Is(err, unix.EBADF) {
		t.Errorf("close of no file: %v, want EBADF", err)
	}
}
