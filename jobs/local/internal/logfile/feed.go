// SPDX-License-Identifier: Apache-2.0

package logfile

import "sync"

// Feed tells the readers of a log that it has grown or is complete. A nil Feed is that of a complete log.
type Feed struct {
	mu       sync.Mutex
	grown    chan struct{}
	complete bool
}

// NewFeed is the feed of a log that is being written.
func NewFeed() *Feed {
	return &Feed{grown: make(chan struct{})}
}

// Notify wakes the readers that wait for more.
func (f *Feed) Notify() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.complete {
		return
	}
	close(f.grown)
	f.grown = make(chan struct{})
}

// Complete marks the log as complete. It may be called again.
func (f *Feed) Complete() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.complete {
		return
	}
	f.complete = true
	close(f.grown)
}

// next gives a channel that is closed when the log has grown or become complete after this call.
func (f *Feed) next() (grown <-chan struct{}, complete bool) {
	if f == nil {
		return nil, true
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.grown, f.complete
}
