// SPDX-License-Identifier: Apache-2.0

package kind

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// findScript looks for the script in the checkout that the working directory is in: tests run somewhere below its root.
func findScript() (string, error) {
	working, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find e2e/kind/cluster: %w", err)
	}
	for directory := working; ; directory = filepath.Dir(directory) {
		script := filepath.Join(directory, "e2e", "kind", "cluster")
		if _, err := os.Stat(script); err == nil {
			return script, nil
		}
		if directory == filepath.Dir(directory) {
			return "", fmt.Errorf("find e2e/kind/cluster: %s is in no checkout", working)
		}
	}
}

// run runs the script and returns its standard output. It writes the script's progress to the options' writer. If the
// script fails, the error is the last line of the progress.
func (c *Cluster) run(ctx context.Context, args ...string) (string, error) {
	return output(ctx, c.options.Progress, c.script, args...)
}

func output(ctx context.Context, progress io.Writer, program string, args ...string) (string, error) {
	var out, said bytes.Buffer
	command := exec.CommandContext(ctx, program, args...)
	command.Stdout, command.Stderr = &out, io.MultiWriter(progress, &said)
	// A script's children end with it.
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGTERM) }
	if err := command.Run(); err != nil {
		if ctx.Err() != nil {
			return "", fmt.Errorf("%s %s: %w", filepath.Base(program), args[0], context.Cause(ctx))
		}
		lines := strings.Split(strings.TrimSpace(said.String()), "\n")
		return "", errors.Join(fmt.Errorf("%s %s: %w", filepath.Base(program), args[0], err), errors.New(lines[len(lines)-1]))
	}
	return out.String(), nil
}
