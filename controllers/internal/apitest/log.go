// SPDX-License-Identifier: Apache-2.0

package apitest

import (
	"bytes"
	"sync"
)

// Log is a log that can be read while it is written. Its zero value is an empty one.
type Log struct {
	mutex sync.Mutex
	text  bytes.Buffer
}

// Write adds text.
func (l *Log) Write(text []byte) (int, error) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.text.Write(text)
}

// String is what was written so far.
func (l *Log) String() string {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.text.String()
}
