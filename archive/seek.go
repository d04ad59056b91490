// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"bytes"
	"slices"
	"time"
)

// seek finds where a reader begins.
func (r *Reader) seek(from Position) error {
	r.offset = max(from.Offset, 0)
	if !from.Since.IsZero() {
		offset, err := r.findTime(from.Since)
		if err != nil {
			return err
		}
		r.offset = max(r.offset, offset)
	}
	if from.TailLines != nil {
		offset, err := r.findTail(*from.TailLines)
		if err != nil {
			return err
		}
		r.offset = max(r.offset, offset)
	}
	return nil
}

// findTime finds a line shortly before all lines since t: the first line with a timestamp of a chunk.
func (r *Reader) findTime(t time.Time) (int64, error) {
	var offset int64
	low, high := 0, len(r.spans) // the first line of low is before t, unless low is 0; that of high is not
	for low < high {
		middle := low + (high-low)/2
		stamp, at, found, err := r.firstLine(middle, high)
		if err != nil {
			return 0, err
		}
		if found < high && stamp.Before(t) {
			low, offset = found+1, at
		} else {
			high = middle
		}
	}
	return offset, nil
}

// firstLine finds the first line with a timestamp that begins in the chunks [low, high). found is the chunk of the line, or high
// if no chunk has such a line.
func (r *Reader) firstLine(low, high int) (stamp time.Time, at int64, found int, err error) {
	for found = low; found < high; found++ {
		content, err := r.chunk(found)
		if r.isLost(err) {
			continue
		}
		if err != nil {
			return time.Time{}, 0, 0, err
		}
		from := r.spans.from(found)
		stamp, at, ok := firstTimestamp(content, from == 0)
		if ok {
			return stamp, from + int64(at), found, nil
		}
	}
	return time.Time{}, 0, high, nil
}

// findTail finds where the last lines begin. A line that reports a cut counts, too.
func (r *Reader) findTail(lines int64) (int64, error) {
	end := r.spans.end()
	if lines <= 0 {
		return end, nil
	}
	lost := false // the chunk after
	for i := range slices.Backward(r.spans) {
		content, err := r.chunk(i)
		if err != nil && !r.isLost(err) {
			return 0, err
		}
		from := r.spans.from(i)
		if err != nil {
			starts := []int64{from} // of the notice
			switch {
			case i == len(r.spans)-1 || r.spans.gap(i+1) > 0: // whose notice is the line after
			case lost:
				starts = nil
			default:
				starts = []int64{r.spans[i].end, from} // the line after the notice, too
			}
			if r.spans.gap(i) > 0 {
				starts = append(starts, r.spans[:i].end()) // of its notice
			}
			for _, offset := range starts {
				if lines--; lines == 0 {
					return offset, nil
				}
			}
			lost = true
			continue
		}
		body := content
		if i == len(r.spans)-1 || lost || r.spans.gap(i+1) > 0 {
			body = bytes.TrimSuffix(content, []byte{'\n'}) // that ends the last line, and begins none
		}
		lost = false
		if at := lastLines(body, &lines); lines == 0 {
			return from + int64(at), nil
		}
		if r.spans.gap(i) == 0 {
			continue
		}
		for _, offset := range []int64{from, r.spans[:i].end()} { // the line after the notice, and the notice
			if lines--; lines == 0 {
				return offset, nil
			}
		}
	}
	return 0, nil
}

// lastLines counts down lines from the end. It returns where the last counted line begins.
func lastLines(content []byte, lines *int64) int {
	at := len(content)
	for *lines > 0 {
		if at = bytes.LastIndexByte(content[:at], '\n'); at < 0 {
			return 0
		}
		*lines--
	}
	return at + 1
}

// chunk is the content of a chunk, without the bytes that the previous chunk has.
func (r *Reader) chunk(i int) ([]byte, error) {
	chunk := r.spans[i]
	content, err := r.read(chunk)
	if err != nil {
		return nil, err
	}
	return content[r.spans.from(i)-chunk.start:], nil
}
