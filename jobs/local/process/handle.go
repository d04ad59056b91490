// SPDX-License-Identifier: Apache-2.0

package process

import (
	"fmt"
	"sync/atomic"
	"syscall"
)

// Process is a started command.
type Process struct {
	supervisor *Supervisor
	id         uint64
	pid        atomic.Int64
	started    chan error
	done       chan struct{}
	exit       Exit
}

// PID is the process's id and that of its process group.
func (p *Process) PID() int {
	return int(p.pid.Load())
}

// Done is closed when the process has ended and the rest of its group has been killed. What it had detached from the
// group is killed within a fraction of a second after that.
func (p *Process) Done() <-chan struct{} {
	return p.done
}

// Exit is how the process ended. It is known when Done is closed.
func (p *Process) Exit() Exit {
	return p.exit
}

// Signal sends a signal to the process and its whole group. After the process's end it does nothing.
func (p *Process) Signal(sig syscall.Signal) error {
	if err := p.supervisor.send(request{ID: p.id, Signal: sig}, nil); err != nil {
		return fmt.Errorf("signal process %d: %w", p.PID(), err)
	}
	return nil
}

func (p *Process) end(exit Exit) {
	p.exit = exit
	close(p.done)
	select {
	case p.started <- ErrEnded: // lost before it was told to have started
	default:
	}
}
