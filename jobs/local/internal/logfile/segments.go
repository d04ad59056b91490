// SPDX-License-Identifier: Apache-2.0

package logfile

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// segment is a file of a log. A log that exceeds half of its limit continues in further files beside the first:
// <log>.<number>.<start>. A file that begins within a line repeats a header.
type segment struct {
	path   string
	number int   // 0 is the first file
	start  int64 // counts the bytes that the container wrote between the first file and this file
}

func newSegment(log string, number int, start int64) segment {
	return segment{path: fmt.Sprintf("%s.%d.%d", log, number, start), number: number, start: start}
}

func parseSegment(log, path string) (segment, bool) {
	digits, found := strings.CutPrefix(path, log+".")
	before, after, _ := strings.Cut(digits, ".")
	number, err1 := strconv.Atoi(before)
	start, err2 := strconv.ParseInt(after, 10, 64)
	s := newSegment(log, number, start)
	return s, found && err1 == nil && err2 == nil && number > 0 && start >= 0 && path == s.path
}

// IsSegment reports whether a file beside a log is a part of the log.
func IsSegment(log, name string) bool {
	_, ok := parseSegment(log, name)
	return ok
}

// segments lists the files of a log that exist after its first file, in their order.
func segments(log string) (found []segment, err error) {
	entries, err := os.ReadDir(filepath.Dir(log))
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // the files of a deleted pod are removed while they are read
		return nil, err
	}
	for _, entry := range entries {
		if s, ok := parseSegment(log, filepath.Join(filepath.Dir(log), entry.Name())); ok {
			found = append(found, s)
		}
	}
	slices.SortFunc(found, func(a, b segment) int { return cmp.Compare(a.number, b.number) })
	return found, nil
}
