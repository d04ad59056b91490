// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// program is the program of a container.
type program struct {
	name  string
	args  []string
	root  string        // folder of the image's own program; an update is in live/ below it
	grace time.Duration // from SIGTERM to SIGKILL at a restart
	out   io.Writer
	errs  io.Writer
}

// supervise runs the program, again after each restart, until it ends by itself or has been told to stop.
// It returns its exit code, as a shell would count it.
func (p *program) supervise(restart, stop <-chan os.Signal) (int, error) {
	for {
		command, ended, err := p.start()
		if err != nil {
			return 1, err
		}
		select {
		case <-ended:
			return exitCode(command), nil
		case received := <-stop: // the kubelet's own grace period follows: no other here
			_ = command.Process.Signal(received)
			<-ended
			return exitCode(command), nil
		case <-restart:
			p.end(command, ended)
		}
	}
}

func (p *program) start() (*exec.Cmd, <-chan struct{}, error) {
	command := exec.Command(p.path(), p.args...)
	command.Stdout, command.Stderr = p.out, p.errs
	if err := command.Start(); err != nil {
		return nil, nil, fmt.Errorf("start %s: %w", p.name, err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = command.Wait() // what matters of it is in ProcessState
	}()
	return command, ended, nil
}

func (p *program) path() string {
	live := filepath.Join(p.root, "live", p.name)
	if _, err := os.Stat(live); err == nil {
		return live
	}
	return filepath.Join(p.root, p.name)
}

// end returns when the program has ended, whether it wanted to or not.
func (p *program) end(command *exec.Cmd, ended <-chan struct{}) {
	_ = command.Process.Signal(syscall.SIGTERM)
	select {
	case <-ended:
	case <-time.After(p.grace):
		_ = command.Process.Kill()
		<-ended
	}
}

func exitCode(command *exec.Cmd) int {
	if status, ok := command.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return command.ProcessState.ExitCode()
}
