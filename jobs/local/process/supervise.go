// SPDX-License-Identifier: Apache-2.0

package process

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// strayInterval is the least time between two searches for detached processes of ended commands.
	strayInterval = 200 * time.Millisecond
	// killLimit is how long the supervisor waits at its end for processes that even SIGKILL does not end at once.
	killLimit = 5 * time.Second
)

// Supervise runs the supervisor: it serves the agent that started it until the agent closes the socket or ends, then kills
// all remaining processes and returns. Only a process that NewSupervisor started may call it, and should exit when it
// returns.
func Supervise() error {
	// The parent-death signal follows the thread that started a process, so one thread starts them all and never ends.
	runtime.LockOSThread()
	if kind, err := unix.GetsockoptInt(socketFD, unix.SOL_SOCKET, unix.SO_TYPE); err != nil || kind != unix.SOCK_SEQPACKET {
		return errors.New("a supervisor is started by its agent, not by hand")
	}
	if err := CloseOnExec(); err != nil { // the socket, and what the parent of the agent has left open
		return err
	}
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("become a child subreaper: %w", err)
	}
	// As in a pod of restricted Pod Security; it also keeps every descendant within reach of our signals.
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("set no_new_privs: %w", err)
	}
	// Caught and dropped rather than ignored, because a started process would inherit the latter.
	signal.Notify(make(chan os.Signal, 1), unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT, unix.SIGPIPE)

	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	s := &server{
		null:    null,
		byID:    map[uint64]*started{},
		byPID:   map[int]*started{},
		newWork: make(chan struct{}, 1),
		strays:  make(chan struct{}, 1),
	}
	go s.reapAll()
	go s.killStrays()
	err = s.serve()
	return errors.Join(err, s.killAll())
}

// CloseOnExec keeps from the programs that this process starts later all files that are open now, except the standard streams.
func CloseOnExec() error {
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return fmt.Errorf("list open files: %w", err)
	}
	for _, entry := range open {
		if fd, err := strconv.Atoi(entry.Name()); err == nil && fd > 2 {
			unix.CloseOnExec(fd)
		}
	}
	return nil
}

// started is a command that runs.
type started struct {
	id    uint64
	pid   int
	env   []string
	ended chan struct{}
}

// server is the supervisor's side of the socket.
type server struct {
	null *os.File // the stdin of every command

	// mu guards the maps and, with them, the meaning of a pid: a child is started, signalled and reaped under it.
	mu    sync.Mutex
	byID  map[uint64]*started
	byPID map[int]*started

	newWork chan struct{} // a child was started
	strays  chan struct{} // a command ended
}

// serve answers requests until the agent's end of the socket is closed.
func (s *server) serve() error {
	message, control := make([]byte, maxMessage), make([]byte, unix.CmsgSpace(2*4))
	for {
		n, controlled, _, _, err := unix.Recvmsg(socketFD, message, control, unix.MSG_CMSG_CLOEXEC)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.ECONNRESET), err == nil && n == 0:
			return nil
		case err != nil:
			return fmt.Errorf("read a request: %w", err)
		}
		files := receivedFiles(control[:controlled])
		var r request
		if err := json.Unmarshal(message[:n], &r); err != nil {
			return fmt.Errorf("read a request: %w", err)
		}
		if r.Start != nil {
			s.start(r.ID, r.Start, files)
		} else {
			s.signal(r.ID, r.Signal)
		}
		for _, fd := range files {
			_ = unix.Close(fd) // the command has its own
		}
	}
}

func receivedFiles(control []byte) []int {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil || len(messages) != 1 {
		return nil
	}
	files, err := unix.ParseUnixRights(&messages[0])
	if err != nil {
		return nil
	}
	return files
}

func (s *server) start(id uint64, c *Command, files []int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(files) != 2 { // the kernel drops those for which this process has no room
		s.reply(reply{ID: id, Errno: unix.EMFILE})
		return
	}
	child := &started{id: id, env: c.Env, ended: make(chan struct{})}
	pid, err := s.fork(c, files, child.ended)
	if err != nil {
		s.reply(reply{ID: id, Errno: errnoOf(err)})
		return
	}
	child.pid = pid
	s.byID[id], s.byPID[pid] = child, child
	s.reply(reply{ID: id, PID: pid})
	notify(s.newWork)
}

// fork starts a command. A confined command is forked by a thread of its own, because a confinement belongs to a thread, which
// passes it on. That thread lasts until the command has ended, because the parent-death signal follows it.
func (s *server) fork(c *Command, files []int, ended <-chan struct{}) (pid int, err error) {
	fork := func() (int, error) {
		return syscall.ForkExec(c.Path, append([]string{c.Path}, c.Args...), &syscall.ProcAttr{
			Dir:   c.Dir,
			Env:   c.Env,
			Files: []uintptr{s.null.Fd(), uintptr(files[0]), uintptr(files[1])},
			Sys:   &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL},
		})
	}
	if c.Confinement == nil {
		return fork()
	}
	forked := make(chan struct{})
	go func() {
		runtime.LockOSThread() // never unlocked, so that the thread ends with the goroutine
		if err = c.Confinement.apply(); err == nil {
			pid, err = fork()
		}
		failed := err != nil
		close(forked)
		if !failed {
			<-ended
		}
	}()
	<-forked
	return pid, err
}

func errnoOf(err error) syscall.Errno {
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return unix.EINVAL // what is not the kernel's is a path or an argument that cannot be one
	}
	return errno
}

func (s *server) signal(id uint64, sig syscall.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if child := s.byID[id]; child != nil {
		kill(-child.pid, sig)
	}
}

// reapAll collects children forever: started processes, which it reports, and detached processes, which it does not report.
func (s *server) reapAll() {
	for {
		pid, err := awaitAnyExit()
		if err != nil {
			<-s.newWork // ECHILD: there is none
			continue
		}
		s.ended(pid)
	}
}

func (s *server) ended(pid int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !hasExited(pid) {
		return // a command that could not be started, collected where that was noticed
	}
	child := s.byPID[pid]
	if child != nil {
		kill(-pid, unix.SIGKILL)
	}
	exit, err := reap(pid)
	if child == nil {
		return
	}
	delete(s.byID, child.id)
	delete(s.byPID, pid)
	close(child.ended)
	if err != nil {
		exit = Exit{Signal: unix.SIGKILL}
	}
	s.reply(reply{ID: child.id, Exit: &exit})
	notify(s.strays)
}

// killStrays kills what ended commands had detached from their process group.
func (s *server) killStrays() {
	for range s.strays {
		for s.killStraysOnce() {
			time.Sleep(time.Millisecond) // what the killed ones leave behind becomes our child
		}
		time.Sleep(strayInterval)
	}
}

// killStraysOnce reports whether it killed any.
func (s *server) killStraysOnce() bool {
	found, err := children()
	if err != nil {
		return false
	}
	killed := false
	for _, c := range found {
		if !c.alive {
			continue
		}
		env := settledEnviron(c.pid)
		s.mu.Lock()
		if s.byPID[c.pid] == nil && !s.belongsToRunning(env) {
			killed = killChild(c) || killed
		}
		s.mu.Unlock()
	}
	return killed
}

// settledEnviron gives a process in the middle of an exec, whose environment reads as empty, a moment.
func settledEnviron(pid int) []string {
	for range 3 {
		if env, err := environ(pid); err != nil || env[0] != "" {
			return env
		}
		time.Sleep(time.Millisecond)
	}
	return nil
}

func (s *server) belongsToRunning(env []string) bool {
	for _, running := range s.byPID {
		if !slices.ContainsFunc(running.env, func(entry string) bool { return !slices.Contains(env, entry) }) {
			return true
		}
	}
	return false
}

// killAll kills all children of this process.
func (s *server) killAll() error {
	return killUntilNone(func(c child) (left bool) {
		s.mu.Lock()
		defer s.mu.Unlock()
		killChild(c)
		return c.alive
	})
}

// killUntilNone passes each child to end, which reports whether the child is left, until none is left: the children of a killed
// child become children of this process.
func killUntilNone(end func(child) (left bool)) error {
	for deadline := time.Now().Add(killLimit); ; time.Sleep(time.Millisecond) {
		found, err := children()
		if err != nil {
			return fmt.Errorf("list the processes left: %w", err)
		}
		left := 0
		for _, c := range found {
			if end(c) {
				left++
			}
		}
		switch {
		case left == 0:
			return nil
		case time.Now().After(deadline):
			return fmt.Errorf("%d processes do not end", left)
		}
	}
}

// killChild kills a child and, where it leads one, its group. The caller keeps children from being reaped, so the pid
// is still the child's if it is a child's.
func killChild(c child) bool {
	if parent, now := status(c.pid); !now.alive || parent != os.Getpid() {
		return false
	}
	if c.group == c.pid {
		kill(-c.pid, unix.SIGKILL)
	} else {
		kill(c.pid, unix.SIGKILL)
	}
	return true
}

// kill sends a signal; the only failure possible, that the target has just ended, is what was wanted.
func kill(pid int, sig syscall.Signal) {
	_ = unix.Kill(pid, sig)
}

// reply writes to the agent. serve notices the end of the agent.
func (s *server) reply(r reply) {
	message, err := json.Marshal(r)
	if err != nil {
		return
	}
	for {
		if err := unix.Sendto(socketFD, message, unix.MSG_NOSIGNAL, nil); !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
