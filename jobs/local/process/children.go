// SPDX-License-Identifier: Apache-2.0

package process

import (
	"bytes"
	"errors"
	"os"
	"strconv"
	"strings"
)

// child is a child of this process.
type child struct {
	pid, group, session int
	alive               bool // false for a zombie
}

// children lists the children of this process. It reads all of /proc because /proc/<pid>/task/<tid>/children is missing from
// kernels built without CONFIG_PROC_CHILDREN.
func children() ([]child, error) {
	proc, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	defer func() { _ = proc.Close() }() // only read from
	names, err := proc.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	self := os.Getpid()
	var found []child
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if parent, c := status(pid); parent == self {
			found = append(found, c)
		}
	}
	return found, nil
}

// status reads a process and its parent, which is 0 if there is no such process.
func status(pid int) (parent int, c child) {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, child{}
	}
	// The name in parentheses may contain anything, so the fields are counted from its end.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 4 {
		return 0, child{}
	}
	parent, parentErr := strconv.Atoi(fields[1])
	group, groupErr := strconv.Atoi(fields[2])
	session, sessionErr := strconv.Atoi(fields[3])
	if errors.Join(parentErr, groupErr, sessionErr) != nil {
		return 0, child{}
	}
	return parent, child{pid: pid, group: group, session: session, alive: fields[0] != "Z" && fields[0] != "X"}
}

// environ reads the environment a process was started with.
func environ(pid int) ([]string, error) {
	block, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
	if err != nil {
		return nil, err
	}
	return strings.Split(strings.TrimSuffix(string(block), "\x00"), "\x00"), nil
}
