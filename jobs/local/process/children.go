// SPDX-License-Identifier: Apache-2.0

package process

import (
	"bytes"
	"os"
	"strconv"
	"strings"
)

// child is a living child of this process.
type child struct {
	pid, group int
}

// children lists the living children of this process, zombies left out. It reads all of /proc because
// /proc/<pid>/task/<tid>/children is missing from kernels built without CONFIG_PROC_CHILDREN.
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
		if parent, group, alive := status(pid); alive && parent == self {
			found = append(found, child{pid: pid, group: group})
		}
	}
	return found, nil
}

// status reads the parent and the process group of a process; alive is false for a zombie and where there is none.
func status(pid int) (parent, group int, alive bool) {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, 0, false
	}
	// The name in parentheses may contain anything, so the fields are counted from its end.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 3 || fields[0] == "Z" || fields[0] == "X" {
		return 0, 0, false
	}
	parent, parentErr := strconv.Atoi(fields[1])
	group, groupErr := strconv.Atoi(fields[2])
	return parent, group, parentErr == nil && groupErr == nil
}

// environ reads the environment a process was started with.
func environ(pid int) ([]string, error) {
	block, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
	if err != nil {
		return nil, err
	}
	return strings.Split(strings.TrimSuffix(string(block), "\x00"), "\x00"), nil
}
