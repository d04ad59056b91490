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

	"goldsmith.dev/goldsmith/apiserver/internal/images"
	"goldsmith.dev/goldsmith/archive"
	"goldsmith.dev/goldsmith/jobs/podlog"
)

const (
	// handoverMark is how much of the end of what was read from a pod is looked for in the archive.
	handoverMark   = 4 << 10
	handoverBuffer = 64 << 10
	// archivePoll and archiveLimit are how often the archive is asked for more of a log, and for how long without any.
	archivePoll, archiveLimit = 500 * time.Millisecond, time.Minute
)

// handover is a log that is followed, with timestamps: from its pod and, where the pod does not give it to its end, from
// there on from the archive.
type handover struct {
	ctx     context.Context
	logs    *archivedLogs
	build   *images.ImageBuild
	attempt *images.BuildAttempt
	options corev1.PodLogOptions

	log io.ReadCloser // that is read now
	// mark is the end of what was read from the pod, and offset how much that was.
	mark   []byte
	offset int64
	// archived is what log reads once it is the archive's, and waited for how long nothing came from there.
	archived *archive.Reader
	waited   time.Duration
}

// Read reads what comes next. It waits for it.
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
			return n, nil // what comes with the last bytes comes again
		}
		if err == nil {
			continue
		}
		if err = h.goOn(err); err != nil {
			return 0, err
		}
	}
}

// Close ends the reading.
func (h *handover) Close() error { return h.log.Close() }

// goOn is what comes after the end of what is read now: the end of all, or the archive.
func (h *handover) goOn(end error) error {
	if h.ctx.Err() != nil {
		return end
	}
	if h.archived != nil {
		if !errors.Is(end, io.EOF) {
			return end
		}
		return h.awaitMore()
	}
	if errors.Is(end, io.EOF) && h.isWhole() {
		return io.EOF
	}
	if err := h.cross(); err != nil {
		if errors.Is(end, io.EOF) {
			return fmt.Errorf("continue in the archive: %w", err)
		}
		return errors.Join(end, fmt.Errorf("continue in the archive: %w", err))
	}
	return nil
}

// isWhole waits until the pod says that its container has ended, which it does a moment after its log.
func (h *handover) isWhole() bool {
	err := podlog.AwaitEnd(h.ctx, func(ctx context.Context) (bool, error) {
		return h.logs.pods.ended(ctx, h.build, h.attempt)
	})
	return err == nil
}

// cross goes over to the archive, at the place where the pod's log has ended.
func (h *handover) cross() error {
	if err := h.log.Close(); err != nil { // it has ended, so nothing of it is lost
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

// find opens the archived log, and what reads it, where the pod's has ended. ErrNotFound if the archive does not have it yet.
func (h *handover) find() (io.ReadCloser, *archive.Reader, error) {
	name, from, mark := archivedName(h.build, h.attempt), position(h.options), h.mark
	switch {
	case h.offset == 0:
	case from.TailLines == nil && from.Since.IsZero():
		from.Offset = h.offset - int64(len(mark))
	default:
		if h.offset > int64(len(mark)) { // it begins within a line
			_, mark, _ = bytes.Cut(mark, []byte{'\n'})
		}
		from = archive.Position{Since: archive.Timestamp(mark)}
		if from.Since.IsZero() {
			return nil, nil, errors.New("the last line from the pod is too long to be found in the archive")
		}
	}
	log, err := h.logs.archive.Reader(h.ctx, name, from)
	if err != nil {
		return nil, nil, err
	}
	buffered := bufio.NewReaderSize(log, handoverBuffer)
	if h.offset > 0 {
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
