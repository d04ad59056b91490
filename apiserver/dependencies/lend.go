// SPDX-License-Identifier: Apache-2.0

package dependencies

import (
	"fmt"
	"net"
	"time"
)

// lentListener is a listener that a first server uses before the main server. It stays open when the first server closes it.
type lentListener struct {
	*net.TCPListener
}

// lend returns a listener for a server that is stopped before the listener is needed. Only TCP listeners can be lent.
func lend(listener net.Listener) (lentListener, bool) {
	tcp, ok := listener.(*net.TCPListener)
	return lentListener{tcp}, ok
}

// Close ends Accept, as if the listener were closed.
func (l lentListener) Close() error {
	return l.SetDeadline(time.Unix(1, 0))
}

// takeBack lets the listener accept connections again.
func (l lentListener) takeBack() error {
	if err := l.SetDeadline(time.Time{}); err != nil {
		return fmt.Errorf("use the listener again: %w", err)
	}
	return nil
}
