// SPDX-License-Identifier: Apache-2.0

// Package processes ends the processes that scripts of an image, and scripts of packages, leave behind: a build would wait for them, because they
// keep its log open.
package processes

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// grace is how long a process may take to end after SIGTERM, so that a database can save its files.
	grace = 10 * time.Second
	// pause is the time between two searches for processes.
	pause = 100 * time.Millisecond

	exitSignalled = 128 // and the signal

	// searchPath is where a script finds programs, as in a shell of root.
	searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	// What dpkg sets for the scripts of a package, and fakechroot for programs in the fake chroot, and for those that it starts outside.
	envPackage      = "DPKG_MAINTSCRIPT_PACKAGE"
	envRoot         = "FAKECHROOT_BASE"
	envOriginalRoot = "FAKECHROOT_BASE_ORIG"
)

// Run runs a command with the PATH of a script, ends the processes that it leaves behind, names them, and returns the exit code of the command.
func Run(stdout, stderr io.Writer, args []string) int {
	return run(grace, stdout, stderr, args)
}

func run(grace time.Duration, stdout, stderr io.Writer, args []string) int {
	if len(args) == 0 {
		_, _ = fmt.Fprintln(stderr, "run: the arguments are a command") // nobody else can be told
		return 2
	}
	// Processes whose parents have ended become children of this one.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		_, _ = fmt.Fprintln(stderr, "run:", err) // as above
		return 1
	}
	if err := bindPrivilegedPorts(); err != nil { // a container without seccomp
		_, _ = fmt.Fprintln(stderr, "a port below 1024 may need a privilege:", err) // as above
	}
	command := exec.Command(args[0], args[1:]...) //nolint:gosec // the caller chooses what runs
	command.Env, command.Stdout, command.Stderr = append(os.Environ(), "PATH="+searchPath), stdout, stderr
	code := 0
	if err := command.Run(); err != nil {
		if code = command.ProcessState.ExitCode(); command.ProcessState == nil {
			_, _ = fmt.Fprintln(stderr, "run:", err) // as above
			return 1
		}
		if status, _ := command.ProcessState.Sys().(syscall.WaitStatus); status.Signaled() {
			code = exitSignalled + int(status.Signal())
		}
	}
	end(grace, stdout, "the script has left", func(all []process) []process {
		reap()
		return descendants(all, os.Getpid())
	})
	return code
}

// EndOfPackages ends the processes that scripts of packages have left behind in the fake chroot, and names them. dpkg runs it when it has finished.
func EndOfPackages(getenv func(string) string, stdout io.Writer) {
	root := getenv(envOriginalRoot)
	end(grace, stdout, "the script of a package has left", func(all []process) []process {
		return slices.DeleteFunc(all, func(p process) bool {
			block, _ := os.ReadFile(p.file("environ")) // nothing of a process that has ended meanwhile
			environment := strings.Split(string(block), "\x00")
			return !slices.Contains(environment, envRoot+"="+root) ||
				!slices.ContainsFunc(environment, func(variable string) bool { return strings.HasPrefix(variable, envPackage+"=") })
		})
	})
}

// process is one of /proc.
type process struct{ pid, parent int }

func (p process) file(name string) string {
	return path.Join("/proc", strconv.Itoa(p.pid), name)
}

// String returns the process ID with the command line.
func (p process) String() string {
	line, _ := os.ReadFile(p.file("cmdline")) // of a process that has ended meanwhile
	return fmt.Sprintf("%d (%s)", p.pid, strings.Join(strings.FieldsFunc(string(line), func(r rune) bool { return r < ' ' }), " "))
}

// list returns the processes that run.
func list() (running []process) {
	entries, _ := os.ReadDir("/proc") // without it there is no sandbox
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		stat, err := os.ReadFile(process{pid: pid}.file("stat"))
		if err != nil {
			continue // it has ended
		}
		// The name in parentheses may contain anything.
		fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		if len(fields) < 2 || fields[0] == "Z" || fields[0] == "X" {
			continue
		}
		if parent, err := strconv.Atoi(fields[1]); err == nil {
			running = append(running, process{pid, parent})
		}
	}
	return running
}

// descendants returns the children of a process, their children, and so on.
func descendants(all []process, of int) (found []process) {
	for _, p := range all {
		if p.parent == of {
			found = append(append(found, p), descendants(all, p.pid)...)
		}
	}
	return found
}

// end ends the processes that search finds among all, until it finds none: first with SIGTERM.
func end(grace time.Duration, stdout io.Writer, what string, search func(all []process) []process) {
	deadline := time.Now().Add(grace)
	for seen := map[int]int{}; ; time.Sleep(pause) {
		left := search(list())
		if len(left) == 0 {
			return
		}
		late := time.Now().After(deadline)
		for _, p := range left {
			seen[p.pid]++
			switch {
			case seen[p.pid] == 2: // before, it may not have begun the program by which it is named
				_, _ = fmt.Fprintf(stdout, "%s process %s, which is ended\n", what, p) // a failure to write the log cannot be reported anywhere
				_ = unix.Kill(p.pid, unix.SIGTERM)                                     // it may have ended
			case late:
				_ = unix.Kill(p.pid, unix.SIGKILL) // as above
			}
		}
	}
}

// reap collects the children that have ended.
func reap() {
	for {
		if pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil); pid <= 0 && !errors.Is(err, unix.EINTR) {
			return
		}
	}
}
