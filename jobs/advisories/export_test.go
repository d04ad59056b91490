// SPDX-License-Identifier: Apache-2.0

package advisories

import "io"

// ReadWithin reads advisories with limits of memory, size, and the size of one entry.
func ReadWithin(content io.Reader, memory, size, entry int64) (*Set, error) {
	b := newBuilder()
	b.memory, b.entries = memory, &metered{total: size, limit: entry}
	return b.read(content)
}
