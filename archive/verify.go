// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"cmp"
	"context"
	"fmt"
)

// Verify reads every chunk of a log. The summary is nil if the log is not sealed. It reads chunks that are damaged or lost from origin, which may be nil, and stores them again.
// A chunk keeps its name, so a crash leaves nothing to undo. The error is ErrDamaged, with the first chunk, if a chunk is damaged or lost
// after all.
func (s *Store) Verify(ctx context.Context, attempt Attempt, summary *Summary, origin Origin) error {
	r, err := s.reader(ctx, attempt, summary, Position{}, origin)
	if err != nil {
		return err
	}
	var lost error
	for _, chunk := range r.spans {
		_, err := r.readOrRepair(chunk)
		if r.isLost(err) {
			lost = cmp.Or(lost, fmt.Errorf("bytes %d to %d of the log are missing: %w", chunk.start, chunk.end, ErrDamaged))
			continue
		}
		if err != nil {
			return err
		}
	}
	return lost
}
