// SPDX-License-Identifier: Apache-2.0

package buildlog

import (
	"context"
	"errors"
	"fmt"
	"io"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/internalversion"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/apimachinery/pkg/watch"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/store"
	"goldsmith.dev/goldsmith/archive"
	"goldsmith.dev/goldsmith/jobs/podlog"
)

// follower reads the logs of a build's attempts in order while they are written. Between two attempts it watches the build,
// without polling. It ends when the build has finished and every log was read, or when its context is done. Like every
// reader, it is not safe for concurrent use.
type follower struct {
	ctx     context.Context
	stop    context.CancelFunc
	builds  builds
	logs    Source
	options corev1.PodLogOptions

	build   *v1alpha1.ImageBuild // the last observed version
	deleted bool
	changes watch.Interface // nil until the follower waits

	number  int32         // the attempt whose log is read now, or next
	only    bool          // only the log of this attempt was requested
	log     io.ReadCloser // nil between two attempts
	started bool          // a log was opened
	broken  error         // how the last log broke off
}

// follow opens a follower. It fails at once if no requested log is available any more.
func (l *logResponse) follow(ctx context.Context) (io.ReadCloser, error) {
	ctx, stop := context.WithCancel(ctx)
	f := &follower{
		ctx: ctx, stop: stop, builds: l.builds, logs: l.logs, options: podLogOptions(l.options),
		build: l.build, number: max(1, l.build.Status.CurrentAttempt),
	}
	if l.options.Attempt != nil {
		f.number, f.only = *l.options.Attempt, true
	}
	attempt := f.current()
	if attempt != nil && attempt.PodUID != "" {
		if _, err := f.open(attempt); err != nil {
			stop()
			return nil, err
		}
	}
	if f.log == nil && f.over() {
		stop()
		return l.nothing(attempt), nil
	}
	return f, nil
}

// Read reads the next bytes of the logs.
func (f *follower) Read(buffer []byte) (int, error) {
	for {
		if f.log == nil {
			if err := f.next(); err != nil {
				return 0, err
			}
		}
		n, err := f.log.Read(buffer)
		if err != nil && f.ctx.Err() == nil {
			err = f.endLog(err)
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

// Close closes the current log. The context ends a Read that waits.
func (f *follower) Close() error {
	f.stop()
	if f.changes != nil {
		f.changes.Stop()
	}
	if f.log == nil {
		return nil
	}
	return f.log.Close()
}

// endLog ends the current log. A log that breaks off, for example because its node is lost, is followed by the log of the
// next attempt.
func (f *follower) endLog(reason error) error {
	if !errors.Is(reason, io.EOF) {
		utilruntime.HandleErrorWithContext(f.ctx, reason, "A followed log broke off",
			"imagebuild", f.build.Namespace+"/"+f.build.Name, "attempt", f.number)
		attempt := f.current()
		if over := f.over() || attempt != nil && attempt.Outcome != ""; !over || !errors.Is(reason, podlog.ErrKubelet) { // see kubeletEnd
			f.broken = fmt.Errorf("read the log of attempt %d of imagebuild %s: %w", f.number, f.build.Name, reason)
		}
	}
	log := f.log
	f.log = nil
	f.number++
	if err := log.Close(); err != nil {
		return fmt.Errorf("close the log of attempt %d of imagebuild %s: %w", f.number-1, f.build.Name, err)
	}
	return nil
}

// next opens the next log as soon as it exists. The error is io.EOF if there will be no further log.
func (f *follower) next() error {
	for {
		attempt := f.current()
		switch {
		case f.only && f.started, attempt == nil && (f.only || f.over()):
			return f.end()
		case attempt != nil && attempt.PodUID != "":
			opened, err := f.open(attempt)
			if opened || err != nil {
				return err
			}
		}
		if attempt != nil && (attempt.Outcome != "" || f.over()) {
			f.number++ // it will never have a log
			if f.only {
				return f.end()
			}
			continue
		}
		if err := f.wait(); err != nil {
			return err
		}
	}
}

// end is io.EOF, or how the last log broke off, so that the client knows that the log is incomplete.
func (f *follower) end() error {
	if f.broken != nil {
		return f.broken
	}
	return io.EOF
}

// open opens the log of an attempt. A log that does not exist yet, or any more, is an error only if no other log follows.
func (f *follower) open(attempt *v1alpha1.BuildAttempt) (opened bool, err error) {
	log, err := f.logs.Open(f.ctx, f.build, attempt, f.options)
	switch {
	case errors.Is(err, ErrNotStarted):
		return false, nil
	case errors.Is(err, ErrGone) && (f.started || f.more()):
		return false, nil
	case err != nil:
		return false, logError(err, f.build, attempt)
	}
	f.log, f.started = log, true
	if !errors.Is(f.broken, archive.ErrDamaged) { // which another request does not mend
		f.broken = nil
	}
	f.options.TailLines = nil // counts from the end of the first log; later logs are read from their beginning
	return true, nil
}

func (f *follower) current() *v1alpha1.BuildAttempt {
	return attemptOf(f.build, f.number)
}

// more reports whether another attempt's log follows, or may follow.
func (f *follower) more() bool {
	return !f.only && (!f.over() || f.number < f.build.Status.CurrentAttempt)
}

// over reports whether the build will not change any more.
func (f *follower) over() bool {
	return f.deleted || f.build.Status.Phase.Finished()
}

// wait returns once the build has changed.
func (f *follower) wait() error {
	if f.changes == nil {
		if err := f.watch(); err != nil {
			return err
		}
	}
	for {
		select {
		case <-f.ctx.Done():
			return f.ctx.Err()
		case event, open := <-f.changes.ResultChan():
			switch {
			case !open || event.Type == watch.Error:
				return f.refresh()
			case event.Type == watch.Deleted:
				f.deleted = true
				return nil
			case event.Type == watch.Added || event.Type == watch.Modified:
				return f.see(event.Object)
			}
		}
	}
}

// watch starts to watch the build from its last observed version.
func (f *follower) watch() error {
	changes, err := f.builds.Watch(f.ctx, &internalversion.ListOptions{
		FieldSelector:   fields.OneTermEqualSelector("metadata.name", f.build.Name),
		ResourceVersion: f.build.ResourceVersion,
	})
	if err != nil {
		return fmt.Errorf("watch imagebuild %s: %w", f.build.Name, err)
	}
	f.changes = changes
	return nil
}

// refresh reads the build again, because the watch ended before the build.
func (f *follower) refresh() error {
	if err := f.ctx.Err(); err != nil {
		return err
	}
	f.changes.Stop()
	f.changes = nil
	build, err := store.Get[*v1alpha1.ImageBuild](f.ctx, f.builds, f.build.Name)
	switch {
	case apierrors.IsNotFound(err):
		f.deleted = true
		return nil
	case err != nil:
		return fmt.Errorf("follow imagebuild %s: %w", f.build.Name, err)
	}
	return f.see(build)
}

func (f *follower) see(object runtime.Object) error {
	if shared, ok := object.(runtime.CacheableObject); ok {
		object = shared.GetObject() // the object is shared between watchers
	}
	build, err := store.As[*v1alpha1.ImageBuild](object)
	if err != nil {
		return fmt.Errorf("follow imagebuild %s: %w", f.build.Name, err)
	}
	if build.UID != f.build.UID {
		f.deleted = true // another build has its name
		return nil
	}
	f.build = build
	return nil
}
