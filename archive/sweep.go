// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"context"
	"errors"
	"path"
	"slices"
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
// as expired, and then deletes the objects of its attempts. build.json stays, with the time of the expiry.
//
// A build.json may be out of date. So Sweep calls found before it marks a build, and again, with Expired set, before it deletes
// the logs. found brings the record up to date with PutBuild, and reports whether a legal hold keeps the logs. While found
// fails, Sweep neither marks nor deletes. After a crash or an error, found may be called again for the same build. Without
// found, which may be nil, the records count as they are.
//
// Sweep also calls found for each build with logs that has not finished, because its object may be deleted. Up to 8 calls run
// at the same time.
//
// deleted is the number of builds whose logs were deleted. After an error Sweep continues with the next build. err joins all
// errors.
func (s *Store) Sweep(ctx context.Context, found Found) (deleted int, err error) {
	if found == nil {
		found = func(context.Context, Build) (bool, error) { return false, nil }
	}
	builds, garbage, err := s.withLogs(ctx)
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
	for _, key := range garbage {
		failures = append(failures, s.remove(ctx, key))
	}
	return deleted, errors.Join(failures...)
}

// Found is called for a build that Sweep finds: see there.
type Found func(context.Context, Build) (held bool, err error)

// withLogs lists the prefixes of all builds that have more objects than build.json. It also lists garbage: temporary files of
// crashed writers, and chunks of sealed logs that other chunks cover, which could not be deleted before. One list of all objects
// is the cheapest, because builds without logs then cost no further request.
func (s *Store) withLogs(ctx context.Context) (builds, garbage []string, err error) {
	oldest := s.clock.Now().Add(-temporaryFor)
	var attempt string
	var chunks []span
	err = s.list(ctx, root, "", func(e entry) {
		if strings.HasSuffix(e.key, temporarySuffix) && e.modified.Before(oldest) {
			garbage = append(garbage, e.key)
		}
		folder, name := path.Split(e.key)
		if folder != attempt {
			attempt, chunks = folder, nil
		}
		if chunk, ok := parseSpan(name); ok {
			chunks = append(chunks, chunk)
		}
		if name == sealName { // which comes after all chunks
			garbage = append(garbage, coveredKeys(folder, chunks)...)
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
	return builds, garbage, err
}

// coveredKeys returns the keys of the chunks that other chunks cover.
func coveredKeys(folder string, chunks []span) (keys []string) {
	kept := newSpans(slices.Clone(chunks))
	for _, chunk := range chunks {
		if !slices.Contains(kept, chunk) {
			keys = append(keys, folder+chunk.name())
		}
	}
	return keys
}

// sweepBuild deletes a build's logs if they are expired.
func (s *Store) sweepBuild(ctx context.Context, prefix string, found Found) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	var build Build
	switch err := s.getJSON(ctx, prefix+buildName, &build); {
	case errors.Is(err, ErrNotFound):
		return false, nil // its first attempt has just begun
	case err != nil:
		return false, err
	}
	over := build.isOver(s.clock.Now())
	if !over && build.Finished != nil {
		return false, nil
	}
	held, err := found(ctx, build)
	if !over || held || err != nil {
		return false, err
	}
	marked, err := s.expire(ctx, prefix)
	if marked == nil || err != nil {
		return false, err
	}
	if held, err := found(ctx, *marked); held || err != nil {
		return false, err
	}
	return s.deleteLogs(ctx, prefix)
}

// expire marks a build as expired, and returns its record. It returns nil if the logs are to be kept after all.
func (s *Store) expire(ctx context.Context, prefix string) (*Build, error) {
	unlock, err := s.lockBuild(ctx, prefix+buildName)
	if err != nil {
		return nil, err
	}
	defer unlock()
	var build Build
	if err := s.getJSON(ctx, prefix+buildName, &build); err != nil {
		return nil, err
	}
	now := s.clock.Now().UTC()
	if !build.isOver(now) {
		return nil, nil
	}
	if build.Expired == nil {
		build.Expired = &now
		if err := s.putJSON(ctx, prefix+buildName, build); err != nil {
			return nil, err
		}
	}
	return &build, nil
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
