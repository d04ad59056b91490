// SPDX-License-Identifier: Apache-2.0

package records

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"k8s.io/utils/clock"
)

const (
	// connectionInterval is the time between two checks of a Connection.
	connectionInterval = 5 * time.Second
	// connectPatience is how long Connect waits for the first attempt to open the database.
	connectPatience = 10 * time.Second
)

var errNotOpenYet = errors.New("database of records is not open yet: the database does not answer, or is being migrated: try again")

// Opener opens a database.
type Opener func(context.Context) (*Store, error)

// Connection is a database that may be unavailable. In the background it opens the database, and checks at one interval
// whether the database answers. Many goroutines may use a Connection.
type Connection struct {
	open    Opener
	clock   clock.Clock
	stop    context.CancelFunc
	running sync.WaitGroup

	lock    sync.Mutex
	store   *Store        // nil until the database is open
	err     error         // result of the last check
	checked chan struct{} // closed by the next check
}

// Connect connects to the database at an address that Open accepts. A clock that is nil is the machine's.
//
// Connect waits a few seconds for the first attempt to open the database. It fails if the address is invalid, if the
// database refuses a migration, and if a file cannot be used. Any other database that does not open is tried again in the
// background, and is no error: a server that cannot be reached, or the database of a newer program.
func Connect(ctx context.Context, address string, clocked clock.Clock) (*Connection, error) {
	return connect(ctx, address, func(ctx context.Context) (*Store, error) {
		return Open(ctx, address, Options{Clock: clocked})
	}, clocked)
}

func connect(ctx context.Context, address string, open Opener, clocked clock.Clock) (*Connection, error) {
	c := newConnection(open, clocked)
	attempted := c.nextCheck()
	c.start(ctx)
	patience := c.clock.NewTimer(connectPatience)
	defer patience.Stop()
	select {
	case <-attempted:
	case <-patience.C():
		return c, nil
	case <-ctx.Done():
		return nil, errors.Join(ctx.Err(), c.Close())
	}
	if _, err := c.Store(); err != nil && (strings.HasPrefix(address, sqliteScheme) || isPermanent(err)) {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// isPermanent is false for a database of a newer program, because this older program may run after a rollback.
func isPermanent(err error) bool { return errors.Is(err, ErrInvalid) || errors.Is(err, ErrMigration) }

// NewConnection returns a Connection to the database that open opens, without waiting for the first attempt. A clock that
// is nil is the machine's.
func NewConnection(ctx context.Context, open Opener, clocked clock.Clock) *Connection {
	c := newConnection(open, clocked)
	c.start(ctx)
	return c
}

func newConnection(open Opener, clocked clock.Clock) *Connection {
	if clocked == nil {
		clocked = clock.RealClock{}
	}
	return &Connection{open: open, clock: clocked, err: errNotOpenYet, checked: make(chan struct{})}
}

// start checks the database in the background until Close is called. It takes only the values of ctx.
func (c *Connection) start(ctx context.Context) {
	ctx, c.stop = context.WithCancel(context.WithoutCancel(ctx))
	c.running.Go(func() {
		for {
			c.check(ctx)
			select {
			case <-c.clock.After(connectionInterval):
			case <-ctx.Done():
				return
			}
		}
	})
}

// check opens the database, or asks the open one for an answer.
func (c *Connection) check(ctx context.Context) {
	store, err := c.Store()
	if err != nil {
		store, err = c.open(ctx)
	} else {
		err = store.Ping(ctx)
	}
	c.lock.Lock()
	defer c.lock.Unlock()
	if store != nil {
		c.store = store
	}
	if ctx.Err() != nil {
		return // the Connection is being closed, which says nothing about the database
	}
	c.err = err
	close(c.checked)
	c.checked = make(chan struct{})
}

// Store returns the database, or why it is not open. An open database that does not answer is returned, too: its calls
// fail. Store does not wait.
func (c *Connection) Store() (*Store, error) {
	c.lock.Lock()
	defer c.lock.Unlock()
	if c.store == nil {
		return nil, c.err
	}
	return c.store, nil
}

// Err returns why the database is unavailable; nil if it answered the last check.
func (c *Connection) Err() error {
	c.lock.Lock()
	defer c.lock.Unlock()
	return c.err
}

// Watch calls observe now and after every check, with the current result of Err, until ctx is done. Several checks while
// observe runs count as one.
func (c *Connection) Watch(ctx context.Context, observe func(context.Context, error)) {
	for ctx.Err() == nil {
		next := c.nextCheck() // before Err: no check between both is missed
		observe(ctx, c.Err())
		select {
		case <-next:
		case <-ctx.Done():
		}
	}
}

func (c *Connection) nextCheck() <-chan struct{} {
	c.lock.Lock()
	defer c.lock.Unlock()
	return c.checked
}

// Close ends the checks and closes the database. A nil Connection is none, and closing it does nothing.
func (c *Connection) Close() error {
	if c == nil {
		return nil
	}
	c.stop()
	c.running.Wait()
	store, _ := c.Store()
	if store == nil {
		return nil // the database never opened
	}
	if err := store.Close(); err != nil {
		return fmt.Errorf("close the records: %w", err)
	}
	return nil
}
