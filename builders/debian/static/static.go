// SPDX-License-Identifier: Apache-2.0

// Package static finds statically linked programs among those that a script has run. A fake chroot consists of a library that replaces
// functions of the C library. A statically linked program has functions of its own, so it sees the files of the builder instead of those of
// the image, without an error.
package static

import (
	"bufio"
	"debug/elf"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
)

// started is a line of strace -f -x about a program that a process runs, or tries to.
var started = regexp.MustCompile(`execve\(("(?:[^"\\]|\\.)*")`)

// Main prints the statically linked programs in a trace of strace -f -x -e trace=execve, one on each line, and returns an exit code. The only
// argument is the file with the trace. A program that does not exist any more is not found.
func Main(stdout, stderr io.Writer, args []string) int {
	if len(args) != 1 {
		_, _ = fmt.Fprintln(stderr, "static: the only argument is a trace of strace") // nobody else can be told
		return 2
	}
	programs, err := programsIn(args[0])
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "static:", err)
		return 1
	}
	for _, program := range programs {
		if isStatic(program) {
			_, _ = fmt.Fprintln(stdout, program)
		}
	}
	return 0
}

// programsIn returns the paths in a trace, sorted.
func programsIn(trace string) ([]string, error) {
	file, err := os.Open(trace)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // only read from
	var programs []string
	lines := bufio.NewReader(file)
	for {
		line, err := lines.ReadString('\n')
		if found := started.FindStringSubmatch(line); found != nil {
			path, err := strconv.Unquote(found[1])
			if err != nil {
				return nil, fmt.Errorf("read %s: %s: %w", trace, found[1], err)
			}
			programs = append(programs, path)
		}
		if err == io.EOF {
			slices.Sort(programs)
			return slices.Compact(programs), nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// isStatic reports whether a file is a program that no dynamic linker loads.
func isStatic(path string) bool {
	program, err := elf.Open(path)
	if err != nil {
		return false // a script, or nothing any more
	}
	defer func() { _ = program.Close() }() // only read from
	return !slices.ContainsFunc(program.Progs, func(part *elf.Prog) bool { return part.Type == elf.PT_INTERP })
}
