// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const (
	// maxChangelog is the maximum number of bytes of a changelog that are read. The newest entries come first.
	maxChangelog = 8 << 20
	// maxChangelogLine is the maximum length of a line in bytes. The rest of a longer line is ignored.
	maxChangelogLine = 64 << 10
)

// entry is what a changelog tells about a version (deb-changelog(5)).
type entry struct {
	version    string
	advisories []string
}

var (
	entryPattern    = regexp.MustCompile(`^[a-z0-9][a-z0-9+.-]+ \(([^() ]+)\)[^;]*;`)
	advisoryPattern = regexp.MustCompile(`\bCVE-[0-9]{4}-[0-9]{4,12}\b`)
	rebuildPattern  = regexp.MustCompile(`\+b[0-9]+$`)
)

// readChangelog returns the entries of a changelog that are newer than a version, the newest first.
func readChangelog(content io.Reader, oldest string) (entries []entry, err error) {
	lines := bufio.NewReaderSize(io.LimitReader(content, maxChangelog), maxChangelogLine)
	for {
		line, err := lines.ReadSlice('\n')
		if header := entryPattern.FindSubmatch(line); header != nil {
			version := string(header[1])
			if !newer(version, oldest) && len(entries) > 0 {
				return entries, nil
			}
			entries = append(entries, entry{version: version})
		}
		if last := len(entries) - 1; last >= 0 {
			for _, found := range advisoryPattern.FindAll(line, -1) {
				entries[last].advisories = append(entries[last].advisories, string(bytes.Clone(found)))
			}
		}
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = lines.ReadSlice('\n')
		}
		switch {
		case errors.Is(err, io.EOF):
			return entries, nil
		case err != nil:
			return nil, err
		}
	}
}

// withoutRebuild returns the version of a package without the number of its rebuild, which its source does not have.
func withoutRebuild(version string) string { return rebuildPattern.ReplaceAllString(version, "") }

// advisoriesBetween returns the advisories of entries that are newer than the installed version, the newest first, each once. If the source has other
// versions than its package, they are those of the newest entry.
func advisoriesBetween(entries []entry, update *Update) (all []string) {
	same := len(entries) > 0 && entries[0].version == withoutRebuild(update.Version)
	for i, entry := range entries {
		if i == 0 || same && newer(entry.version, withoutRebuild(update.From)) {
			all = append(all, entry.advisories...)
		}
	}
	slices.SortFunc(all, compareAdvisories)
	return slices.Compact(all)
}

// compareAdvisories orders advisories by year and number, the newest first.
func compareAdvisories(a, b string) int {
	return cmp.Or(cmp.Compare(b[:len("CVE-2026")], a[:len("CVE-2026")]), cmp.Compare(numberOf(b), numberOf(a)), cmp.Compare(a, b))
}

func numberOf(advisory string) int {
	number, err := strconv.Atoi(advisory[strings.LastIndexByte(advisory, '-')+1:])
	if err != nil {
		return 0 // the pattern matches only numbers
	}
	return number
}
