// SPDX-License-Identifier: Apache-2.0

package boot

import (
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"goldsmith.dev/goldsmith/builders/machine"
	"goldsmith.dev/goldsmith/e2e/require"
)

// patience is how long a process may take to end on a busy machine.
const patience = 30 * time.Second

// fakeQEMU writes a shell script in place of QEMU, and returns its path.
func fakeQEMU(t *testing.T, script string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), machine.Program)
	require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\nPATH=/usr/bin:/bin\n"+script+"\n"), 0o700))
	return path
}

// newTerminal returns a terminal, and its other end.
func newTerminal(t *testing.T) (terminal, other *os.File) {
	t.Helper()
	other, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	require.NoError(t, unix.IoctlSetPointerInt(int(other.Fd()), unix.TIOCSPTLCK, 0)) // unlocks it
	number := require.Value(unix.IoctlGetInt(int(other.Fd()), unix.TIOCGPTN))(t)
	terminal, err = os.OpenFile("/dev/pts/"+strconv.Itoa(number), os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	t.Cleanup(func() { _, _ = terminal.Close(), other.Close() })
	return terminal, other
}

func TestTheTerminalIsAsBeforeQEMUWasKilled(t *testing.T) {
	terminal, other := newTerminal(t)
	before := require.Value(unix.IoctlGetTermios(int(terminal.Fd()), unix.TCGETS))(t)
	g, _, _ := newGuest(t, `stty raw -echo && stty -a | grep -q ' -icanon' && kill -KILL $$`, "")
	g.in, g.out = terminal, terminal
	if err := g.bootsEmptyDisk(t.Context(), t); err == nil || !strings.HasSuffix(err.Error(), "QEMU failed: signal: killed") {
		t.Errorf("got error %v", err)
	}
	if after := require.Value(unix.IoctlGetTermios(int(terminal.Fd()), unix.TCGETS))(t); *after != *before {
		t.Errorf("got %+v, want %+v", after, before)
	}
	const breakLines = "\x1b[?7h"
	got := make([]byte, len(breakLines))
	if _, err := io.ReadFull(other, got); err != nil || string(got) != breakLines {
		t.Errorf("got %q, error %v", got, err)
	}
}
