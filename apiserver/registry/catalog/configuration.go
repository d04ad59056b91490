// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"sync"

	"goldsmith.dev/goldsmith/jobs/catalog"
)

// Configuration has the kinds that the operator configures. It is safe for concurrent use.
type Configuration struct {
	lock    sync.Mutex
	kinds   []*catalog.Kind
	changed chan struct{} // closed by the next change
}

// NewConfiguration returns a configuration with these kinds, whose names do not conflict.
func NewConfiguration(configured []*catalog.Kind) *Configuration {
	return &Configuration{kinds: configured, changed: make(chan struct{})}
}

// Replace sets the kinds of the configuration. Their names do not conflict.
func (c *Configuration) Replace(configured []*catalog.Kind) {
	c.lock.Lock()
	defer c.lock.Unlock()
	close(c.changed)
	c.kinds, c.changed = configured, make(chan struct{})
}

// current returns the kinds, and a channel that is closed when they change.
func (c *Configuration) current() ([]*catalog.Kind, <-chan struct{}) {
	c.lock.Lock()
	defer c.lock.Unlock()
	return c.kinds, c.changed
}
