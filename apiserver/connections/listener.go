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

	mu            sync.Mutex            // guards all below
	strangers     *list.List            // of *conn, the oldest first
	owned         map[string]*list.List // of *conn of each owner, the oldest first
	authenticated int                   // how many are owned
	open          map[string]*conn
}

// Limit limits the connections of a listener.
func Limit(listener net.Listener, limits Limits) *Listener {
	return &Listener{Listener: listener, limits: limits, strangers: list.New(), owned: map[string]*list.List{}, open: map[string]*conn{}}
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
	c.place, c.among = l.strangers.PushBack(c), l.strangers
	c.expiry = time.AfterFunc(l.limits.Patience, func() { _ = c.Close() })
	l.open[c.remote] = c
	l.mu.Unlock()
	if oldest != nil {
		_ = oldest.Close() // its client has not waited for this process
	}
	return c, nil
}

// Authenticated is called with the remote address of a connection that has an authenticated request of an owner, before the request is answered. If there are
// too many, it closes the oldest connection of the owner with the most, or this one if its owner has as many.
func (l *Listener) Authenticated(remote, owner string) {
	l.mu.Lock()
	c := l.open[remote]
	if c == nil || c.among != l.strangers {
		l.mu.Unlock()
		return
	}
	own := l.owned[owner]
	if own == nil {
		own = list.New()
		l.owned[owner] = own
	}
	var surplus *conn
	if l.authenticated >= l.limits.Authenticated {
		most := own
		for _, of := range l.owned {
			if of.Len() > most.Len() {
				most = of
			}
		}
		surplus = c
		if most.Len() > own.Len()+1 {
			surplus, _ = most.Front().Value.(*conn)
		}
	}
	if surplus != c {
		l.strangers.Remove(c.place)
		c.place, c.among, c.owner = own.PushBack(c), own, owner
		c.expiry.Stop()
		l.authenticated++
	}
	l.mu.Unlock()
	if surplus != nil {
		_ = surplus.Close() // its client sees it
	}
}

// conn is a connection that its Listener counts until it is closed.
type conn struct {
	net.Conn
	of     *Listener
	remote string
	once   sync.Once
	place  *list.Element
	among  *list.List // strangers, or those of owner
	owner  string
	expiry *time.Timer
}

// Close closes the connection.
func (c *conn) Close() error {
	c.once.Do(func() {
		c.of.mu.Lock()
		defer c.of.mu.Unlock()
		c.expiry.Stop()
		c.among.Remove(c.place)
		if c.among != c.of.strangers {
			c.of.authenticated--
		}
		if of := c.of.owned[c.owner]; of != nil && of.Len() == 0 {
			delete(c.of.owned, c.owner)
		}
		if c.of.open[c.remote] == c {
			delete(c.of.open, c.remote)
		}
	})
	return c.Conn.Close()
}
