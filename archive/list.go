// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"context"
	"errors"
)

// Builds calls each with every build of which there is a log. After an error it goes on with the next build; the error joins
// them all.
func (s *Store) Builds(ctx context.Context, each func(context.Context, Build) error) error {
	builds, _, err := s.withLogs(ctx)
	failures := []error{err}
	for _, prefix := range builds {
		if err := ctx.Err(); err != nil {
			return err
		}
		var build Build
		err := s.getJSON(ctx, prefix+buildName, &build)
		if errors.Is(err, ErrNotFound) {
			continue // its first attempt has just begun
		}
		if err == nil {
			err = each(ctx, build)
		}
		failures = append(failures, err)
	}
	return errors.Join(failures...)
}
