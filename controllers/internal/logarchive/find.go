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

	"golang.org/x/sync/errgroup"

	"goldsmith.dev/goldsmith/archive"
)

const (
	// anchorLength is how much of the end of what is stored is looked for in the pod's log.
	anchorLength = 4 << 10
	// window is how much of the pod's log is looked at, at a time.
	window = 64 << 10
)

// find says how much of the pod's log is stored already. It gives up a log that is silent after its attempt has ended.
func (s *stream) find(ctx context.Context, w *archive.Writer) (skip int64, err error) {
	anchor, err := w.Tail(ctx)
	if err != nil {
		return 0, archiveError{err}
	}
	group, reading := errgroup.WithContext(ctx)
	done, progress := make(chan struct{}), &progress{}
	group.Go(func() (err error) {
		defer close(done)
		skip, err = s.search(reading, w, anchor[max(0, len(anchor)-anchorLength):], progress)
		return err
	})
	group.Go(func() error {
		return s.flush(reading, done, progress, func() error { return nil })
	})
	err = group.Wait()
	return skip, err
}

// search looks for the anchor, the end of what is stored. A node keeps only the end of a long log: the anchor may be anywhere in
// it. If it is not in there, all that there is comes after it, and a line says so.
func (s *stream) search(ctx context.Context, w *archive.Writer, anchor []byte, progress *progress) (skip int64, err error) {
	offset := w.Offset()
	for _, look := range []func(io.Reader) (int64, error){
		func(log io.Reader) (int64, error) { return endsAt(log, anchor, offset) },
		func(log io.Reader) (int64, error) { return endOfAnchor(log, lastLine(anchor)) },
	} {
		log, err := s.open(ctx, false, progress)
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
var errNotThere = errors.New("the pod's log does not contain the stored log")

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
	return 0, fmt.Errorf("read a log: %w", err)
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
	line := fmt.Appendf(nil, "%s [goldsmith: a part of the log is missing here: the node deleted it before it was read]\n", now.UTC().Format(time.RFC3339Nano))
	if !bytes.HasSuffix(anchor, []byte{'\n'}) {
		line = append([]byte{'\n'}, line...)
	}
	return line
}
