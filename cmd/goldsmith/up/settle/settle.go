// SPDX-License-Identifier: Apache-2.0

// Package settle delays the reading of files until they no longer change, but not for ever.
package settle

import "time"

const (
	// Time is how long no file has changed before the files are read.
	Time = 300 * time.Millisecond
	// Longest is how long after the first change the files are read although they still change, such as temporary ones.
	Longest = 5 * time.Second
)

// Changes are the changes since files were read. The zero value is that there are none.
type Changes struct{ first time.Time }

// Add adds a change, and returns after which time the files are due.
func (c *Changes) Add(now time.Time) time.Duration {
	if c.first.IsZero() {
		c.first = now
	}
	return min(Time, c.first.Add(Longest).Sub(now))
}
