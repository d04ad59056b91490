// SPDX-License-Identifier: Apache-2.0

package registrytest

import (
	"time"

	"k8s.io/utils/clock"
	testingclock "k8s.io/utils/clock/testing"
)

// Clock skips each wait.
type Clock struct {
	*testingclock.FakeClock
	// Waited is how long the waits were.
	Waited time.Duration
}

// NewClock returns a clock at the beginning of 1970.
func NewClock() *Clock { return &Clock{FakeClock: testingclock.NewFakeClock(time.Unix(0, 0))} }

// NewTimer returns a timer whose time is over.
func (c *Clock) NewTimer(d time.Duration) clock.Timer {
	timer := c.FakeClock.NewTimer(d)
	c.Waited += d
	c.Step(d)
	return timer
}
