// SPDX-License-Identifier: Apache-2.0

package advisories

import (
	"context"
	"io"
)

// ReadWithin reads advisories with limits of memory, size, and the size of one entry.
func ReadWithin(content io.Reader, memory, size, entry int64) (*Set, error) {
	b := newBuilder()
	b.memory, b.entries = memory, &metered{total: size, limit: entry}
	return b.read(content)
}

// Match is Find for advisories and locks that are small.
func Match(sets []*Set, of Subject) Result {
	result, err := Find(context.Background(), sets, of)
	if err != nil {
		panic(err)
	}
	return result
}
