// SPDX-License-Identifier: Apache-2.0

package builder

import (
	"fmt"
	"net"
	"time"
)

// lentListener is a listener that one server uses before another: when the first one closes it, it stays open.
type lentListener struct {
	*net.TCPListener
}

// lend returns a listener for a server that will be stopped before the listener is needed. Only TCP can be lent.
func lend(listener net.Listener) (lentListener, bool) {
	tcp, ok := listener.(*net.TCPListener)
	return lentListener{tcp}, ok
}

// Close has Accept return, as if the listener were closed.
func (l lentListener) Close() error {
	return l.SetDeadline(time.Unix(1, 0))
}

// takeBack has the listener accept connections again.
func (l lentListener) takeBack() error {
	if err := l.SetDeadline(time.Time{}); err != nil {
		return fmt.Errorf("use the listener again: %w", err)
	}
	return nil
}
