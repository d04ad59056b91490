// SPDX-License-Identifier: Apache-2.0

package history

import (
	"context"
	"fmt"
	"net/http"
	"path"
	"sync"

	"k8s.io/apiserver/pkg/server/healthz"
	"k8s.io/klog/v2"

	"goldsmith.dev/goldsmith/records"
)

const (
	checkName            = "records"
	checkNameUnavailable = "records-unavailable"
)

// Connection is a database that may be unavailable. *records.Connection is one.
type Connection interface {
	// Store returns the open database, or why it is not open. It does not wait.
	Store() (*records.Store, error)
	// Err returns why the database is unavailable; nil if it answered last.
	Err() error
	// Watch reports again and again what Err returns, until ctx is done.
	Watch(ctx context.Context, observe func(context.Context, error))
}

var _ Connection = (*records.Connection)(nil)

// Connect returns the connection for NewDatabase. It is nil, which means no database, if the pointer is nil.
func Connect(connection *records.Connection) Connection {
	if connection == nil {
		return nil // a nil pointer in a Connection is not nil
	}
	return connection
}

// Database is the database of records, if there is one. The zero value is none.
type Database struct {
	find func() (Connection, error)

	once       sync.Once
	connection Connection
	findErr    error

	readers *readers
}

// NewDatabase returns the database that find finds when Prepare is called. If find is nil or returns nil, there is none.
func NewDatabase(find func() (Connection, error)) *Database { return &Database{find: find} }

// Prepare finds the database when it is called for the first time. The database need not answer.
func (d *Database) Prepare() error {
	d.once.Do(func() {
		if d.find == nil {
			return
		}
		if d.connection, d.findErr = d.find(); d.findErr != nil {
			d.findErr = fmt.Errorf("find the database of records: %w", d.findErr)
		}
	})
	return d.findErr
}

// None reports whether there is no database. Call it after Prepare.
func (d *Database) None() bool { return d.connection == nil }

// Store returns the open database. It is nil, without an error, if no database is configured. Call it after Prepare.
func (d *Database) Store() (*records.Store, error) {
	if d.None() {
		return nil, nil
	}
	return d.connection.Store()
}

// Watch logs that the database does not answer, and that it answers again, until ctx is done.
func (d *Database) Watch(ctx context.Context) {
	if d.None() {
		return
	}
	available := true
	d.connection.Watch(ctx, func(ctx context.Context, err error) {
		switch {
		case err != nil && available:
			klog.FromContext(ctx).Error(err, "the database of records does not answer: history, stats, notes, changes and reports are not available")
		case err == nil && !available:
			klog.FromContext(ctx).Info("the database of records answers again")
		}
		available = err == nil
	})
}

// ping asks the database for an answer now.
func (d *Database) ping(ctx context.Context) error {
	store, err := d.Store()
	if err != nil {
		return err
	}
	return store.Ping(ctx)
}

func (d *Database) problem() error {
	if d.None() {
		return nil
	}
	return d.connection.Err()
}

// Check returns the database's check of /readyz. Most of the API works without the database, so /readyz reports ready while
// the database is unavailable: /readyz?verbose then lists records-unavailable. Only /readyz/records fails, with the cause,
// because not every user has permission to get it.
func (d *Database) Check() healthz.HealthChecker { return check{d} }

type check struct{ database *Database }

// Name returns "records-unavailable" while the database is unavailable.
func (c check) Name() string {
	if c.database.problem() != nil {
		return checkNameUnavailable
	}
	return checkName
}

// Check fails only for a request of /readyz/records.
func (c check) Check(request *http.Request) error {
	if path.Base(request.URL.Path) == checkName {
		return c.database.problem()
	}
	return nil
}
