// SPDX-License-Identifier: Apache-2.0

package buildlog

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/klog/v2"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/archive"
	"goldsmith.dev/goldsmith/jobs/podlog"
)

const (
	// handoverMark is the maximum length of mark, the end of the pod's log that is searched in the archive.
	handoverMark   = 4 << 10
	handoverBuffer = 64 << 10
	// archivePoll and archiveLimit are how often the archive is read for more of a log, and for how long without a result.
	archivePoll, archiveLimit = 500 * time.Millisecond, time.Minute
)

// handover is a followed log with timestamps. It reads the log from its pod and, if the pod is lost before the end of the
// log, reads the rest from the archive.
type handover struct {
	ctx     context.Context
	logs    *archivedLogs
	build   *v1alpha1.ImageBuild
	attempt *v1alpha1.BuildAttempt
	options corev1.PodLogOptions

	log io.ReadCloser // the current log, of the pod or the archive
	// mark is the end of the bytes that were read from the pod, and offset is their number.
	mark   []byte
	offset int64
	// archived is the archived log, which log reads after the handover. waited is how long archived has had no new bytes.
	archived *archive.Reader
	waited   time.Duration
}

// Read reads the next bytes, and waits for them.
func (h *handover) Read(buffer []byte) (int, error) {
	for {
		n, err := h.log.Read(buffer)
		h.offset += int64(n)
		if h.archived == nil {
			h.mark = append(h.mark, buffer[:n]...)
			h.mark = append(h.mark[:0], h.mark[max(0, len(h.mark)-handoverMark):]...)
		}
		if n > 0 {
			h.waited = 0
			return n, nil // the next Read returns the error again
		}
		if err == nil {
			continue
		}
		if err = h.goOn(err); err != nil {
			return 0, err
		}
	}
}

// Close closes the current log.
func (h *handover) Close() error { return h.log.Close() }

// goOn continues after the end of the current log: with the archive, or the end of the whole log.
func (h *handover) goOn(end error) error {
	if h.ctx.Err() != nil {
		return end
	}
	if h.archived != nil {
		damaged := errors.Is(end, archive.ErrDamaged) // what is archived later can be read
		if !errors.Is(end, io.EOF) && !damaged {
			return end
		}
		if err := h.awaitMore(); !damaged || !errors.Is(err, io.EOF) {
			return err
		}
		return end
	}
	if errors.Is(end, io.EOF) && h.isWhole() {
		return io.EOF
	}
	if err := h.cross(); err != nil {
		if errors.Is(end, io.EOF) {
			return fmt.Errorf("switch from the pod's log to the archived log: %w", err)
		}
		return errors.Join(end, fmt.Errorf("switch from the pod's log to the archived log: %w", err))
	}
	return nil
}

// isWhole waits until the pod reports the end of its containers, which it does a moment after the end of the log.
func (h *handover) isWhole() bool {
	err := podlog.AwaitEnd(h.ctx, func(ctx context.Context) (bool, error) {
		return h.logs.pods.ended(ctx, h.build, h.attempt)
	})
	return err == nil
}

// cross continues in the archive, at the place where the pod's log ended.
func (h *handover) cross() error {
	if err := h.log.Close(); err != nil { // the log has ended, so no bytes are lost
		klog.FromContext(h.ctx).V(2).Info("closing the log of a pod failed", "namespace", h.build.Namespace, "imagebuild", h.build.Name, "attempt", h.attempt.Number, "err", err)
	}
	return wait.PollUntilContextTimeout(h.ctx, archivePoll, archiveLimit, true, func(context.Context) (bool, error) {
		log, archived, err := h.find()
		if errors.Is(err, archive.ErrNotFound) {
			return false, nil // the archive is a moment behind
		}
		if err != nil {
			return false, err
		}
		h.log, h.archived = log, archived
		return true, nil
	})
}

// find opens the archived log at the place where the pod's log ended. Errors: ErrNotFound if the archive does not have this
// place yet.
func (h *handover) find() (io.ReadCloser, *archive.Reader, error) {
	from, mark := position(h.options), h.mark
	if h.offset == 0 {
		return h.findMark(from, nil)
	}
	if from.TailLines == nil && from.Since.IsZero() {
		from.Offset = h.offset - int64(len(mark))
		if log, archived, err := h.findMark(from, mark); !errors.Is(err, archive.ErrNotFound) {
			return log, archived, err
		}
		// A log that is too long for its node may lack other bytes in the archive, so only its last line is searched.
		mark = mark[bytes.LastIndexByte(bytes.TrimSuffix(mark, []byte{'\n'}), '\n')+1:]
	} else if h.offset > int64(len(mark)) { // it begins within a line
		_, mark, _ = bytes.Cut(mark, []byte{'\n'})
	}
	switch begin := archive.Timestamp(mark); {
	case !begin.IsZero():
		return h.findMark(archive.Position{Since: begin}, mark)
	case from.Offset > 0:
		return nil, nil, archive.ErrNotFound
	}
	return nil, nil, errors.New("the archive cannot find the last line of the pod's log, because the line is too long")
}

// findMark opens the archived log after the first mark that follows a position.
func (h *handover) findMark(from archive.Position, mark []byte) (io.ReadCloser, *archive.Reader, error) {
	name := archivedName(h.build, h.attempt)
	log, err := h.logs.archive.Reader(h.ctx, name, from)
	if err != nil {
		return nil, nil, err
	}
	buffered := bufio.NewReaderSize(log, handoverBuffer)
	if len(mark) > 0 {
		if _, err := archive.SkipPast(buffered, mark); err != nil {
			return nil, nil, errors.Join(err, log.Close())
		}
	}
	return limited{Reader: buffered, Closer: log}, log, nil
}

// awaitMore waits until the archive may have more of the log. The error is io.EOF if there is no more.
func (h *handover) awaitMore() error {
	if h.archived.Summary() != nil {
		return io.EOF
	}
	if h.waited += archivePoll; h.waited > archiveLimit {
		return errors.New("the log does not continue in the archive")
	}
	select {
	case <-h.ctx.Done():
		return h.ctx.Err()
	case <-time.After(archivePoll):
		return nil
	}
}
