// SPDX-License-Identifier: Apache-2.0

package dpkg

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"iter"
	"slices"
)

// maxLine is the maximum length of a line in bytes. The rest of a longer line is ignored: it is more than a lock can have.
const maxLine = 8 << 10

// Paragraphs returns the paragraphs of a control file (deb822(5)), each with the values of some fields. Of a value with several lines it has
// the first. The map is valid until the next paragraph.
func Paragraphs(content io.Reader, names ...string) iter.Seq2[map[string]string, error] {
	return func(yield func(map[string]string, error) bool) {
		lines := bufio.NewReaderSize(content, maxLine)
		fields, empty := map[string]string{}, true
		for {
			line, err := lines.ReadSlice('\n')
			switch name, value, found := bytes.Cut(line, []byte(":")); {
			case len(bytes.TrimSpace(line)) > 0:
				empty = false
				if i := slices.Index(names, string(name)); found && i >= 0 {
					fields[names[i]] = string(bytes.TrimSpace(value))
				}
			case !empty:
				if !yield(fields, nil) {
					return
				}
				clear(fields)
				empty = true
			}
			for errors.Is(err, bufio.ErrBufferFull) {
				_, err = lines.ReadSlice('\n')
			}
			switch {
			case errors.Is(err, io.EOF):
				if !empty {
					yield(fields, nil)
				}
				return
			case err != nil:
				yield(nil, err)
				return
			}
		}
	}
}
