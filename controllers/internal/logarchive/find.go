// SPDX-License-Identifier: Apache-2.0

package logarchive

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"

	"goldsmith.dev/goldsmith/archive"
)

const (
	// anchorLength is the maximum length of the anchor: the end of the stored log, which is searched in the pod's log.
	anchorLength = 4 << 10
	// window is how much of the pod's log is searched at a time.
	window = 64 << 10
)

// find returns how much of the pod's log is stored already. It gives up a log that is silent after its attempt has ended.
func (s *stream) find(ctx context.Context, w *archive.Writer, pod *corev1.Pod) (skip int64, err error) {
	anchor, err := w.Tail(ctx)
	if err != nil {
		return 0, archiveError{err}
	}
	if len(anchor) == 0 {
		return 0, nil // all of the stored log is damaged
	}
	group, reading := errgroup.WithContext(ctx)
	done, progress := make(chan struct{}), &atomic.Int64{}
	group.Go(func() (err error) {
		defer close(done)
		skip, err = s.search(reading, w, pod, anchor[max(0, len(anchor)-anchorLength):], progress)
		return err
	})
	group.Go(func() error {
		return s.flush(reading, done, progress, func() error { return nil })
	})
	err = group.Wait()
	return skip, err
}

// search finds the anchor, the end of the stored log, in the pod's log. A node keeps only the end of a long log, or its
// beginning and its end, so the anchor may be anywhere in it. If the anchor is missing, search writes a line that reports the
// gap, and the lines continue that are later than the anchor. If none is later, the whole pod's log comes after the anchor.
func (s *stream) search(ctx context.Context, w *archive.Writer, pod *corev1.Pod, anchor []byte, progress *atomic.Int64) (skip int64, err error) {
	offset := w.Offset()
	for _, look := range []func(io.Reader) (int64, error){
		func(log io.Reader) (int64, error) { return endsAt(log, anchor, offset) },
		func(log io.Reader) (int64, error) { return endOfAnchor(log, lastLine(anchor)) },
	} {
		log, err := s.open(ctx, pod, false, progress)
		if err != nil {
			return 0, err
		}
		skip, err = look(log)
		_ = log.Close() // nothing is written to it
		if !errors.Is(err, errNotThere) {
			return skip, err
		}
		if skip == 0 {
			return 0, nil // the pod's log is empty
		}
	}
	log, err := s.open(ctx, pod, false, progress)
	if err != nil {
		return 0, err
	}
	skip, err = laterThan(log, archive.Timestamp(lastLine(anchor)))
	_ = log.Close() // nothing is written to it
	if err != nil && !errors.Is(err, errNotThere) {
		return 0, err
	}
	if err := w.Write(ctx, gap(anchor, s.Clock.Now())); err != nil {
		return 0, archiveError{err}
	}
	return skip, nil
}

// laterThan finds the first line of the log that is later than a time. It skips lines that report another gap, because the bytes
// that such a line counts may be stored. It returns errNotThere if no line is later.
func laterThan(log io.Reader, t time.Time) (int64, error) {
	lines, begins := bufio.NewReaderSize(log, window), true
	for read := int64(0); ; {
		line, err := lines.ReadSlice('\n')
		if begins && archive.Timestamp(line).After(t) && !archive.IsNotice(line) {
			return read, nil
		}
		read, begins = read+int64(len(line)), err == nil
		switch {
		case errors.Is(err, io.EOF):
			return 0, errNotThere
		case err != nil && !errors.Is(err, bufio.ErrBufferFull):
			return 0, fmt.Errorf("read a log: %w", err)
		}
	}
}

// errNotThere means that a log does not contain the anchor. It is returned with the number of bytes that were read.
var errNotThere = errors.New("the pod's log does not contain the end of the archived log")

// endsAt checks that the stored log is the beginning of the pod's log.
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

// lastLine is the end of the anchor from the beginning of its last whole line, whose timestamp is unique. It is nil if there
// is no such line.
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
		return 1, errNotThere // any length but 0
	}
	read, err := archive.SkipPast(bufio.NewReaderSize(log, window), anchor)
	if errors.Is(err, archive.ErrNotFound) {
		return read, errNotThere
	}
	return read, err
}

// gap is a line that reports a gap. It begins with a line end if the line before has none.
func gap(anchor []byte, now time.Time) []byte {
	line := archive.Gap(now)
	if !bytes.HasSuffix(anchor, []byte{'\n'}) {
		line = append([]byte{'\n'}, line...)
	}
	return line
}
