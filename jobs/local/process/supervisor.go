// SPDX-License-Identifier: Apache-2.0

package process

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// ErrEnded is returned for a command that the supervisor, having ended, can no longer start.
var ErrEnded = errors.New("the supervisor process has ended")

// Supervisor is the agent's connection to its supervisor process. It is safe for concurrent use.
type Supervisor struct {
	command *exec.Cmd
	conn    *net.UnixConn
	done    chan struct{}

	mu        sync.Mutex
	lastID    uint64
	processes map[uint64]*Process
	closing   bool
	err       error
}

// supervisors are the living supervisors of this process, by pid. Its lock is held while a supervisor is started, and while the
// processes of an ended supervisor are told from other children.
var supervisors = struct {
	sync.Mutex
	pids map[int]bool
}{pids: map[int]bool{}}

// NewSupervisor starts a supervisor. argv must start a process that calls Supervise, for instance
// {"/proc/self/exe", "supervise"}. Close ends it; so does the end of this process. A supervisor that is stopped by a signal is
// killed.
//
// This process becomes a child subreaper, so that it inherits all processes of a supervisor that is killed, and kills them. It
// must not start other children in sessions of their own.
func NewSupervisor(argv []string) (*Supervisor, error) {
	if len(argv) == 0 {
		return nil, errors.New("start the supervisor: no command")
	}
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, fmt.Errorf("start the supervisor: %w", err)
	}
	defer func() { _ = theirs.Close() }() // the supervisor has its own
	command := exec.Command(argv[0], argv[1:]...)
	command.Stderr = os.Stderr
	command.ExtraFiles = []*os.File{theirs}
	// A session of its own: Ctrl-C, or a kill of the agent's group, must not take the supervisor before its work is done.
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := launch(command); err != nil {
		return nil, errors.Join(fmt.Errorf("start the supervisor: %w", err), ours.Close())
	}
	s := &Supervisor{command: command, conn: ours, done: make(chan struct{}), processes: map[uint64]*Process{}}
	go s.receive()
	go s.killIfStopped()
	return s, nil
}

func launch(command *exec.Cmd) error {
	supervisors.Lock()
	defer supervisors.Unlock()
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return os.NewSyscallError("prctl", err)
	}
	if err := command.Start(); err != nil {
		return err
	}
	supervisors.pids[command.Process.Pid] = true
	return nil
}

// killIfStopped kills a stopped supervisor, which would neither report nor end its processes.
func (s *Supervisor) killIfStopped() {
	if awaitStop(s.command.Process.Pid) {
		_ = s.command.Process.Kill() // it may have ended meanwhile
	}
}

func socketPair() (*net.UnixConn, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	mine, theirs := os.NewFile(uintptr(fds[0]), "supervisor"), os.NewFile(uintptr(fds[1]), "agent")
	defer func() { _ = mine.Close() }() // the connection has its own
	conn, err := net.FileConn(mine)
	if err != nil {
		return nil, nil, errors.Join(err, theirs.Close())
	}
	return conn.(*net.UnixConn), theirs, nil
}

// Start starts a command with the given stdout and stderr, which the caller may close afterwards, and an empty stdin.
// An error means that nothing runs: ErrEnded, or one that wraps the kernel's syscall.Errno where it has one.
func (s *Supervisor) Start(c Command, stdout, stderr *os.File) (*Process, error) {
	p := &Process{supervisor: s, started: make(chan error, 1), done: make(chan struct{})}
	s.mu.Lock()
	if s.closing {
		s.mu.Unlock()
		return nil, ErrEnded
	}
	s.lastID++
	p.id = s.lastID
	s.processes[p.id] = p
	s.mu.Unlock()

	if c.Env == nil {
		c.Env = []string{}
	}
	err := s.send(request{ID: p.id, Start: &c}, unix.UnixRights(int(stdout.Fd()), int(stderr.Fd())))
	if err != nil {
		s.forget(p)
	} else {
		err = <-p.started
	}
	switch {
	case err == nil:
		return p, nil
	case connectionEnded(err):
		return nil, ErrEnded
	}
	return nil, &os.PathError{Op: "start", Path: c.Path, Err: err}
}

// connectionEnded reports whether the supervisor ended before it answered.
func connectionEnded(err error) bool {
	for _, end := range []error{ErrEnded, net.ErrClosed, unix.EPIPE, unix.ECONNRESET} {
		if errors.Is(err, end) {
			return true
		}
	}
	return false
}

// Done is closed when the supervisor has ended, and with it every process it had started.
func (s *Supervisor) Done() <-chan struct{} {
	return s.done
}

// Err returns, after Done, why the supervisor ended. It is nil after Close.
func (s *Supervisor) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Close kills every process, ends the supervisor and waits for it.
func (s *Supervisor) Close() error {
	s.mu.Lock()
	s.closing = true
	s.mu.Unlock()
	err := s.conn.Close()
	limit := time.AfterFunc(killLimit+time.Second, func() { _ = s.command.Process.Kill() }) // it may have ended meanwhile
	defer limit.Stop()
	<-s.done
	if errors.Is(err, net.ErrClosed) {
		err = nil // closed before, here or because the supervisor had ended
	}
	return errors.Join(err, s.Err())
}

func (s *Supervisor) send(r request, rights []byte) error {
	message, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if len(message) > maxMessage {
		return fmt.Errorf("the command takes %d bytes, more than %d", len(message), maxMessage)
	}
	_, _, err = s.conn.WriteMsgUnix(message, rights, nil)
	return err
}

// receive delivers replies until the socket closes, then waits for the supervisor.
func (s *Supervisor) receive() {
	message := make([]byte, maxMessage)
	for {
		n, err := s.conn.Read(message)
		if err != nil {
			break
		}
		var r reply
		if err := json.Unmarshal(message[:n], &r); err != nil {
			break
		}
		s.deliver(r)
	}
	s.finish()
}

func (s *Supervisor) deliver(r reply) {
	s.mu.Lock()
	p := s.processes[r.ID]
	s.mu.Unlock()
	switch {
	case p == nil:
	case r.Exit != nil:
		s.forget(p)
		p.end(*r.Exit)
	case r.Errno != 0:
		s.forget(p)
		p.started <- r.Errno
	default:
		p.pid.Store(int64(r.PID))
		p.started <- nil
	}
}

func (s *Supervisor) forget(p *Process) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.processes, p.id)
}

func (s *Supervisor) finish() {
	s.mu.Lock()
	closed := s.closing
	s.closing = true
	s.mu.Unlock()
	_ = s.conn.Close() // closed already after Close
	err := s.command.Wait()
	left := killOrphans(s.command.Process.Pid)

	s.mu.Lock()
	lost := s.processes
	s.processes = nil
	if err != nil || !closed {
		s.err = fmt.Errorf("%w: %s", ErrEnded, s.command.ProcessState)
	}
	s.err = errors.Join(s.err, left)
	s.mu.Unlock()
	for _, p := range lost {
		p.end(Exit{Lost: true})
	}
	close(s.done)
}

// killOrphans kills and collects the processes that this process has inherited from an ended supervisor. No process can join the
// session of this process from another session, so a child in another session was not started by this process, unless it is a
// supervisor.
func killOrphans(ended int) error {
	supervisors.Lock()
	delete(supervisors.pids, ended)
	supervisors.Unlock()
	ours, err := unix.Getsid(0)
	if err != nil {
		return os.NewSyscallError("getsid", err)
	}
	return killUntilNone(func(c child) (left bool) {
		supervisors.Lock()
		defer supervisors.Unlock()
		if parent, now := status(c.pid); parent != os.Getpid() || now.session == ours || supervisors.pids[c.pid] {
			return false
		}
		kill(c.pid, unix.SIGKILL)
		_, err := unix.Wait4(c.pid, nil, unix.WNOHANG, nil)
		return err == nil || errors.Is(err, unix.EINTR) // ECHILD: collected before
	})
}
