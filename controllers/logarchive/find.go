// SPDX-License-Identifier: Apache-2.0

package logarchive

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"goldsmith.dev/goldsmith/archive"
)

const (
	// anchorLength is how much of the end of what is stored is looked for in the pod's log.
	anchorLength = 4 << 10
	// window is how much of the pod's log is looked at, at a time.
	window = 64 << 10
	// findLimit is how long that may take: a log that is not followed is there at once, unless its node is lost.
	findLimit = 5 * time.Minute
)

// find says how much of the pod's log is stored already. A node keeps only the end of a long log: then what is stored last
// is looked for. If even that is gone, all that there is comes after it, and a line says so.
func (s *stream) find(ctx context.Context, w *archive.Writer) (skip int64, err error) {
	anchor, err := w.Tail(ctx)
	if err != nil {
		return 0, archiveError{err}
	}
	anchor = anchor[max(0, len(anchor)-anchorLength):]
	offset := w.Offset()
	ctx, cancel := context.WithTimeoutCause(ctx, findLimit, errSilent)
	defer cancel()
	for _, look := range []func(io.Reader) (int64, error){
		func(log io.Reader) (int64, error) { return endsAt(log, anchor, offset) },
		func(log io.Reader) (int64, error) { return endOfAnchor(log, lastLine(anchor)) },
	} {
		log, err := s.open(ctx, false)
		if err != nil {
			return 0, err
		}
		skip, err = look(log)
		_ = log.Close() // nothing is written to it
		if !errors.Is(err, errNotThere) {
			return skip, err
		}
		if skip == 0 {
			return 0, nil // there is nothing that could be missing
		}
	}
	s.missing = true
	if err := w.Write(ctx, gap(anchor, s.Clock.Now())); err != nil {
		return 0, archiveError{err}
	}
	return 0, nil
}

// errNotThere says that a log does not have what is stored. It comes with how much of the log was read.
var errNotThere = errors.New("what is stored is not in the log")

// endsAt checks that what is stored is the beginning of the log.
func endsAt(log io.Reader, anchor []byte, offset int64) (int64, error) {
	read, err := io.CopyN(io.Discard, log, offset-int64(len(anchor)))
	if err == nil {
		found := make([]byte, len(anchor))
		var n int
		n, err = io.ReadFull(log, found)
		read += int64(n)
		if err == nil && bytes.Equal(found, anchor) {
			return read, nil
		}
	}
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return read, errNotThere
	}
	return 0, fmt.Errorf("reading a log: %w", err)
}

// lastLine is the end of the anchor, from the beginning of its last whole line on, whose timestamp there is only once; nil if
// it has none.
func lastLine(anchor []byte) []byte {
	end := bytes.LastIndexByte(anchor, '\n')
	begin := bytes.LastIndexByte(anchor[:max(end, 0)], '\n') + 1
	if archive.Timestamp(anchor[begin:]).IsZero() {
		return nil
	}
	return anchor[begin:]
}

// endOfAnchor finds where the anchor ends in the log.
func endOfAnchor(log io.Reader, anchor []byte) (int64, error) {
	if anchor == nil {
		return 1, errNotThere // whatever there is
	}
	read, err := archive.SkipPast(bufio.NewReaderSize(log, window), anchor)
	if errors.Is(err, archive.ErrNotFound) {
		return read, errNotThere
	}
	return read, err
}

// gap is a line that says that there is one. It ends the line before, if that one has no end.
func gap(anchor []byte, now time.Time) []byte {
	line := fmt.Appendf(nil, "%s [goldsmith: a part of the log is missing here: its node did not keep it until it was read]\n", now.UTC().Format(time.RFC3339Nano))
	if !bytes.HasSuffix(anchor, []byte{'\n'}) {
		line = append([]byte{'\n'}, line...)
	}
	return line
}
