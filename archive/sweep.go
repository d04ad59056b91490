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
	// sweepers is how many builds are swept at the same time.
	sweepers = 8
	// temporaryFor is how long a temporary file of a directory may be in use.
	temporaryFor = 24 * time.Hour
)

// Sweep deletes the logs of builds whose retention has passed since they finished, unless they are held. It marks the build
// as expired, calls found, and then deletes the objects of its attempts. build.json stays, with the time of the expiry. After
// a crash or an error, found may be called again for the same build. While found fails, the objects stay.
//
// Sweep also calls found, which may be nil, for each build with logs that has not finished, because its object may be
// deleted. Up to 8 calls run at the same time.
//
// deleted is the number of builds whose logs were deleted. After an error Sweep continues with the next build. err joins all
// errors.
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

// withLogs lists the prefixes of all builds that have more objects than build.json, and temporary files of crashed writers.
// One list of all objects is the cheapest, because builds without logs then cost no further request.
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

// expire returns a build, or nil if there is no record of it, and marks it as expired if its logs are to be deleted.
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

// isOver reports whether a build's logs are to be deleted. An expired build stays expired, but a legal hold keeps the logs
// that are not deleted yet.
func (b Build) isOver(now time.Time) bool {
	if b.Held {
		return false
	}
	return b.Expired != nil || b.Finished != nil && b.Retention != nil && b.Finished.Add(*b.Retention).Before(now)
}

// deleteLogs deletes all objects of a build except build.json, unless the build has come under legal hold meanwhile.
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
