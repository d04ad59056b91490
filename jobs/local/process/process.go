// SPDX-License-Identifier: Apache-2.0

// Package process starts builders through one supervisor process, and ensures that no builder outlives its agent.
//
// A supervisor is the same binary, started once by its agent and bound to it by a socket. It starts builders, each in a
// process group of its own, passes signals on to the group and reports how the builder ended. As a child subreaper it
// inherits every process that a builder detached; when the socket closes, however the agent ended, it kills all of them.
//
// The package knows nothing of Kubernetes. It must never take a path, an argument or a variable from anywhere but the
// Command it is given, and must stay light: it is loaded by the supervisor. It works on Linux only.
package process

import (
	"fmt"
	"syscall"
)

// Command is a process to start.
type Command struct {
	// Path is the absolute path of the executable; it is never searched for.
	Path string `json:"path"`
	// Args are the arguments after the program's name, which is Path.
	Args []string `json:"args,omitempty"`
	// Env is the whole environment: nothing is inherited. A process that the command detaches is recognised as the
	// command's by these entries, so they should differ from those of other commands; one that is recognised as nobody's
	// is killed when some command ends.
	Env []string `json:"env"`
	// Dir is the working directory.
	Dir string `json:"dir"`
	// Confinement restricts the command. Default: the command can do what its user can.
	Confinement *Confinement `json:"confinement,omitempty"`
}

// Exit is how a process ended.
type Exit struct {
	// Code is the exit code of a process that ended by itself.
	Code int `json:"code,omitempty"`
	// Signal is the signal that ended the process, or 0.
	Signal syscall.Signal `json:"signal,omitempty"`
	// Lost is whether the supervisor ended first, so that neither Code nor Signal is known.
	Lost bool `json:"-"`
}

// Status is the exit code as a shell or a container runtime gives it: 128+n for signal n.
func (e Exit) Status() int {
	if e.Signal != 0 {
		return 128 + int(e.Signal)
	}
	return e.Code
}

func (e Exit) String() string {
	switch {
	case e.Lost:
		return "lost with its supervisor"
	case e.Signal != 0:
		return fmt.Sprintf("ended by signal %d (%v)", int(e.Signal), e.Signal)
	default:
		return fmt.Sprintf("exit code %d", e.Code)
	}
}

// socketFD is where the supervisor finds its socket.
const socketFD = 3

// maxMessage bounds a message between agent and supervisor, in bytes.
const maxMessage = 64 << 10

// request asks the supervisor to start a command, with its stdout and stderr attached to the message, or to signal one.
type request struct {
	ID     uint64         `json:"id"`
	Start  *Command       `json:"start,omitempty"`
	Signal syscall.Signal `json:"signal,omitempty"`
}

// reply tells that the command of that ID started (PID), could not be started (Errno) or ended (Exit).
type reply struct {
	ID    uint64        `json:"id"`
	PID   int           `json:"pid,omitempty"`
	Errno syscall.Errno `json:"errno,omitempty"`
	Exit  *Exit         `json:"exit,omitempty"`
}
