// SPDX-License-Identifier: Apache-2.0

package up

import (
	"context"
)

// startAdvisories reads the advisories, if there are any. The server does not wait for them.
func (s *system) startAdvisories(ctx context.Context) error {
	reader, err := s.options.Advisories.Open()
	if err != nil || reader == nil {
		return err
	}
	s.components.start(ctx, "advisories", func(ctx context.Context) error {
		return reader.Run(ctx, func(line string) { s.notice(ctx, line) })
	})
	return nil
}
