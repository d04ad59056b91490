// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"goldsmith.dev/goldsmith/e2e/require"
)

// patience is how long a process may take to end on a busy machine.
const patience = 30 * time.Second

// standIn names a program that the test binary runs in place of goldsmith, until it is killed.
const standIn = "GOLDSMITH_BOOT_TEST"

func TestMain(m *testing.M) {
	if path := os.Getenv(standIn); path != "" {
		_ = Execute(context.Background(), &Process{Path: path, Out: os.Stdout}) // never ends by itself
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// fakeQEMU writes a shell script in place of QEMU, and returns its path.
func fakeQEMU(t *testing.T, script string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), Program)
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

func TestKVMIsProbedWithAGuest(t *testing.T) {
	device := filepath.Join(t.TempDir(), "kvm")
	require.NoError(t, os.WriteFile(device, nil, 0o600))
	for title, test := range map[string]struct{ script, device, fails string }{
		"a guest runs": {`case "$*" in *"-accel kvm -cpu host"*isa-debug-exit,iobase=0x501*) ;; *) exit 1 ;; esac
[ "$(od -A n -t x1 -j 510 -N 2 /dev/fd/3)" = " 55 aa" ] && [ "$(wc -c </dev/fd/3)" = 1048576 ] && exit 33`, device, ""},
		"QEMU dies":           {`echo "error: failed to set MSR 0x10a" >&2; echo "Assertion failed" >&2; kill -ABRT $$`, device, "no test guest runs with KVM: Assertion failed"},
		"QEMU ends otherwise": {"exit 0", device, "no test guest runs with KVM: QEMU ended"},
		"no device":           {"exit 33", "/nonexistent/kvm", "this machine has no /nonexistent/kvm"},
	} {
		err := ProbeKVM(t.Context(), fakeQEMU(t, test.script), test.device, t.TempDir())
		if (err == nil) != (test.fails == "") || err != nil && err.Error() != test.fails {
			t.Errorf("%s: got error %v", title, err)
		}
	}
	const jump, counting = "\xea\x53\x7c\x08\x00", "\xb9\x00\x00\x00\x08\xff\xc9\x75\xfc"
	if sector := string(bootSector()); len(sector) != 512 || strings.Index(sector, jump+counting)+len(jump) != 0x53 {
		t.Errorf("the boot sector is % x", sector)
	}
}
