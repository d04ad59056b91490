// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"k8s.io/client-go/tools/clientcmd"
)

// builders is how many builds run at a time.
const builders = 4

// server is a `goldsmith up` that is killed, frozen and restored.
type server struct {
	api
	program, directory string

	running  *exec.Cmd // nil if none is
	output   bytes.Buffer
	data     string // the data directory
	backedUp bool   // there is a backup
}

// newServer starts one in a directory of its own.
func newServer(ctx context.Context, program string) (*server, error) {
	directory, err := os.MkdirTemp("", "goldsmith-chaos-")
	if err != nil {
		return nil, fmt.Errorf("make a directory: %w", err)
	}
	if program, err = filepath.Abs(program); err != nil {
		return nil, fmt.Errorf("find the program: %w", err)
	}
	s := &server{api: api{observeEvery: 100 * time.Millisecond, recorded: true}, program: program, directory: directory}
	if err := s.start(ctx); err != nil {
		return nil, errors.Join(err, s.kill())
	}
	return s, nil
}

func (s *server) reach() *api { return &s.api }

func (s *server) paces() (users, faults pace) {
	return pace{150 * time.Millisecond, userWeights},
		pace{8 * time.Second, map[string]int{killServer: 6, freezeServer: 3, backUp: 3, restore: 2}}
}

func (s *server) faults() map[string]action {
	return map[string]action{
		killServer: func(ctx context.Context, _ uint64) error { return s.restart(ctx) },
		freezeServer: func(ctx context.Context, pick uint64) error {
			return s.freeze(ctx, time.Duration(pick%5000)*time.Millisecond)
		},
		backUp:  func(ctx context.Context, _ uint64) error { return s.backUp(ctx) },
		restore: func(ctx context.Context, _ uint64) error { return s.restore(ctx) },
	}
}

// patience is how long all builds may take to end after the last fault.
func (s *server) patience() time.Duration { return 5 * time.Minute }

// end ends the server. It keeps the data directory for the analysis of failures.
func (s *server) end(_ context.Context, keep bool) error {
	if err := s.kill(); err != nil {
		return err
	}
	if keep {
		fmt.Println("the data directory is kept in", s.directory)
		return nil
	}
	return os.RemoveAll(s.directory)
}

func (s *server) backup() string     { return filepath.Join(s.directory, "backup.tar.gz") }
func (s *server) kubeconfig() string { return filepath.Join(s.directory, "kubeconfig") }

// start returns once the server is ready.
func (s *server) start(ctx context.Context) error {
	if s.data == "" {
		s.data = filepath.Join(s.directory, "data")
	}
	s.output.Reset()
	command := exec.Command(s.program, "up", "--data-dir", s.data, "--kubeconfig", s.kubeconfig(), "--workers", fmt.Sprint(builders))
	command.Stderr = &s.output
	out, err := command.StdoutPipe()
	if err != nil {
		return fmt.Errorf("start the server: %w", err)
	}
	if err := command.Start(); err != nil {
		return fmt.Errorf("start the server: %w", err)
	}
	s.running = command
	stop := context.AfterFunc(ctx, func() { _ = command.Process.Kill() })
	defer stop()
	lines, ready := bufio.NewScanner(out), false
	for !ready && lines.Scan() {
		ready = lines.Text() == "ready"
	}
	if !ready {
		s.running = nil
		return fmt.Errorf("the server ended before it was ready: %w: %s", errors.Join(command.Wait(), ctx.Err()), &s.output)
	}
	return s.connect()
}

// connect does nothing after the first start: address, token and certificate are in the data directory and in backups.
func (s *server) connect() error {
	if s.images != nil {
		return nil
	}
	config, err := clientcmd.BuildConfigFromFlags("", s.kubeconfig())
	if err != nil {
		return fmt.Errorf("read the kubeconfig: %w", err)
	}
	return s.api.connect(config)
}

// kill ends the server as a crash does.
func (s *server) kill() error {
	if s.running == nil {
		return nil
	}
	err := s.running.Process.Kill()
	_ = s.running.Wait() // the error is that it was killed
	s.running = nil
	return err
}

func (s *server) restart(ctx context.Context) error {
	return errors.Join(s.kill(), s.start(ctx))
}

// freeze stops the server's process for a while, as a machine that sleeps does.
func (s *server) freeze(ctx context.Context, period time.Duration) error {
	if err := s.running.Process.Signal(syscall.SIGSTOP); err != nil {
		return fmt.Errorf("freeze the server: %w", err)
	}
	select {
	case <-time.After(period):
	case <-ctx.Done():
	}
	return s.running.Process.Signal(syscall.SIGCONT)
}

func (s *server) backUp(ctx context.Context) error {
	if err := s.command(ctx, "backup", "--force", "--data-dir", s.data, s.backup()); err != nil {
		return err
	}
	s.backedUp = true
	return nil
}

// restore replaces the data directory with the last backup.
func (s *server) restore(ctx context.Context) error {
	if !s.backedUp {
		return nil
	}
	if err := s.kill(); err != nil {
		return err
	}
	count := s.restored.Add(1)
	s.data = filepath.Join(s.directory, fmt.Sprintf("data-%d", count))
	if err := s.command(ctx, "restore", "--data-dir", s.data, s.backup()); err != nil {
		return err
	}
	return s.start(ctx)
}

// resume starts the server if it does not run.
func (s *server) resume(ctx context.Context) error {
	if s.running != nil {
		return nil
	}
	return s.start(ctx)
}

func (s *server) command(ctx context.Context, arguments ...string) error {
	out, err := exec.CommandContext(ctx, s.program, arguments...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("goldsmith %s: %w: %s", arguments[0], err, out)
	}
	return nil
}
