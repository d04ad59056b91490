// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"bytes"
	"io"
)

// textCounter counts the text of a timestamped stream: all bytes except timestamps, and the space after each.
type textCounter struct {
	sum    int64
	inLine bool   // what comes next belongs to the text of a line
	open   []byte // the beginning of a line that may be a timestamp
}

// size is the size of the text, if nothing follows.
func (c *textCounter) size() int64 { return c.sum + int64(len(c.open)) }

// atLineStart reports whether a line begins with what comes next.
func (c *textCounter) atLineStart() bool { return !c.inLine && len(c.open) == 0 }

func (c *textCounter) add(p []byte) {
	for len(p) > 0 {
		n := c.piece(p)
		c.addPiece(p[:n])
		p = p[n:]
	}
}

// piece is the length of the next piece of p: the rest of a line, or of what may be its timestamp.
func (c *textCounter) piece(p []byte) int {
	if c.inLine {
		if end := bytes.IndexByte(p, '\n'); end >= 0 {
			return end + 1
		}
		return len(p)
	}
	if len(c.open) == 0 && (p[0] < '0' || p[0] > '9') {
		return 1 // as in parseTimestamp
	}
	p = p[:min(len(p), maxTimestamp+1-len(c.open))]
	if end := bytes.IndexAny(p, " \n"); end >= 0 {
		return end + 1
	}
	return len(p)
}

// addPiece counts a piece.
func (c *textCounter) addPiece(piece []byte) {
	last := piece[len(piece)-1]
	if c.inLine {
		c.sum += int64(len(piece))
		c.inLine = last != '\n'
		return
	}
	c.open = append(c.open, piece...)
	if isDigit := c.open[0] >= '0' && c.open[0] <= '9'; isDigit && last != ' ' && last != '\n' && len(c.open) <= maxTimestamp {
		return
	}
	if _, _, stamped := parseTimestamp(c.open); !stamped {
		c.sum += int64(len(c.open))
	}
	c.open, c.inLine = c.open[:0], last != '\n'
}

// LimitText returns a Reader that ends after limit bytes of the text of r. Timestamps do not count. Errors are those of r.
func LimitText(r io.Reader, limit int64) io.Reader { return &limitedText{r: r, limit: limit} }

type limitedText struct {
	r     io.Reader
	limit int64
	count textCounter
}

// Read implements io.Reader.
func (l *limitedText) Read(p []byte) (n int, err error) {
	if l.count.sum >= l.limit {
		return 0, io.EOF
	}
	read, err := l.r.Read(p)
	for n < read && l.count.sum < l.limit {
		piece := l.count.piece(p[n:read])
		if l.count.inLine {
			piece = int(min(int64(piece), l.limit-l.count.sum))
		}
		l.count.addPiece(p[n : n+piece])
		n += piece
	}
	if n < read {
		err = io.EOF
	}
	return n, err
}
