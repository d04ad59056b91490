// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"goldsmith.dev/goldsmith/e2e/require"
)

const never = time.Hour

// script is an executable in the given folder below root.
func script(t *testing.T, root, folder, body string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Join(root, folder), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(root, folder, "prog"), []byte("#!/bin/sh\n"+body+"\n"), 0o755))
}

// supervised is a program that runs, with the lines that it prints.
type supervised struct {
	restart, stop chan os.Signal
	lines         *bufio.Scanner
	code          chan int
}

func supervise(t *testing.T, root string, grace time.Duration, args ...string) *supervised {
	t.Helper()
	reader, writer := io.Pipe()
	s := &supervised{make(chan os.Signal, 1), make(chan os.Signal, 1), bufio.NewScanner(reader), make(chan int, 1)}
	p := program{name: "prog", args: args, root: root, grace: grace, out: writer, errs: os.Stderr}
	go func() {
		code, err := p.supervise(s.restart, s.stop)
		if err != nil {
			t.Error(err)
		}
		_ = writer.Close()
		s.code <- code
	}()
	return s
}

func (s *supervised) expect(t *testing.T, want string) {
	t.Helper()
	if !s.lines.Scan() || s.lines.Text() != want {
		t.Fatalf("the program printed %q, want %q", s.lines.Text(), want)
	}
}

func (s *supervised) expectEnd(t *testing.T, want int) {
	t.Helper()
	if s.lines.Scan() {
		t.Fatalf("the program still printed %q", s.lines.Text())
	}
	if code := <-s.code; code != want {
		t.Errorf("exit code %d, want %d", code, want)
	}
}

func TestAProgramThatEndsByItselfEndsTheContainerWithItsCode(t *testing.T) {
	root := t.TempDir()
	script(t, root, "", `echo "$@"; exit 3`)
	s := supervise(t, root, never, "--flag", "value")
	s.expect(t, "--flag value")
	s.expectEnd(t, 3)
}

func TestARestartRunsTheUpdatedProgram(t *testing.T) {
	root := t.TempDir()
	script(t, root, "", `echo "image $1"; exec sleep 3600`)
	s := supervise(t, root, never, "argument")
	s.expect(t, "image argument")
	script(t, root, "live", `echo "updated $1"; exit 0`)
	s.restart <- syscall.SIGHUP
	s.expect(t, "updated argument")
	s.expectEnd(t, 0)
}

func TestAProgramThatDoesNotWantToEndIsKilledAtARestart(t *testing.T) {
	root := t.TempDir()
	script(t, root, "", `trap '' TERM; echo deaf; exec sleep 3600`)
	s := supervise(t, root, time.Millisecond)
	s.expect(t, "deaf")
	script(t, root, "live", `echo updated`)
	s.restart <- syscall.SIGHUP
	s.expect(t, "updated")
	s.expectEnd(t, 0)
}

func TestStoppingTheContainerStopsTheProgram(t *testing.T) {
	root := t.TempDir()
	script(t, root, "", `echo ready; exec sleep 3600`)
	s := supervise(t, root, never)
	s.expect(t, "ready")
	s.stop <- syscall.SIGTERM
	s.expectEnd(t, 128+int(syscall.SIGTERM))
}
