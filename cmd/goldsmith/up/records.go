// SPDX-License-Identifier: Apache-2.0

package up

import (
	"context"
	"net/url"

	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/datadir"
	"goldsmith.dev/goldsmith/records"
)

// openRecords opens the records database that the flag or the environment names, or else the file in the data directory.
func (o *Options) openRecords(ctx context.Context, data *datadir.Directory) (*records.Connection, error) {
	named := o.Records
	if named.Complete(""); named.Address == "" {
		file, err := data.RecordsFile()
		if err != nil {
			return nil, err
		}
		named.Address = (&url.URL{Scheme: "sqlite", Path: file}).String()
	}
	return named.Open(ctx)
}
