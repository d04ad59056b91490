// SPDX-License-Identifier: Apache-2.0

package documents

import "time"

const (
	// SettleTime is how long no file has changed before the files are read.
	SettleTime = 300 * time.Millisecond
	// longest is how long after the first change the files are read although they still change, such as temporary ones.
	longest = 5 * time.Second
)

// changes are the changes since files were read. The zero value is that there are none.
type changes struct{ first time.Time }

// add adds a change, and returns after which time the files are due.
func (c *changes) add(now time.Time) time.Duration {
	if c.first.IsZero() {
		c.first = now
	}
	return min(SettleTime, c.first.Add(longest).Sub(now))
}
