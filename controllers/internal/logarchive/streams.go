// SPDX-License-Identifier: Apache-2.0

package logarchive

import (
	"context"
	"fmt"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/archive"
)

// streams reads logs, with at most one stream for each attempt. Its state comes from the archive, and is read again after a
// restart.
type streams struct {
	Options
	// ended gets the build of each stream that has ended.
	ended chan event.GenericEvent
	slots chan struct{}

	// ctx is the context of all streams.
	ctx     context.Context
	stop    context.CancelFunc
	reading sync.WaitGroup

	lock  sync.Mutex
	known map[types.UID]*known
}

// known is the state of a build's logs.
type known struct {
	record  archive.Build // as it was stored last
	streams map[archive.Attempt]*stream
}

func newStreams(options Options) *streams {
	ctx, stop := context.WithCancel(context.Background())
	return &streams{
		Options: options, ended: make(chan event.GenericEvent), slots: make(chan struct{}, maxStreams),
		ctx: ctx, stop: stop, known: map[types.UID]*known{},
	}
}

// Start waits for the end of the manager, then ends all streams, and waits until they have stored what they have read.
func (s *streams) Start(ctx context.Context) error {
	<-ctx.Done()
	s.lock.Lock() // no stream starts from here on
	s.stop()
	s.lock.Unlock()
	s.reading.Wait()
	return nil
}

// storeRecord stores a record, unless it equals the record that was stored last.
func (s *streams) storeRecord(ctx context.Context, record archive.Build) error {
	s.lock.Lock()
	build := s.known[record.UID]
	if build == nil {
		build = &known{streams: map[archive.Attempt]*stream{}}
		s.known[record.UID] = build
	}
	same := build.record.Equal(record)
	s.lock.Unlock()
	if same {
		return nil
	}
	if err := s.Archive.PutBuild(ctx, record); err != nil {
		return archiveError{err}
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	build.record = record
	return nil
}

// refresh stores a record that was read from the API, whatever record was stored last.
func (s *streams) refresh(ctx context.Context, record archive.Build) error {
	if err := s.Archive.PutBuild(ctx, record); err != nil {
		return archiveError{err}
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	if build := s.known[record.UID]; build != nil {
		build.record = record
	}
	return nil
}

// ensureStream starts a stream for an attempt's log, unless the log is complete. It returns the error of the last stream once, and errGoesOn
// while a stream reads.
func (s *streams) ensureStream(build *v1alpha1.ImageBuild, attempt *v1alpha1.BuildAttempt, limit archive.Limit) error {
	s.lock.Lock()
	defer s.lock.Unlock()
	of, name := s.known[build.UID], key(build, attempt)
	seen := of.streams[name]
	if seen == nil {
		seen = newStream(s.Options, build, attempt, limit)
		of.streams[name] = seen
	}
	if attempt.Outcome != "" {
		seen.over.Store(true)
	}
	switch err := seen.err; {
	case seen.whole:
		return nil
	case seen.running:
		return errGoesOn
	case err != nil:
		seen.err = nil
		return fmt.Errorf("attempt %d: %w", attempt.Number, err)
	}
	s.start(seen)
	return errGoesOn
}

// start runs a stream until its log is complete, it fails, or all streams end.
func (s *streams) start(of *stream) {
	if s.ctx.Err() != nil {
		return
	}
	of.running = true
	s.reading.Go(func() {
		err := s.run(s.ctx, of)
		s.lock.Lock()
		of.running, of.err, of.whole = false, err, err == nil
		s.lock.Unlock()
		build := &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Namespace: of.build.Namespace, Name: of.build.Name}}
		select {
		case s.ended <- event.GenericEvent{Object: build}:
		case <-s.ctx.Done():
		}
	})
}

// run waits for a free slot.
func (s *streams) run(ctx context.Context, of *stream) error {
	select {
	case s.slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-s.slots }()
	return of.run(ctx)
}

// forget drops the state of a build.
func (s *streams) forget(uid types.UID) {
	s.lock.Lock()
	defer s.lock.Unlock()
	delete(s.known, uid)
}

// deletedBuilds returns the known builds of this name that no longer exist, except those whose logs a stream still reads.
func (s *streams) deletedBuilds(name types.NamespacedName, now *v1alpha1.ImageBuild) []archive.Build {
	s.lock.Lock()
	defer s.lock.Unlock()
	var gone []archive.Build
	for uid, build := range s.known {
		if build.record.Namespace != name.Namespace || build.record.Name != name.Name || now != nil && now.UID == uid {
			continue
		}
		reading := false
		for _, stream := range build.streams {
			stream.over.Store(true)
			reading = reading || stream.running
		}
		if !reading {
			gone = append(gone, build.record)
		}
	}
	return gone
}
