// SPDX-License-Identifier: Apache-2.0

package connections

import (
	"container/list"
	"net"
	"sync"
	"time"
)

// Listener is a listener with limits. Each of its connections is that of a stranger until Authenticated is called.
type Listener struct {
	net.Listener
	limits Limits

	mu            sync.Mutex // guards all below
	strangers     *list.List // of *conn, the oldest first
	open          map[string]*conn
	authenticated int
}

// Limit limits the connections of a listener.
func Limit(listener net.Listener, limits Limits) *Listener {
	return &Listener{Listener: listener, limits: limits, strangers: list.New(), open: map[string]*conn{}}
}

// Accept waits for the next connection. It never waits for others to end: the oldest stranger makes room.
func (l *Listener) Accept() (net.Conn, error) {
	accepted, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: accepted, of: l, remote: accepted.RemoteAddr().String()}
	var oldest *conn
	l.mu.Lock()
	if l.strangers.Len() >= l.limits.Strangers {
		oldest, _ = l.strangers.Front().Value.(*conn)
	}
	c.place = l.strangers.PushBack(c)
	c.expiry = time.AfterFunc(l.limits.Patience, func() { _ = c.Close() })
	l.open[c.remote] = c
	l.mu.Unlock()
	if oldest != nil {
		_ = oldest.Close() // its client has not waited for this process
	}
	return c, nil
}

// Authenticated is called with the remote address of a connection that has an authenticated request, before the request is answered. It closes the
// connection if there are too many.
func (l *Listener) Authenticated(remote string) {
	l.mu.Lock()
	c := l.open[remote]
	if c == nil || c.place == nil {
		l.mu.Unlock()
		return
	}
	full := l.authenticated >= l.limits.Authenticated
	if !full {
		l.strangers.Remove(c.place)
		c.place = nil
		c.expiry.Stop()
		l.authenticated++
	}
	l.mu.Unlock()
	if full {
		_ = c.Close() // the client sees it
	}
}

// conn is a connection that its Listener counts until it is closed.
type conn struct {
	net.Conn
	of     *Listener
	remote string
	once   sync.Once
	place  *list.Element // among strangers; nil once it is authenticated
	expiry *time.Timer
}

// Close closes the connection.
func (c *conn) Close() error {
	c.once.Do(func() {
		c.of.mu.Lock()
		defer c.of.mu.Unlock()
		c.expiry.Stop()
		if c.place != nil {
			c.of.strangers.Remove(c.place)
		} else {
			c.of.authenticated--
		}
		if c.of.open[c.remote] == c {
			delete(c.of.open, c.remote)
		}
	})
	return c.Conn.Close()
}
