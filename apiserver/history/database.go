// SPDX-License-Identifier: Apache-2.0

package history

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path"
	"sync"
	"time"

	"k8s.io/apiserver/pkg/server/healthz"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/records"
)

const (
	// lookInterval is how often the database is asked whether it answers.
	lookInterval = 10 * time.Second
	// lookTimeout is how long that may take.
	lookTimeout = 5 * time.Second

	checkName     = "records"
	checkNameAway = "records-away"
)

// Source returns the open database, or says why there is none now. It is asked again and again, and returns at once.
type Source func() (*records.Store, error)

// Database is the database of records, if there is one. The zero value is none.
type Database struct {
	find  func() (Source, error)
	clock clock.Clock

	once    sync.Once
	source  Source
	findErr error

	mutex sync.Mutex
	away  error // what was wrong when it was looked at last
}

// NewDatabase has a database that find finds when Prepare is called: nil, or no Source, is none. The clock says when to look
// whether it answers; nil is the real one.
func NewDatabase(find func() (Source, error), clocked clock.Clock) *Database {
	if clocked == nil {
		clocked = clock.RealClock{}
	}
	return &Database{find: find, clock: clocked}
}

// Prepare finds the database, the first time that it is called. Whether the database answers does not matter.
func (d *Database) Prepare() error {
	d.once.Do(func() {
		if d.find == nil {
			return
		}
		if d.source, d.findErr = d.find(); d.findErr != nil {
			d.findErr = fmt.Errorf("finding the database of records: %w", d.findErr)
		}
	})
	return d.findErr
}

// None says that there is no database. It is to be asked after Prepare.
func (d *Database) None() bool { return d.source == nil }

// Store returns the open database; nil, without an error, if there is to be none. It is to be called after Prepare.
func (d *Database) Store() (*records.Store, error) {
	if d.source == nil {
		return nil, nil
	}
	store, err := d.source()
	if err == nil && store == nil {
		err = errors.New("it is not open yet")
	}
	return store, err
}

// Watch looks again and again whether the database answers, until ctx is done.
func (d *Database) Watch(ctx context.Context) {
	if d.None() {
		return
	}
	for {
		d.look(ctx)
		select {
		case <-d.clock.After(lookInterval):
		case <-ctx.Done():
			return
		}
	}
}

func (d *Database) look(ctx context.Context) {
	err := d.ping(ctx)
	if ctx.Err() != nil {
		return
	}
	d.mutex.Lock()
	before := d.away
	d.away = err
	d.mutex.Unlock()
	switch {
	case err != nil && before == nil:
		klog.FromContext(ctx).Error(err, "the database of records does not answer: history, stats, notes, changes and reports are not available")
	case err == nil && before != nil:
		klog.FromContext(ctx).Info("the database of records answers again")
	}
}

func (d *Database) ping(ctx context.Context) error {
	store, err := d.Store()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	return store.Ping(ctx)
}

func (d *Database) problem() error {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	return d.away
}

// Check is what /readyz shows of the database. Without it most of the API works, so it fails nothing: in the list of
// /readyz?verbose it is called records-away then, and only /readyz/records itself, which not everybody may ask, fails and
// says why.
func (d *Database) Check() healthz.HealthChecker { return check{d} }

type check struct{ database *Database }

// Name is another one while the database is away.
func (c check) Name() string {
	if c.database.problem() != nil {
		return checkNameAway
	}
	return checkName
}

// Check fails where nothing else is asked for.
func (c check) Check(request *http.Request) error {
	if path.Base(request.URL.Path) == checkName {
		return c.database.problem()
	}
	return nil
}
