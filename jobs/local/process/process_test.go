// SPDX-License-Identifier: Apache-2.0

package process

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	"goldsmith.dev/goldsmith/e2e/require"
)

// roleVariable makes the test binary act as one of the processes that the tests need.
const roleVariable = "PROCESS_TEST_ROLE"

// limit is how long anything may take that happens at once on an idle machine.
const limit = 20 * time.Second

func TestMain(m *testing.M) {
	switch os.Getenv(roleVariable) {
	case "supervisor":
		exitWith(Supervise())
	case "parent":
		exitWith(beParent())
	case "describe":
		exitWith(describeSelf())
	}
	os.Exit(m.Run())
}

func exitWith(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

var supervisorCommand = []string{"/usr/bin/env", roleVariable + "=supervisor", "/proc/" + strconv.Itoa(os.Getpid()) + "/exe"}

func startSupervisor(t *testing.T) *Supervisor {
	t.Helper()
	s := require.Value(NewSupervisor(supervisorCommand))(t)
	t.Cleanup(func() {
		if err := s.Close(); err != nil && !errors.Is(err, ErrEnded) {
			t.Error(err)
		}
	})
	return s
}

// start runs a command; what it prints is read from the pipe it returns.
func start(t *testing.T, s *Supervisor, c Command) (*Process, *bufio.Reader) {
	t.Helper()
	var fds [2]int
	require.NoError(t, unix.Pipe2(fds[:], unix.O_CLOEXEC))
	r, w := os.NewFile(uintptr(fds[0]), "read"), os.NewFile(uintptr(fds[1]), "write")
	t.Cleanup(func() { _ = r.Close() })
	defer func() { _ = w.Close() }() // only read from
	p := require.Value(s.Start(c, w, w))(t)
	return p, bufio.NewReader(r)
}

func shell(script string, env ...string) Command {
	return Command{Path: "/bin/bash", Args: []string{"-c", script}, Env: append(env, "PATH=/usr/bin:/bin"), Dir: "/"}
}

func readPID(t *testing.T, r *bufio.Reader) int {
	t.Helper()
	line, err := r.ReadString('\n')
	if err != nil {
		t.Fatalf("read a pid: %v (%q)", err, line)
	}
	pid := require.Value(strconv.Atoi(strings.TrimSpace(line)))(t)
	return pid
}

func alive(pid int) bool {
	_, c := status(pid)
	return c.alive
}

func wait(t *testing.T, p *Process) Exit {
	t.Helper()
	select {
	case <-p.Done():
	case <-time.After(limit):
		t.Fatalf("process %d does not end", p.PID())
	}
	return p.Exit()
}

func TestAnExitIsReportedAsItHappened(t *testing.T) {
	s := startSupervisor(t)
	for script, want := range map[string]int{"exit 0": 0, "exit 7": 7, "kill -SEGV $$": 128 + int(unix.SIGSEGV)} {
		p, _ := start(t, s, shell(script))
		if got := wait(t, p).Status(); got != want {
			t.Errorf("%q: status %d, want %d", script, got, want)
		}
	}
}

type description struct {
	Env         []string
	Dir         string
	Args        []string
	Group       int
	PID         int
	NonBlocking bool
	NoNewPrivs  int
}

func describeSelf() error {
	d := description{Env: os.Environ(), Args: os.Args[1:], Group: unix.Getpgrp(), PID: os.Getpid()}
	flags, err := unix.FcntlInt(1, unix.F_GETFL, 0)
	if err != nil {
		return err
	}
	d.NonBlocking = flags&unix.O_NONBLOCK != 0
	if d.NoNewPrivs, err = unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0); err != nil {
		return err
	}
	if d.Dir, err = os.Getwd(); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(d)
}

func TestACommandGetsWhatItsCommandSaysAndNothingElse(t *testing.T) {
	t.Setenv("LD_LIBRARY_PATH", "/nowhere")
	s := startSupervisor(t)
	self := require.Value(os.Executable())(t)
	dir := require.Value(filepath.EvalSymlinks(t.TempDir()))(t)
	p, out := start(t, s, Command{Path: self, Args: []string{"a b", ""}, Env: []string{roleVariable + "=describe"}, Dir: dir})
	var d description
	require.NoError(t, json.NewDecoder(out).Decode(&d))
	wait(t, p)
	g := NewWithT(t)
	g.Expect(d).To(Equal(description{
		Env: []string{roleVariable + "=describe"}, Dir: dir, Args: []string{"a b", ""},
		Group: p.PID(), PID: p.PID(), NoNewPrivs: 1,
	}))
}

func TestACommandInheritsNoOpenFile(t *testing.T) {
	inherited, err := unix.Dup(1) // not closed on exec, as a file from the shell that started the agent
	require.NoError(t, err)
	defer func() { _ = unix.Close(inherited) }()
	s := startSupervisor(t)
	p, out := start(t, s, shell("for i in {0..300}; do [ -e /proc/$$/fd/$i ] && echo -n $i,; done"))
	wait(t, p)
	if open, err := io.ReadAll(out); err != nil || string(open) != "0,1,2," {
		t.Errorf("open files %s (%v)", open, err)
	}
}

func TestACommandThatCannotStartIsAnErrorAndHarmsNothing(t *testing.T) {
	s := startSupervisor(t)
	for _, c := range []Command{
		{Path: "/no/such/file", Dir: "/"},
		{Path: "/dev/null", Dir: "/"},
		{Path: "/bin/bash", Dir: "/no/such/directory"},
		{Path: "/bin/bash", Dir: "/", Args: []string{strings.Repeat("x", maxMessage)}},
	} {
		if _, err := s.Start(c, os.Stderr, os.Stderr); err == nil {
			t.Errorf("%s in %s started", c.Path, c.Dir)
		}
	}
	p, _ := start(t, s, shell("exit 3"))
	if got := wait(t, p).Status(); got != 3 {
		t.Errorf("status %d, want 3", got)
	}
}

func TestWhyTheKernelDidNotStartACommandIsTold(t *testing.T) {
	s := startSupervisor(t)
	if _, err := s.Start(Command{Path: "/no/such/file", Dir: "/"}, os.Stderr, os.Stderr); !errors.Is(err, unix.ENOENT) {
		t.Errorf("got %v, want ENOENT", err)
	}
	start(t, s, shell("sleep 1000")) // the supervisor has begun to serve
	var usual unix.Rlimit
	require.NoError(t, unix.Prlimit(s.command.Process.Pid, unix.RLIMIT_NOFILE, nil, &usual))
	require.NoError(t, unix.Prlimit(s.command.Process.Pid, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 3, Max: usual.Max}, nil))
	if _, err := s.Start(shell("exit 0"), os.Stderr, os.Stderr); !errors.Is(err, unix.EMFILE) {
		t.Errorf("got %v, want EMFILE", err)
	}
	require.NoError(t, unix.Prlimit(s.command.Process.Pid, unix.RLIMIT_NOFILE, &usual, nil))
	p, _ := start(t, s, shell("exit 3"))
	if got := wait(t, p).Status(); got != 3 {
		t.Errorf("status %d, want 3", got)
	}
}

func TestACommandForASupervisorThatHasJustEndedIsToldSo(t *testing.T) {
	ours, theirs, err := socketPair()
	require.NoError(t, err)
	require.NoError(t, theirs.Close())
	s := &Supervisor{conn: ours, processes: map[uint64]*Process{}} // which has not noticed yet
	if _, err := s.Start(shell("exit 0"), os.Stderr, os.Stderr); !errors.Is(err, ErrEnded) {
		t.Errorf("got %v, want %v", err, ErrEnded)
	}
	if err := ours.Close(); err != nil {
		t.Error(err)
	}
}

func TestTheRestOfAGroupDiesWithItsLeader(t *testing.T) {
	s := startSupervisor(t)
	start(t, s, shell("sleep 1000")) // of the same environment, so that the other's rest is not taken for a stray
	p, out := start(t, s, shell("trap '' TERM; sleep 1000 & echo $!"))
	pid := readPID(t, out)
	wait(t, p)
	NewWithT(t).Eventually(func() bool { return alive(pid) }).WithTimeout(limit).Should(BeFalse())
}

// detach prints the pid of a process that has left its parent, its session and its group.
const detach = "(setsid setsid bash -c 'trap \"\" TERM HUP; echo $BASHPID; while :; do sleep 1000; done' &) "

func TestADetachedProcessDiesSoonAfterItsOwnCommandOnly(t *testing.T) {
	g := NewWithT(t)
	s := startSupervisor(t)
	long, longOut := start(t, s, shell(detach+"; sleep 1000", "NAME=long"))
	kept := readPID(t, longOut)
	_, namelessOut := start(t, s, shell("env -i setsid setsid bash -c 'echo $$; while :; do :; done' & wait; sleep 1000", "NAME=nameless"))
	nameless := readPID(t, namelessOut)
	g.Expect(alive(nameless)).To(BeTrue())
	short, shortOut := start(t, s, shell(detach+"; sleep 1000", "NAME=short"))
	stray := readPID(t, shortOut)
	g.Expect(short.Signal(unix.SIGKILL)).To(Succeed())
	wait(t, short)
	g.Eventually(func() bool { return alive(stray) || alive(nameless) }).WithTimeout(limit).Should(BeFalse())
	g.Expect(alive(kept)).To(BeTrue(), "the detached process of a running command is left alone")
	g.Expect(long.Signal(unix.SIGKILL)).To(Succeed())
	wait(t, long)
	g.Eventually(func() bool { return alive(kept) }).WithTimeout(limit).Should(BeFalse())
}

func TestASignalReachesTheWholeGroup(t *testing.T) {
	s := startSupervisor(t)
	p, out := start(t, s, shell("trap 'wait; echo outer; exit 5' TERM; bash -c 'trap \"echo inner; exit\" TERM; echo $$; sleep 1000 & wait' & wait"))
	readPID(t, out)
	require.NoError(t, p.Signal(unix.SIGTERM))
	if got := wait(t, p).Status(); got != 5 {
		t.Errorf("status %d, want 5", got)
	}
	rest, err := io.ReadAll(out)
	if err != nil || string(rest) != "inner\nouter\n" {
		t.Errorf("printed %q (%v)", rest, err)
	}
}

func TestAProcessThatIgnoresSIGTERMEndsBySIGKILL(t *testing.T) {
	s := startSupervisor(t)
	p, out := start(t, s, shell("trap 'echo 1' TERM; echo $$; while :; do :; done"))
	readPID(t, out)
	require.NoError(t, p.Signal(unix.SIGTERM))
	readPID(t, out) // the process reports the signal
	require.NoError(t, p.Signal(unix.SIGKILL))
	if got, want := wait(t, p), (Exit{Signal: syscall.SIGKILL}); got != want {
		t.Errorf("%v, want %v", got, want)
	}
}

// beParent starts a supervisor and three commands, prints every pid and waits to be killed.
func beParent() error {
	s, err := NewSupervisor(supervisorCommand)
	if err != nil {
		return err
	}
	fmt.Println(s.command.Process.Pid)
	for _, script := range []string{
		"echo $$; exec sleep 1000",
		"trap '' TERM HUP INT; echo $$; sleep 1000 & echo $!; wait",
		detach + "; (setsid sleep 1000 & echo $!); echo $$; exec sleep 1000",
	} {
		if _, err := s.Start(shell(script), os.Stdout, os.Stderr); err != nil {
			return err
		}
	}
	select {}
}

func TestNothingOutlivesAParentThatIsKilled(t *testing.T) {
	for _, signal := range []syscall.Signal{unix.SIGKILL, unix.SIGTERM} {
		parent := exec.Command(supervisorCommand[2])
		parent.Env = append(os.Environ(), roleVariable+"=parent")
		out := require.Value(parent.StdoutPipe())(t)
		require.NoError(t, parent.Start())
		t.Cleanup(func() { _ = parent.Process.Kill() })
		pids, lines := []int{parent.Process.Pid}, bufio.NewReader(out)
		for range 7 {
			pids = append(pids, readPID(t, lines))
		}
		require.NoError(t, parent.Process.Signal(signal))
		if err := parent.Wait(); err == nil {
			t.Error("the parent was not killed")
		}
		g := NewWithT(t)
		g.Eventually(func() []int {
			return slices.DeleteFunc(slices.Clone(pids), func(pid int) bool { return !alive(pid) })
		}).WithTimeout(limit).WithPolling(time.Millisecond).Should(BeEmpty())
	}
}

func TestCloseKillsEverything(t *testing.T) {
	s := startSupervisor(t)
	p, out := start(t, s, shell(detach+"; sleep 1000"))
	pid := readPID(t, out)
	require.NoError(t, s.Close())
	wait(t, p)
	if alive(pid) || alive(p.PID()) {
		t.Error("a process outlived Close")
	}
	if _, err := s.Start(shell("exit 0"), os.Stderr, os.Stderr); !errors.Is(err, ErrEnded) {
		t.Errorf("start after Close: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
}

func TestWhenTheSupervisorIsKilledOrStoppedItsCommandsAreLostAndEverythingOfThemEnds(t *testing.T) {
	other := startSupervisor(t)
	bystander, _ := start(t, other, shell("exec sleep 1000"))
	for _, signal := range []syscall.Signal{unix.SIGKILL, unix.SIGSTOP} {
		s := startSupervisor(t)
		p, out := start(t, s, shell("sleep 1000 & echo $!; "+detach+"; env -i setsid bash -c 'echo $$; exec sleep 1000' & wait"))
		pids := []int{p.PID(), readPID(t, out), readPID(t, out), readPID(t, out)}
		require.NoError(t, s.command.Process.Signal(signal))
		if exit := wait(t, p); !exit.Lost {
			t.Errorf("%v: %v, want it lost", signal, exit)
		}
		<-s.Done()
		if !errors.Is(s.Err(), ErrEnded) {
			t.Errorf("%v: error %v", signal, s.Err())
		}
		for _, pid := range pids {
			if parent, _ := status(pid); parent != 0 { // a zombie counts too
				t.Errorf("%v: process %d outlived the supervisor", signal, pid)
			}
		}
	}
	if !alive(bystander.PID()) {
		t.Error("a process of another supervisor ended")
	}
}

func TestSuperviseByHandIsRefused(t *testing.T) {
	c := exec.Command(supervisorCommand[0], supervisorCommand[1:]...)
	if out, err := c.CombinedOutput(); err == nil || !strings.Contains(string(out), "not by hand") {
		t.Errorf("%v, %q", err, out)
	}
}

func TestManyCommandsLeaveNoFileOpen(t *testing.T) {
	s := startSupervisor(t)
	count := func() (here, there int) {
		ours := require.Value(os.ReadDir("/proc/self/fd"))(t)
		theirs := require.Value(os.ReadDir("/proc/" + strconv.Itoa(s.command.Process.Pid) + "/fd"))(t)
		return len(ours), len(theirs)
	}
	run := func() {
		p := require.Value(s.Start(Command{Path: "/bin/true", Dir: "/"}, os.Stdout, os.Stderr))(t)
		wait(t, p)
	}
	run()
	here, there := count()
	for range 200 {
		run()
	}
	g := NewWithT(t)
	g.Eventually(func() bool { h, th := count(); return h <= here+1 && th <= there+1 }).WithTimeout(limit).Should(BeTrue())
}
