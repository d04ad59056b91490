// SPDX-License-Identifier: Apache-2.0

package mock

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/render"
)

// asBuilder makes the test binary the mock builder, for tests that need a process of its own.
const asBuilder = "MOCK_BUILDER_OF_TEST"

func TestMain(m *testing.M) {
	if os.Getenv(asBuilder) != "" {
		os.Exit(Main(context.Background(), os.Getenv, os.Stdout, os.Stderr, nil))
	}
	os.Exit(m.Run())
}

func (c *contract) command(ctx context.Context) *exec.Cmd {
	command := exec.CommandContext(ctx, os.Args[0])
	command.Env = []string{asBuilder + "=1"}
	for _, name := range []string{render.EnvInput, render.EnvOutput, render.EnvResult} {
		command.Env = append(command.Env, name+"="+c.getenv(name))
	}
	command.Stderr = &c.stderr
	return command
}

func TestCrashIsReal(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for how, want := range map[string]syscall.Signal{crashSegv: syscall.SIGSEGV, crashOOM: syscall.SIGKILL} {
		t.Run(how, func(t *testing.T) {
			c := newContract(t, sampleInput(1, map[string]string{"crash": how}))
			var exit *exec.ExitError
			if err := c.command(ctx).Run(); !errors.As(err, &exit) {
				t.Fatalf("it ended with %v", err)
			}
			status, ok := exit.Sys().(syscall.WaitStatus)
			if !ok || !status.Signaled() || status.Signal() != want {
				t.Errorf("it ended with %v, want %v", exit, want)
			}
			// Maxrss is in KiB on Linux, and in bytes elsewhere.
			if usage, ok := exit.SysUsage().(*syscall.Rusage); how == crashOOM && (!ok || usage.Maxrss < maxOOMBytes/1024) {
				t.Errorf("it used up no memory: %+v", usage)
			}
			if want := "mock builder: crashes (" + how + ")\n"; c.stderr.String() != want {
				t.Errorf("stderr is %q, want %q", c.stderr.String(), want)
			}
			if left := c.result(t); left != "" {
				t.Errorf("it left a result: %s", left)
			}
		})
	}
}

func TestSIGTERM(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tests := []struct {
		onTerm   string
		then     syscall.Signal // what ends it after SIGTERM
		wantLine string
		wantExit string
	}{
		{onTerm: "exit", wantLine: "told to end: exiting", wantExit: "exit status 143"},
		{onTerm: "ignore", then: syscall.SIGKILL, wantLine: "told to end: ignored", wantExit: "signal: killed"},
	}
	for _, tt := range tests {
		t.Run(tt.onTerm, func(t *testing.T) {
			c := newContract(t, sampleInput(1, map[string]string{"duration": "1h", "onTerm": tt.onTerm}))
			command := c.command(ctx)
			log, err := command.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, command.Start())
			lines := bufio.NewScanner(log)
			readUntil(t, lines, "step 1/5")
			require.NoError(t, command.Process.Signal(syscall.SIGTERM))
			readUntil(t, lines, tt.wantLine)
			if tt.then != 0 {
				require.NoError(t, command.Process.Signal(tt.then))
			}
			if err := command.Wait(); err == nil || err.Error() != tt.wantExit {
				t.Errorf("it ended with %v, want %s", err, tt.wantExit)
			}
		})
	}
}

func readUntil(t *testing.T, lines *bufio.Scanner, want string) {
	t.Helper()
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), want) {
			return
		}
	}
	t.Fatalf("the log ended without %q: %v", want, lines.Err())
}
