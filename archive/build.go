// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"
)

// Build is what the archive knows of a build: enough to keep and to find its logs once the object is gone.
type Build struct {
	Namespace string    `json:"namespace"`
	Name      string    `json:"name"`
	UID       types.UID `json:"uid"`
	// Image and ImageUID are the Image's that asked for it; empty for a build of its own.
	Image    string    `json:"image,omitempty"`
	ImageUID types.UID `json:"imageUID,omitempty"`
	// Finished is when; nil while it runs.
	Finished *time.Time `json:"finished,omitempty"`
	// Succeeded says how it finished.
	Succeeded bool `json:"succeeded,omitempty"`
	// Retention is how long after Finished its logs are kept; nil is for ever.
	Retention *time.Duration `json:"retention,omitempty"`
	// Held says that a legal hold keeps its logs, whatever the retention.
	Held bool `json:"held,omitempty"`
	// ImageSettings are what the Image set last, for a build that outlives it; nil without an Image.
	ImageSettings *ImageSettings `json:"imageSettings,omitempty"`
	// Expired is when Sweep found that the retention was over. PutBuild never takes it back.
	Expired *time.Time `json:"expired,omitempty"`
}

// ImageSettings are what an Image sets for the logs of its builds.
type ImageSettings struct {
	// Held says that a legal hold of the Image keeps the logs.
	Held bool `json:"held,omitempty"`
	// RetentionSucceeded and RetentionFailed are how long logs are kept, by how the build ended; nil is for ever.
	RetentionSucceeded *time.Duration `json:"retentionSucceeded,omitempty"`
	RetentionFailed    *time.Duration `json:"retentionFailed,omitempty"`
	// MaxBytes is how much of a log is kept.
	MaxBytes int64 `json:"maxBytes,omitempty"`
}

// PutBuild stores what the archive is to know of a build. It writes nothing if nothing has changed. A build that is
// expired stays so, whatever Expired says here.
func (s *Store) PutBuild(ctx context.Context, build Build) error {
	key, err := buildKey(build.Namespace, build.UID)
	if err != nil {
		return err
	}
	unlock, err := s.lockBuild(ctx, key)
	if err != nil {
		return fmt.Errorf("log archive: write %q: %w", key, err)
	}
	defer unlock()
	return s.putBuild(ctx, key, build)
}

// putBuild is PutBuild, for who has the lock.
func (s *Store) putBuild(ctx context.Context, key string, build Build) error {
	var before Build
	switch err := s.getJSON(ctx, key, &before); {
	case errors.Is(err, ErrNotFound):
		return s.putJSON(ctx, key, build)
	case err != nil:
		return err
	}
	if before.Expired != nil {
		build.Expired = before.Expired
	}
	if before.Equal(build) {
		return nil
	}
	return s.putJSON(ctx, key, build)
}

// Equal reports whether two builds say the same. Times are compared as times, not as clocks and zones.
func (b Build) Equal(other Build) bool {
	same := func(a, b *time.Time) bool { return (a == nil) == (b == nil) && (a == nil || a.Equal(*b)) }
	if !same(b.Finished, other.Finished) || !same(b.Expired, other.Expired) {
		return false
	}
	b.Finished, b.Expired = other.Finished, other.Expired
	return equality.Semantic.DeepEqual(b, other)
}

// GetBuild reads what PutBuild stored; ErrNotFound if there is nothing.
func (s *Store) GetBuild(ctx context.Context, namespace string, uid types.UID) (*Build, error) {
	key, err := buildKey(namespace, uid)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	var build Build
	if err := s.getJSON(ctx, key, &build); err != nil {
		return nil, err
	}
	return &build, nil
}

func buildKey(namespace string, uid types.UID) (string, error) {
	prefix, err := buildPrefix(namespace, uid)
	return prefix + buildName, err
}

// Attempts are those of a build that the archive has something of, in order. None is no error.
func (s *Store) Attempts(ctx context.Context, namespace string, build types.UID) ([]Attempt, error) {
	prefix, err := buildPrefix(namespace, build)
	if err != nil {
		return nil, err
	}
	var attempts []Attempt
	err = s.list(ctx, prefix, "/", func(e entry) {
		name, isFolder := strings.CutSuffix(strings.TrimPrefix(e.key, prefix), "/")
		if number, pod, ok := parseAttempt(name); isFolder && ok {
			attempts = append(attempts, Attempt{Namespace: namespace, Build: build, Number: number, Pod: pod})
		}
	})
	slices.SortFunc(attempts, func(a, b Attempt) int {
		return cmp.Or(cmp.Compare(a.Number, b.Number), cmp.Compare(a.Pod, b.Pod))
	})
	return attempts, err
}
