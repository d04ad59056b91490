// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"goldsmith.dev/goldsmith/builders"
	"goldsmith.dev/goldsmith/jobs/render"
	"goldsmith.dev/goldsmith/jobs/result"
)

// endWait is how long a builder may take to end after SIGTERM.
const endWait = 10 * time.Second

// askProgram runs a builder that ships with this program, as a child of it.
func askProgram(ctx context.Context, name, input string) (said string, exitCode int, log []byte, err error) {
	builder, ships := builders.Find(name)
	if !ships {
		return "", 0, nil, fmt.Errorf("builder %s is not in this program", name)
	}
	executable, err := os.Executable()
	if err != nil {
		return "", 0, nil, fmt.Errorf("find this program: %w", err)
	}
	directory, err := os.MkdirTemp("", "goldsmith-plan-")
	if err != nil {
		return "", 0, nil, fmt.Errorf("make a directory for builder %s: %w", name, err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(directory)) }()
	environment := []string{}
	if builder.Environment != nil {
		environment = builder.Environment(os.Getenv, "", 0)
	}
	for variable, file := range map[string]string{render.EnvInput: "input.json", render.EnvResult: "result.json"} {
		environment = append(environment, variable+"="+filepath.Join(directory, file))
	}
	for variable, folder := range map[string]string{render.EnvOutput: "output", "TMPDIR": "tmp"} {
		if err := os.Mkdir(filepath.Join(directory, folder), 0o700); err != nil {
			return "", 0, nil, err
		}
		environment = append(environment, variable+"="+filepath.Join(directory, folder))
	}
	for file, content := range map[string]string{"input.json": input, "result.json": ""} {
		if err := os.WriteFile(filepath.Join(directory, file), []byte(content), 0o600); err != nil {
			return "", 0, nil, err
		}
	}
	output := &limited{left: result.MaxProbeLog + 1} // the byte more tells that the log is too long
	command := exec.CommandContext(ctx, executable, builder.Command)
	command.Env, command.Dir, command.Stdout, command.Stderr = environment, directory, output, output
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a builder has children, which end with it
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGTERM) }
	command.WaitDelay = endWait
	if err := command.Run(); err != nil {
		if _, ended := errors.AsType[*exec.ExitError](err); !ended || ctx.Err() != nil {
			return "", 0, nil, fmt.Errorf("run builder %s: %w", name, err)
		}
	}
	text, err := os.Open(filepath.Join(directory, "result.json"))
	if err != nil {
		return "", 0, nil, fmt.Errorf("read the result of builder %s: %w", name, err)
	}
	defer func() { _ = text.Close() }() // only read from
	read, err := io.ReadAll(io.LimitReader(text, result.MaxBytes+1))
	if err != nil {
		return "", 0, nil, fmt.Errorf("read the result of builder %s: %w", name, err)
	}
	return string(read), command.ProcessState.ExitCode(), output.Bytes(), nil
}

// limited keeps the beginning of what is written.
type limited struct {
	bytes.Buffer
	left int
}

// Write never fails.
func (l *limited) Write(text []byte) (int, error) {
	kept, _ := l.Buffer.Write(text[:min(len(text), l.left)]) // never fails
	l.left -= kept
	return len(text), nil
}
