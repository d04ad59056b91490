// SPDX-License-Identifier: Apache-2.0

package artifacts

import (
	"bytes"
	"os"
)

// Sparse writes to a regular file from an offset, which must be its end, and leaves a hole for each block of zeros.
type Sparse struct {
	File *os.File
	// At is the offset of the next byte.
	At int64
}

// block is the granularity of holes.
const block = 64 << 10

// Write implements io.Writer. Zeros at the end are not in the file before Finish.
func (s *Sparse) Write(data []byte) (written int, err error) {
	for written < len(data) {
		piece := data[written:min(len(data), written+block)]
		if len(bytes.TrimLeft(piece, "\x00")) > 0 {
			if _, err := s.File.WriteAt(piece, s.At); err != nil {
				return written, err
			}
		}
		written += len(piece)
		s.At += int64(len(piece))
	}
	return written, nil
}

// Finish gives the file the size of what was written, also after an error of Write.
func (s *Sparse) Finish() error {
	return s.File.Truncate(s.At)
}
