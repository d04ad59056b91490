// SPDX-License-Identifier: Apache-2.0

package static

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"goldsmith.dev/goldsmith/e2e/require"
)

func TestStaticProgramsOfATraceAreFound(t *testing.T) {
	directory := t.TempDir()
	static := filepath.Join(directory, "tööl") // a header of a program that nothing loads
	header := make([]byte, 64)
	copy(header, "\x7fELF\x02\x01\x01")
	header[16], header[18], header[20], header[52] = 2, 62, 1, 64
	require.NoError(t, os.WriteFile(static, header, 0o700))
	script := filepath.Join(directory, "script")
	require.NoError(t, os.WriteFile(script, []byte("#!/bin/sh\n"), 0o700))
	trace := filepath.Join(directory, "trace")
	require.NoError(t, os.WriteFile(trace, []byte(fmt.Sprintf(`12 execve("/bin/sh", ["sh", "-c", "execve(\"/x\""], 0x5 /* 9 vars */) = 0
13 execve(%q, ["a"], 0x5 /* 9 vars */ <unfinished ...>
14 execve("%s/t\x%02x\x%02x\x%02x\x%02xl", ["b"], 0x5 /* 9 vars */) = 0
13 <... execve resumed>) = 0
15 execve("/removed", ["c"], 0x5 /* 9 vars */) = -1 ENOENT (No such file or directory)
15 +++ exited with 0 +++`, script, directory, "ö"[0], "ö"[1], "ö"[0], "ö"[1])), 0o600))
	var out, errs bytes.Buffer
	if code := Main(&out, &errs, []string{trace}); code != 0 || out.String() != static+"\n" {
		t.Errorf("exit code %d, output %q, errors %q", code, &out, &errs)
	}
	if code := Main(&out, &errs, []string{filepath.Join(directory, "none")}); code != 1 {
		t.Errorf("exit code %d without a trace", code)
	}
}
