// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"context"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// grace is how long QEMU may take to end after SIGTERM, before SIGKILL.
const grace = 5 * time.Second

// Process is a run of QEMU.
type Process struct {
	Path      string
	Arguments []string
	Files     []*os.File // become file descriptors 3 and so on; a nil file is left out
	In        io.Reader  // nil for nothing
	Out, Err  io.Writer
	Env       []string // nil for that of this process
	// Background is true if the process gets no signals of the terminal.
	Background bool
}

// Execute runs a process until it ends, or ctx is done. The kernel kills the process if this one ends first.
func Execute(ctx context.Context, p *Process) error {
	command := exec.CommandContext(ctx, p.Path, p.Arguments...)
	command.Stdin, command.Stdout, command.Stderr, command.Env, command.ExtraFiles = p.In, p.Out, p.Err, p.Env, p.Files
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: p.Background, Pdeathsig: syscall.SIGKILL}
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	command.WaitDelay = grace
	ended := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the parent-death signal follows the thread, which lasts as long as the process
		ended <- command.Run()
	}()
	return <-ended
}
