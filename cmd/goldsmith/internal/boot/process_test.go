// SPDX-License-Identifier: Apache-2.0

package boot

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"goldsmith.dev/goldsmith/e2e/require"
)

// patience is how long a process may take to end on a busy machine.
const patience = 30 * time.Second

// standIn names a program that the test binary runs in place of goldsmith, until it is killed.
const standIn = "GOLDSMITH_BOOT_TEST"

func TestMain(m *testing.M) {
	if program := os.Getenv(standIn); program != "" {
		_ = execute(context.Background(), &process{path: program, out: os.Stdout}) // never ends by itself
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// fakeQEMU writes a shell script in place of QEMU, and returns its path.
func fakeQEMU(t *testing.T, script string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), program)
	require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\nPATH=/usr/bin:/bin\n"+script+"\n"), 0o700))
	return path
}

func TestQEMUEndsWhenGoldsmithIsKilled(t *testing.T) {
	reader, writer, err := os.Pipe()
	require.NoError(t, err)
	goldsmith := exec.CommandContext(t.Context(), require.Value(os.Executable())(t))
	goldsmith.Env = append(os.Environ(), standIn+"="+fakeQEMU(t, "echo runs; exec sleep 600"))
	goldsmith.Stdout = writer
	require.NoError(t, goldsmith.Start())
	require.NoError(t, writer.Close())
	require.NoError(t, reader.SetReadDeadline(time.Now().Add(patience)))
	require.Value(io.ReadFull(reader, make([]byte, len("runs\n"))))(t)
	require.NoError(t, goldsmith.Process.Kill())
	if rest, err := io.ReadAll(reader); err != nil || len(rest) > 0 { // until no process has the other end of the pipe
		t.Errorf("QEMU outlives goldsmith: %q, %v", rest, err)
	}
	_ = goldsmith.Wait() // it was killed
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

func TestKVMIsProbedWithAGuest(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	device := filepath.Join(t.TempDir(), "kvm")
	require.NoError(t, os.WriteFile(device, nil, 0o600))
	for title, test := range map[string]struct{ script, device, fails string }{
		"a guest runs": {`case "$*" in *"-accel kvm -cpu host"*isa-debug-exit,iobase=0x501*) ;; *) exit 1 ;; esac
[ "$(od -A n -t x1 -j 510 -N 2 /dev/fd/3)" = " 55 aa" ] && [ "$(wc -c </dev/fd/3)" = 1048576 ] && exit 33`, device, ""},
		"QEMU dies":           {`echo "error: failed to set MSR 0x10a" >&2; echo "Assertion failed" >&2; kill -ABRT $$`, device, "no test guest runs with KVM: Assertion failed"},
		"QEMU ends otherwise": {"exit 0", device, "no test guest runs with KVM: QEMU ended"},
		"no device":           {"exit 33", "/nonexistent/kvm", "this machine has no /nonexistent/kvm"},
	} {
		err := probeKVM(t.Context(), fakeQEMU(t, test.script), test.device)
		if (err == nil) != (test.fails == "") || err != nil && err.Error() != test.fails {
			t.Errorf("%s: got error %v", title, err)
		}
	}
	if len(bootSector) != 512 || !strings.HasPrefix(string(bootSector), "\xba\x01\x05\xb0\x10\xee") {
		t.Errorf("the boot sector is % x", bootSector)
	}
}
