// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// sweepers is how many builds are looked at at a time.
	sweepers = 8
	// temporaryFor is how long a temporary file of a directory may be in use.
	temporaryFor = 24 * time.Hour
)

// Sweep deletes the logs of builds whose retention is over, unless they are held: Finished + Retention is before now. It
// marks the build as expired, calls found, and then deletes the objects of its attempts; build.json stays, and says when. So
// found may be called again for the same build, after a crash or an error; while it fails, the objects stay.
//
// It calls found, which may be nil, for each build as well that has logs and has not finished: somebody may know that it is
// gone. Up to 8 calls run at a time.
//
// deleted is how many builds it deleted logs of. After an error it goes on with the next build; err joins them all.
func (s *Store) Sweep(ctx context.Context, found func(context.Context, Build) error) (deleted int, err error) {
	builds, temporary, err := s.withLogs(ctx)
	if err != nil {
		return 0, err
	}
	var mu sync.Mutex
	var failures []error
	var group errgroup.Group
	group.SetLimit(sweepers)
	for _, key := range builds {
		group.Go(func() error {
			done, err := s.sweepBuild(ctx, key, found)
			mu.Lock()
			defer mu.Unlock()
			if done {
				deleted++
			}
			failures = append(failures, err)
			return nil
		})
	}
	_ = group.Wait()
	for _, key := range temporary {
		failures = append(failures, s.remove(ctx, key))
	}
	return deleted, errors.Join(failures...)
}

// withLogs lists the prefixes of all builds of which there is more than a build.json, and temporary files that a crash
// left. One list of all is the cheapest: builds whose logs are gone cost nothing else.
func (s *Store) withLogs(ctx context.Context) (builds, temporary []string, err error) {
	oldest := s.clock.Now().Add(-temporaryFor)
	err = s.list(ctx, root, "", func(e entry) {
		if strings.HasSuffix(e.key, ".tmp") && e.modified.Before(oldest) {
			temporary = append(temporary, e.key)
		}
		segments := strings.SplitAfterN(e.key, "/", 5) // v1/, namespace/, uid/, attempt/, chunk
		if len(segments) < 5 {
			return
		}
		prefix := e.key[:len(e.key)-len(segments[3])-len(segments[4])]
		if len(builds) == 0 || builds[len(builds)-1] != prefix {
			builds = append(builds, prefix)
		}
	})
	return builds, temporary, err
}

// sweepBuild deletes a build's logs if they are expired.
func (s *Store) sweepBuild(ctx context.Context, prefix string, found func(context.Context, Build) error) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	build, over, err := s.expire(ctx, prefix)
	if build == nil || err != nil {
		return false, err
	}
	if found != nil && (over || build.Finished == nil) {
		err = found(ctx, *build)
	}
	if !over || err != nil {
		return false, err
	}
	return s.deleteLogs(ctx, prefix)
}

// expire returns a build, nil if there is none, and marks it as expired if its logs are to be deleted.
func (s *Store) expire(ctx context.Context, prefix string) (found *Build, over bool, err error) {
	unlock, err := s.lockBuild(ctx, prefix+buildName)
	if err != nil {
		return nil, false, err
	}
	defer unlock()
	var build Build
	switch err := s.getJSON(ctx, prefix+buildName, &build); {
	case errors.Is(err, ErrNotFound):
		return nil, false, nil // its first attempt has just begun
	case err != nil:
		return nil, false, err
	}
	now := s.clock.Now().UTC()
	over = build.isOver(now)
	if over && build.Expired == nil {
		build.Expired = &now
		if err := s.putJSON(ctx, prefix+buildName, build); err != nil {
			return nil, false, err
		}
	}
	return &build, over, nil
}

// isOver reports whether a build's logs are to be deleted. What is expired stays so, but a hold stops what is not deleted yet.
func (b Build) isOver(now time.Time) bool {
	if b.Held {
		return false
	}
	return b.Expired != nil || b.Finished != nil && b.Retention != nil && b.Finished.Add(*b.Retention).Before(now)
}

// deleteLogs deletes all objects of a build but its build.json, unless a hold came meanwhile.
func (s *Store) deleteLogs(ctx context.Context, prefix string) (bool, error) {
	unlock, err := s.lockBuild(ctx, prefix+buildName)
	if err != nil {
		return false, err
	}
	defer unlock()
	var build Build
	if err := s.getJSON(ctx, prefix+buildName, &build); err != nil || build.Held {
		return false, err
	}
	var keys []string
	if err := s.list(ctx, prefix, "", func(e entry) { keys = append(keys, e.key) }); err != nil {
		return false, err
	}
	for _, key := range keys {
		if strings.TrimPrefix(key, prefix) == buildName {
			continue
		}
		if err := s.remove(ctx, key); err != nil {
			return false, err
		}
	}
	return true, nil
}
