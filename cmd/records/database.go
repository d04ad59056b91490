// SPDX-License-Identifier: Apache-2.0

package records

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"goldsmith.dev/goldsmith/apiserver/history"
	recorder "goldsmith.dev/goldsmith/controllers/records"
	"goldsmith.dev/goldsmith/records"
)

const (
	// patience is how long a program waits for its database before it starts without.
	patience = 10 * time.Second
	// retryInterval is how often a database that is away is tried again.
	retryInterval = 5 * time.Second
)

// Database is open, or will be as soon as it can be reached.
type Database struct {
	open    opener
	stop    context.CancelFunc
	opening sync.WaitGroup
	tried   chan struct{} // closed after the first try

	lock  sync.Mutex
	store *records.Store
	err   error // why there is no store
}

// errNotYet says that the database has not answered at all.
var errNotYet = errors.New("the database of records is not open yet: it has not answered, or is being migrated")

// opener opens a database of records.
type opener func(context.Context) (*records.Store, error)

// open waits for the first try, but not for longer than a program has patience. Migrations may take as long as they want to.
func open(ctx context.Context, address string, opener opener, interval time.Duration) (*Database, error) {
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	d := &Database{open: opener, stop: stop, tried: make(chan struct{}), err: errNotYet}
	d.opening.Go(func() { d.keepOpening(running, interval) })
	limit := time.NewTimer(patience)
	defer limit.Stop()
	select {
	case <-d.tried:
	case <-limit.C:
		return d, nil
	case <-ctx.Done():
		return nil, errors.Join(ctx.Err(), d.Close())
	}
	if _, err := d.Store(); err != nil && (isFile(address) || !isAway(err)) {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// keepOpening tries until the database is open, or ctx is done.
func (d *Database) keepOpening(ctx context.Context, interval time.Duration) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for first := true; ; first = false {
		store, err := d.open(ctx)
		d.lock.Lock()
		d.store, d.err = store, err
		d.lock.Unlock()
		if first {
			close(d.tried)
		}
		if err == nil {
			return
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// Store is the database, or why it is not open. It does not wait.
func (d *Database) Store() (*records.Store, error) {
	d.lock.Lock()
	defer d.lock.Unlock()
	return d.store, d.err
}

// Source is the database as the controllers want it; nil where there is none.
func (d *Database) Source() recorder.Source {
	if d == nil {
		return nil
	}
	return func() (recorder.Store, error) {
		store, err := d.Store()
		if err != nil {
			return nil, err // and not a store that is nil
		}
		return store, nil
	}
}

// Reader is the database as the API server wants it; nil where there is none.
func (d *Database) Reader() history.Source {
	if d == nil {
		return nil
	}
	return d.Store
}

// Close ends every connection, and tries no more.
func (d *Database) Close() error {
	if d == nil {
		return nil
	}
	d.stop()
	d.opening.Wait()
	store, err := d.Store()
	if err != nil {
		return nil // there is nothing to close
	}
	if err := store.Close(); err != nil {
		return fmt.Errorf("close the records: %w", err)
	}
	return nil
}

func isFile(address string) bool { return strings.HasPrefix(address, "sqlite:") }

// isAway says whether a program is to start without its database, and try again: nobody answers, the server lets nobody in
// now, or a newer program has been there, and this one is what somebody went back to. That it does not take a migration does
// not pass.
func isAway(err error) bool {
	return !errors.Is(err, records.ErrInvalid) && !errors.Is(err, records.ErrMigration)
}
