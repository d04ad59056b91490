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

// Build is the archive's record of a build, with which its logs are kept and found after the object is deleted.
type Build struct {
	Namespace string    `json:"namespace"`
	Name      string    `json:"name"`
	UID       types.UID `json:"uid"`
	// NamespaceUID is the UID of the namespace that the build belongs to. It is empty if it is unknown. PutBuild never clears it.
	NamespaceUID types.UID `json:"namespaceUID,omitempty"`
	// Image and ImageUID are the name and UID of the build's Image. They are empty for a build without an Image.
	Image    string    `json:"image,omitempty"`
	ImageUID types.UID `json:"imageUID,omitempty"`
	// Finished is when the build finished. It is nil while the build runs.
	Finished *time.Time `json:"finished,omitempty"`
	// Succeeded is whether the build succeeded.
	Succeeded bool `json:"succeeded,omitempty"`
	// Retention is how long after Finished the logs are kept. Nil keeps them forever.
	Retention *time.Duration `json:"retention,omitempty"`
	// Held is whether a legal hold keeps the logs, whatever the retention.
	Held bool `json:"held,omitempty"`
	// ImageSettings are the last settings of the Image, for a build that outlives the Image. It is nil without an Image.
	ImageSettings *ImageSettings `json:"imageSettings,omitempty"`
	// Expired is when Sweep found that the retention was over. PutBuild never clears it.
	Expired *time.Time `json:"expired,omitempty"`
}

// ImageSettings are what an Image sets for the logs of its builds.
type ImageSettings struct {
	// Held is whether a legal hold of the Image keeps the logs.
	Held bool `json:"held,omitempty"`
	// RetentionSucceeded and RetentionFailed are how long logs are kept, by the outcome of the build. Nil keeps them forever.
	RetentionSucceeded *time.Duration `json:"retentionSucceeded,omitempty"`
	RetentionFailed    *time.Duration `json:"retentionFailed,omitempty"`
	// MaxBytes is the maximum size of a log.
	MaxBytes int64 `json:"maxBytes,omitempty"`
}

// PutBuild stores the record of a build. It writes nothing if the record has not changed. An expired build stays expired, whatever
// build.Expired is. It replaces a damaged record, which would prevent that the log is archived.
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

// putBuild is PutBuild for a caller that has the lock.
func (s *Store) putBuild(ctx context.Context, key string, build Build) error {
	var before Build
	switch err := s.getJSON(ctx, key, &before); {
	case errors.Is(err, ErrNotFound) || errors.Is(err, ErrDamaged):
		return s.putJSON(ctx, key, build)
	case err != nil:
		return err
	}
	if before.Expired != nil {
		build.Expired = before.Expired
	}
	build.NamespaceUID = cmp.Or(build.NamespaceUID, before.NamespaceUID)
	if before.Equal(build) {
		return nil
	}
	return s.putJSON(ctx, key, build)
}

// Equal reports whether two records are equal. Times are equal if they are the same instant.
func (b Build) Equal(other Build) bool {
	same := func(a, b *time.Time) bool { return (a == nil) == (b == nil) && (a == nil || a.Equal(*b)) }
	if !same(b.Finished, other.Finished) || !same(b.Expired, other.Expired) {
		return false
	}
	b.Finished, b.Expired = other.Finished, other.Expired
	return equality.Semantic.DeepEqual(b, other)
}

// GetBuild reads the record of a build. Errors: ErrNotFound if there is none, and ErrDamaged.
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

// Attempts lists the attempts of a build of which the archive has a log, in order. It is no error if there are none.
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
