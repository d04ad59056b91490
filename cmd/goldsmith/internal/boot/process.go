// SPDX-License-Identifier: Apache-2.0

package boot

import (
	"context"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// grace is how long QEMU may take to end after SIGTERM, before SIGKILL.
const grace = 5 * time.Second

// process is a run of QEMU.
type process struct {
	path      string
	arguments []string
	files     []*os.File // become file descriptors 3 and so on
	in        io.Reader  // nil for nothing
	out, err  io.Writer
	// background is true if the process gets no signals of the terminal.
	background bool
}

// execute runs a process until it ends, or ctx is done. The kernel kills the process if this one ends first.
func execute(ctx context.Context, p *process) error {
	command := exec.CommandContext(ctx, p.path, p.arguments...)
	command.Stdin, command.Stdout, command.Stderr, command.ExtraFiles = p.in, p.out, p.err, p.files
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: p.background, Pdeathsig: syscall.SIGKILL}
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	command.WaitDelay = grace
	ended := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the parent-death signal follows the thread, which lasts as long as the process
		ended <- command.Run()
	}()
	return <-ended
}

// keepTerminal returns a function that restores the present state of a terminal, which QEMU leaves as it is if it is killed. It also lets
// the terminal break long lines again, because SeaBIOS turns that off.
func keepTerminal(in io.Reader) (restore func()) {
	const breakLines = "\x1b[?7h"
	if file, ok := in.(*os.File); ok {
		if state, err := unix.IoctlGetTermios(int(file.Fd()), unix.TCGETS); err == nil {
			return func() {
				_ = unix.IoctlSetTermios(int(file.Fd()), unix.TCSETS, state) // nobody could do more
				_, _ = file.WriteString(breakLines)                          // a terminal is one for both directions
			}
		}
	}
	return func() {}
}
