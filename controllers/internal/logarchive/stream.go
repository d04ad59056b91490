// SPDX-License-Identifier: Apache-2.0

package logarchive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/archive"
	"goldsmith.dev/goldsmith/controllers/internal/reconciliation"
	"goldsmith.dev/goldsmith/jobs/podlog"
	"goldsmith.dev/goldsmith/jobs/state"
)

// lastFlush is how long a stream may take at its end to store the rest of what it has read.
const lastFlush = 5 * time.Second

// gone is why the log of a deleted pod counts as incomplete.
const gone = "the pod's log became unavailable before its end was confirmed"

// stream reads the log of one attempt into the archive.
type stream struct {
	Options
	build   types.NamespacedName
	attempt archive.Attempt
	limit   archive.Limit
	pod     string

	// over is whether the attempt's outcome is decided. A pod that is silent or does not answer after that counts as lost.
	over atomic.Bool
	// failingSince is since when reading the pod's log fails. It is zero if reading works.
	failingSince time.Time
	// refused is whether a refused deletion was logged.
	refused bool

	// streams owns the following fields.
	running, whole bool
	err            error
}

func newStream(options Options, build *v1alpha1.ImageBuild, attempt *v1alpha1.BuildAttempt, limit archive.Limit) *stream {
	return &stream{Options: options, build: client.ObjectKeyFromObject(build), attempt: key(build, attempt), limit: limit, pod: attempt.PodName}
}

var (
	errSilent = errors.New("the node sent neither more lines nor the end of the log after the attempt ended")
	errMoved  = errors.New("the log ended before the containers ended")
)

// run reads the log to its end, and seals it.
func (s *stream) run(ctx context.Context) error {
	w, err := s.Archive.Writer(ctx, s.attempt, s.limit)
	if err != nil {
		return archiveError{err}
	}
	if w.Sealed() {
		return nil
	}
	if w.Damaged() {
		if w, err = s.repair(ctx, w); err != nil {
			return archiveError{err}
		}
	}
	for {
		pod, err := s.getPod(ctx)
		if err != nil {
			s.failingSince = time.Time{} // while the API is unavailable, the state of the pod is unknown
			return err
		}
		if pod == nil {
			return s.seal(ctx, w, archive.Seal{InPart: true, Why: gone})
		}
		ended := state.Ended(pod)
		err = s.read(ctx, w, pod)
		failed := errors.Is(err, podlog.ErrKubelet)
		switch {
		case err == nil && ended:
			return s.seal(ctx, w, archive.Seal{})
		case failed && ended:
			return s.seal(ctx, w, archive.Seal{InPart: true, Why: gone})
		case ended && apierrors.IsGone(err):
			return s.seal(ctx, w, archive.Seal{InPart: true, Why: podlog.GoneReason(err), Gone: true})
		case err == nil, failed:
			// Even after an error of the kubelet, the node may have the whole log once the container has ended.
			if waited := s.awaitEnd(ctx); err == nil || waited == nil {
				err = waited
			}
		}
		if err != nil && !errors.Is(err, errMoved) {
			if s.isLost(ctx, err) {
				return s.seal(ctx, w, archive.Seal{InPart: true, Why: "the end of the log could not be read: " + err.Error()})
			}
			return err
		}
		s.failingSince = time.Time{}
	}
}

// repair stores lost parts of a log again, while the pod has them. It returns the writer that continues the log.
func (s *stream) repair(ctx context.Context, w *archive.Writer) (*archive.Writer, error) {
	switch err := s.Archive.Verify(ctx, s.attempt, nil, s.origin); {
	case errors.Is(err, archive.ErrDamaged):
		s.Metrics.Errors.Inc()
		ctrl.LoggerFrom(ctx).Error(err, "a part of a log is lost in the archive, and its pod does not have it", "log", s.attempt.String())
		return w, nil
	case err != nil:
		return nil, err
	}
	return s.Archive.Writer(ctx, s.attempt, s.limit)
}

// origin opens the pod's log from its beginning.
func (s *stream) origin(ctx context.Context) (io.ReadCloser, error) {
	pod, err := s.getPod(ctx)
	if err != nil {
		return nil, err
	}
	if pod == nil {
		return nil, errors.New(gone)
	}
	return s.open(ctx, pod, false, &atomic.Int64{})
}

// seal marks the log as ended.
func (s *stream) seal(ctx context.Context, w *archive.Writer, seal archive.Seal) error {
	seal.Origin = s.origin
	if _, err := w.Seal(ctx, seal); err != nil {
		return archiveError{err}
	}
	s.reportUndeleted(ctx, w)
	return nil
}

// reportUndeleted counts a deletion that the archive refuses, and logs the first of a stream. The log is archived all the same.
func (s *stream) reportUndeleted(ctx context.Context, w *archive.Writer) {
	objects, err := w.LeftGarbage()
	if err == nil {
		return
	}
	s.Metrics.Errors.Inc()
	if !s.refused {
		ctrl.LoggerFrom(ctx).Error(err, "the log archive refuses deletions, so it keeps objects that are not needed any more", "log", s.attempt.String(), "objects", objects)
	}
	s.refused = true
}

// isLost reports whether to give up a pod's log because of an error of the pod.
func (s *stream) isLost(ctx context.Context, err error) bool {
	if ctx.Err() != nil || errors.As(err, &archiveError{}) {
		return false
	}
	if s.failingSince.IsZero() {
		s.failingSince = s.Clock.Now()
	}
	return s.over.Load() && (errors.Is(err, errSilent) || s.Clock.Since(s.failingSince) >= s.patience)
}

// getPod returns the attempt's pod, or nil if it was deleted.
func (s *stream) getPod(ctx context.Context) (*corev1.Pod, error) {
	return reconciliation.ReadLive(ctx, s.Kube.CoreV1().Pods(s.build.Namespace).Get, s.build.Namespace, s.pod, s.attempt.Pod)
}

// awaitEnd waits until the pod reports the end of its containers, which it does a moment after the end of the log.
func (s *stream) awaitEnd(ctx context.Context) error {
	err := podlog.AwaitEnd(ctx, func(ctx context.Context) (bool, error) {
		pod, err := s.getPod(ctx)
		return err == nil && (pod == nil || state.Ended(pod)), err
	})
	if wait.Interrupted(err) && ctx.Err() == nil {
		return errMoved
	}
	return err
}

// read stores the part of the pod's log that the archive does not have. It also stores what a pod that has not ended writes later.
func (s *stream) read(ctx context.Context, w *archive.Writer, pod *corev1.Pod) error {
	if w.Accepted() == 0 {
		return s.copy(ctx, w, pod, 0)
	}
	if err := w.Flush(ctx); err != nil {
		return archiveError{err}
	}
	skip, err := s.find(ctx, w, pod)
	if err != nil {
		return err
	}
	return s.copy(ctx, w, pod, skip)
}

// open opens the log of the pod, as it was observed last, until ctx is done. progress counts the bytes that are read.
func (s *stream) open(ctx context.Context, pod *corev1.Pod, follow bool, progress *atomic.Int64) (io.ReadCloser, error) {
	log, err := podlog.Open(ctx, s.Kube.CoreV1().Pods(s.build.Namespace), pod, corev1.PodLogOptions{Follow: follow, Timestamps: true})
	if err != nil {
		return nil, fmt.Errorf("read the log of pod %s: %w", s.pod, err)
	}
	return &countedLog{ReadCloser: log, progress: progress}, nil
}

// countedLog counts the bytes that are read from a log.
type countedLog struct {
	io.ReadCloser
	progress *atomic.Int64
}

// Read reads the log.
func (l *countedLog) Read(buffer []byte) (int, error) {
	n, err := l.ReadCloser.Read(buffer)
	l.progress.Add(int64(n))
	return n, err
}

// copy stores the pod's log without its first skip bytes. Every other second it flushes them to the archive.
func (s *stream) copy(ctx context.Context, w *archive.Writer, pod *corev1.Pod, skip int64) error {
	group, reading := errgroup.WithContext(ctx)
	progress := &atomic.Int64{}
	done := make(chan struct{})
	var lock sync.Mutex
	group.Go(func() error {
		defer close(done)
		log, err := s.open(reading, pod, !state.Ended(pod), progress)
		if err != nil {
			return err
		}
		defer func() { _ = log.Close() }() // nothing is written to it
		if _, err := io.CopyN(io.Discard, log, skip); err != nil {
			return endOf(err)
		}
		buffer := make([]byte, 32<<10)
		for {
			n, err := log.Read(buffer)
			lock.Lock()
			before := w.Text()
			stored := w.Write(reading, buffer[:n])
			s.Metrics.Bytes.Add(float64(max(0, w.Text()-before)))
			lock.Unlock()
			if stored != nil {
				return archiveError{stored}
			}
			if err != nil {
				return endOf(err)
			}
		}
	})
	group.Go(func() error {
		return s.flush(reading, done, progress, func() error {
			lock.Lock()
			defer lock.Unlock()
			if err := w.Flush(reading); err != nil {
				return err
			}
			s.reportUndeleted(reading, w)
			return nil
		})
	})
	err := group.Wait()
	return errors.Join(err, s.lastFlush(ctx, w, err))
}

// endOf is nil for the end of a log.
func endOf(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return fmt.Errorf("read a log: %w", err)
}

// lastFlush stores the bytes that were read before the process ended or the log failed.
func (s *stream) lastFlush(ctx context.Context, w *archive.Writer, err error) error {
	if errors.As(err, &archiveError{}) {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastFlush)
	defer cancel()
	return ofArchive(w.Flush(ctx))
}

// flush calls flush every other second until done is closed. It returns errSilent if the log of an ended attempt is silent.
func (s *stream) flush(ctx context.Context, done <-chan struct{}, progress *atomic.Int64, flush func() error) error {
	ticker := time.NewTicker(s.flushInterval)
	defer ticker.Stop()
	var silent time.Duration
	for before := int64(0); ; {
		select {
		case <-done:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
		if err := flush(); err != nil {
			return archiveError{err}
		}
		silent += s.flushInterval
		if now := progress.Load(); now != before || !s.over.Load() {
			before, silent = now, 0
		}
		if silent >= s.patience {
			return errSilent
		}
	}
}
