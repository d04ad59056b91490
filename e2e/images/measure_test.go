// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package images

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"goldsmith.dev/goldsmith/e2e/require"
)

// stage is a part of a command, with what its processes used.
type stage struct {
	name string
	wall time.Duration
	used usage
}

// usage is what processes have used. Those that have ended count, apart from their memory.
type usage struct {
	cpu     time.Duration
	memory  int64 // in bytes, of all processes together. Files in the page cache do not count
	written int64 // in bytes, to a disk
}

const (
	// sampling is the interval of the observations that find the peak of the memory.
	sampling = 100 * time.Millisecond
	// stageMark begins the line with which a command begins a stage.
	stageMark = "== "
	// clockTick is the unit of times in /proc (proc_pid_stat(5)): Linux has it on all architectures of Go.
	clockTick = time.Second / 100
)

// measure runs a command and returns its stages. The first stage, until the first line of a stage, is named start.
func measure(b *testing.B, command *exec.Cmd) []stage {
	b.Helper()
	var log bytes.Buffer
	out, in := io.Pipe()
	command.Stdout, command.Stderr = in, in
	require.NoError(b, command.Start())
	m := &meter{root: command.Process.Pid, stages: []stage{{name: "start"}}, began: time.Now()}
	ended := make(chan error, 1)
	go func() {
		err := command.Wait()
		_ = in.Close() // cannot fail
		ended <- err
	}()
	finished := make(chan struct{})
	var sampler sync.WaitGroup
	sampler.Go(func() {
		for ticks := time.NewTicker(sampling); ; {
			select {
			case <-finished:
				ticks.Stop()
				return
			case <-ticks.C:
				m.observe("")
			}
		}
	})
	for lines := bufio.NewScanner(out); lines.Scan(); {
		log.WriteString(lines.Text() + "\n")
		if name, begins := strings.CutPrefix(lines.Text(), stageMark); begins {
			m.observe(name)
		}
	}
	close(finished)
	sampler.Wait()
	m.end()
	if err := <-ended; err != nil {
		b.Fatalf("%v: %v\n%s", command.Args, err, &log)
	}
	return m.stages
}

// meter observes the processes of a command.
type meter struct {
	mu     sync.Mutex
	root   int // ID of the first process
	stages []stage
	began  time.Time // the present stage
	before usage     // of the stages before it
	seen   usage     // all that was used so far
}

// observe adds what the processes use to the present stage, and begins the next stage if that has a name.
func (m *meter) observe(next string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := usageOf(m.root)
	// A process that ends during the observation counts neither itself nor in its parent.
	m.seen.cpu, m.seen.written = max(m.seen.cpu, now.cpu), max(m.seen.written, now.written)
	current := &m.stages[len(m.stages)-1]
	current.used.memory = max(current.used.memory, now.memory)
	if next != "" {
		m.end()
		m.stages = append(m.stages, stage{name: next})
	}
}

// end ends the present stage.
func (m *meter) end() {
	current := &m.stages[len(m.stages)-1]
	current.wall = time.Since(m.began)
	current.used.cpu, current.used.written = m.seen.cpu-m.before.cpu, m.seen.written-m.before.written
	m.began, m.before = time.Now(), m.seen
}

// usageOf returns what a process and its descendants use.
func usageOf(root int) usage {
	type process struct {
		parent int
		cpu    time.Duration
	}
	processes := map[int]process{}
	names, _ := filepath.Glob("/proc/[0-9]*") // the pattern is valid
	for _, name := range names {
		id, _ := strconv.Atoi(filepath.Base(name))
		text, err := os.ReadFile(name + "/stat")
		end := strings.LastIndex(string(text), ") ") // of the name
		if err != nil || end < 0 {
			continue // it has ended
		}
		words := strings.Fields(string(text[end+2:]))
		used := process{parent: number(words[1])}
		for _, ticks := range words[11:15] { // its own and of children that have ended, in user mode and in the kernel
			used.cpu += time.Duration(number(ticks)) * clockTick
		}
		processes[id] = used
	}
	var total usage
	for id, process := range processes {
		if !descends(id, root, func(id int) int { return processes[id].parent }) {
			continue
		}
		total.cpu += process.cpu
		total.memory += 1024 * int64(field(fmt.Sprintf("/proc/%d/status", id), "RssAnon:"))
		total.written += int64(field(fmt.Sprintf("/proc/%d/io", id), "write_bytes:"))
	}
	return total
}

func descends(id, root int, parentOf func(int) int) bool {
	for ; id > 1; id = parentOf(id) {
		if id == root {
			return true
		}
	}
	return false
}

// field returns the number after a name in a file of /proc, or 0 if the process has ended.
func field(file, name string) int {
	text, _ := os.ReadFile(file) // empty if there is none
	for line := range strings.Lines(string(text)) {
		if words := strings.Fields(line); len(words) > 1 && words[0] == name {
			return number(words[1])
		}
	}
	return 0
}

func number(text string) int {
	n, _ := strconv.Atoi(text) // of the kernel
	return n
}
