// SPDX-License-Identifier: Apache-2.0

package output

import (
	"fmt"
	"io"
	"sync"
)

// Checked is a writer that remembers its first error, for libraries that write and ignore errors.
type Checked struct {
	out io.Writer

	mu  sync.Mutex
	err error
}

// NewChecked returns a writer to out.
func NewChecked(out io.Writer) *Checked {
	return &Checked{out: out}
}

// Write writes to the underlying writer, and remembers the first error.
func (c *Checked) Write(text []byte) (int, error) {
	written, err := c.out.Write(text)
	if err != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.err == nil {
			c.err = fmt.Errorf("write the output: %w", err)
		}
	}
	return written, err
}

// Err returns the first error.
func (c *Checked) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}
