// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// ErrNewer means that a newer program has written the archive, in a format that this program cannot read.
var ErrNewer = errors.New("log archive is newer than this program")

const (
	// formatKey is the key of a formatRecord. An archive without it has format 1. A program that writes a later format first writes the record.
	formatKey = "format.json"
	// format is the number of the format that this program writes.
	format = 1
)

// formatRecord tells programs that cannot read an archive which program can. Later versions may add fields.
type formatRecord struct {
	Format  int    `json:"format"`
	Version string `json:"version"`
}

// checkFormat fails with ErrNewer if this program cannot read the archive.
func checkFormat(ctx context.Context, o objects) error {
	content, err := o.get(ctx, formatKey, nil)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	var record formatRecord
	if err := json.Unmarshal(content, &record); err != nil {
		return fmt.Errorf("%s is damaged: %w", formatKey, err)
	}
	if record.Format > format {
		return fmt.Errorf("%w: goldsmith %s has written it in format %d, and this program reads formats up to %d: use that version or a later one, or another archive",
			ErrNewer, record.Version, record.Format, format)
	}
	return nil
}
