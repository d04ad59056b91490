// SPDX-License-Identifier: Apache-2.0

// Package memory keeps a process within the memory that it may use, and gives unused memory back to the system. It never changes
// what the user set with $GOMEMLIMIT.
package memory

import (
	"bufio"
	"context"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"strings"
	"time"
)

const (
	// smallHeap is the size, in bytes, below which giving back is not worth a garbage collection.
	smallHeap = 64 << 20
	// worthwhile is how many bytes have to be given back for the next attempt to follow soon.
	worthwhile = 16 << 20
	// soon and late limit the time between attempts.
	soon, late = 15 * time.Second, time.Minute
)

// Manage limits the memory of the Go runtime to nine tenths of what the machine or the cgroup of the process has, so that it
// collects garbage more often before the system ends the process. Until ctx is done it also gives memory back: by itself the
// runtime keeps the memory of a peak until it has allocated as much again, or for minutes.
func Manage(ctx context.Context) {
	if limit := available("/"); limit > 0 && debug.SetMemoryLimit(-1) == math.MaxInt64 {
		debug.SetMemoryLimit(limit / 10 * 9)
	}
	go func() {
		for wait := soon; ; {
			select {
			case <-ctx.Done():
				return
			case <-time.After(wait):
				wait = giveBack(wait, mapped, free)
			}
		}
	}()
}

// free returns unused memory to the system. Pools keep what they hold through one collection.
func free() {
	runtime.GC()
	debug.FreeOSMemory()
}

// giveBack collects garbage and returns free memory to the system, if that can be much. It returns the time until the next
// attempt: live memory costs a collection for nothing.
func giveBack(wait time.Duration, mapped func() uint64, free func()) time.Duration {
	before := mapped()
	if before < smallHeap {
		return soon
	}
	free()
	if before < mapped()+worthwhile {
		return min(2*wait, late)
	}
	return soon
}

// mapped is the memory of the heap that the system has not got back, in bytes.
func mapped() uint64 {
	samples := []metrics.Sample{
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/heap/unused:bytes"},
		{Name: "/memory/classes/heap/free:bytes"},
	}
	metrics.Read(samples)
	var sum uint64
	for _, sample := range samples {
		sum += sample.Value.Uint64()
	}
	return sum
}

// available is the memory of the machine or, if that is less, of a cgroup of the process, in bytes. It is 0 if neither is known.
func available(root string) int64 {
	limit := int64(math.MaxInt64)
	lower := func(bytes int64) { limit = min(limit, bytes) }
	eachLine(filepath.Join(root, "proc/meminfo"), func(line string) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "MemTotal:" {
			if kibibytes, err := strconv.ParseInt(fields[1], 10, 64); err == nil {
				lower(kibibytes << 10)
			}
		}
	})
	read := func(bytes string) {
		if bytes, err := strconv.ParseInt(bytes, 10, 64); err == nil { // no limit is "max"
			lower(bytes)
		}
	}
	eachLine(filepath.Join(root, "proc/self/cgroup"), func(line string) {
		fields := strings.SplitN(line, ":", 3)
		if len(fields) < 3 {
			return
		}
		switch controllers := strings.Split(fields[1], ","); {
		case fields[1] == "":
			for path := fields[2]; ; path = filepath.Dir(path) { // the limit of a parent counts too
				eachLine(filepath.Join(root, "sys/fs/cgroup", path, "memory.max"), read)
				if path == "/" || path == "." {
					break
				}
			}
		case controllers[0] == "memory":
			eachLine(filepath.Join(root, "sys/fs/cgroup/memory/memory.limit_in_bytes"), read)
		}
	})
	if limit == math.MaxInt64 {
		return 0
	}
	return limit
}

// eachLine calls a function for each line of a file, and for none if the file cannot be read.
func eachLine(path string, call func(string)) {
	file, err := os.Open(path)
	if err != nil {
		return
	}
	defer func() { _ = file.Close() }() // nothing was written
	for lines := bufio.NewScanner(file); lines.Scan(); {
		call(lines.Text())
	}
}
