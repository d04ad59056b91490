// SPDX-License-Identifier: Apache-2.0

package records

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	testingclock "k8s.io/utils/clock/testing"

	"goldsmith.dev/goldsmith/e2e/require"
)

const connectionDeadline = time.Minute

var errUnreachable = errors.New("connection refused")

// observed collects what Watch reports.
func observed(t *testing.T, c *Connection) <-chan error {
	t.Helper()
	reports := make(chan error)
	go c.Watch(t.Context(), func(ctx context.Context, err error) {
		select {
		case reports <- err:
		case <-ctx.Done():
		}
	})
	return reports
}

func receive[T any](t *testing.T, from <-chan T) T {
	t.Helper()
	select {
	case received := <-from:
		return received
	case <-time.After(connectionDeadline):
		t.Fatal("nothing came in time")
		panic("unreachable")
	}
}

// step moves the clock once somebody waits for it.
func step(t *testing.T, clock *testingclock.FakeClock, duration time.Duration) {
	t.Helper()
	for deadline := time.Now().Add(connectionDeadline); !clock.HasWaiters(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nobody waits for the clock")
		}
	}
	clock.Step(duration)
}

func closeConnection(t *testing.T, c *Connection) {
	t.Helper()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

func TestAConnectionOpensInTheBackgroundAndReportsOutages(t *testing.T) {
	clock := testingclock.NewFakeClock(time.Now())
	attempts := atomic.Int32{}
	address := "sqlite://" + filepath.Join(t.TempDir(), "records.db")
	connection, err := connect(t.Context(), "postgres://host/db", func(ctx context.Context) (*Store, error) {
		if attempts.Add(1) < 3 {
			return nil, errUnreachable
		}
		return Open(ctx, address, Options{})
	}, clock)
	require.NoError(t, err)
	reports := observed(t, connection)
	for attempt := range 2 {
		if err := receive(t, reports); !errors.Is(err, errUnreachable) {
			t.Errorf("after attempt %d: got error %v", attempt+1, err)
		}
		if store, err := connection.Store(); store != nil || !errors.Is(err, errUnreachable) {
			t.Errorf("after attempt %d: got store %v, error %v", attempt+1, store, err)
		}
		step(t, clock, connectionInterval)
	}
	require.NoError(t, receive(t, reports))
	store, err := connection.Store()
	require.NoError(t, err)

	rename := func(from, to string) {
		if _, err := store.write.ExecContext(t.Context(), "ALTER TABLE "+from+" RENAME TO "+to); err != nil {
			t.Fatal(err)
		}
	}
	rename(versionTable, "elsewhere")
	step(t, clock, connectionInterval)
	if err := receive(t, reports); err == nil || connection.Err() == nil {
		t.Errorf("a database that does not answer: got error %v, later %v", err, connection.Err())
	}
	if again, err := connection.Store(); again != store || err != nil {
		t.Errorf("a database that does not answer: got store %v, error %v", again, err)
	}
	rename("elsewhere", versionTable)
	step(t, clock, connectionInterval)
	if err := receive(t, reports); err != nil || connection.Err() != nil {
		t.Errorf("a database that answers again: got error %v, later %v", err, connection.Err())
	}
	if attempts.Load() != 3 {
		t.Errorf("the database was opened %d times", attempts.Load())
	}

	closeConnection(t, connection)
	if err := store.Ping(t.Context()); err == nil {
		t.Error("the store is open after its connection was closed")
	}
	if clock.HasWaiters() {
		clock.Step(connectionInterval)
	}
	if attempts.Load() != 3 {
		t.Error("the database was opened after its connection was closed")
	}
}

func TestConnectRefusesWhatDoesNotPass(t *testing.T) {
	for name, c := range map[string]struct {
		address string
		err     error
		refused bool
	}{
		"nobody answers":               {"postgres://host/db", errUnreachable, false},
		"a migration that fails":       {"postgres://host/db", ErrMigration, true},
		"a database of a newer one":    {"postgres://host/db", ErrNewer, false},
		"a file of a newer one":        {"sqlite:///file", ErrNewer, true},
		"an invalid address":           {"postgres://host/db", ErrInvalid, true},
		"a file that cannot be used":   {"sqlite:///file", os.ErrPermission, true},
		"a file on a disk that filled": {"sqlite:///file", errors.New("disk is full"), true},
	} {
		t.Run(name, func(t *testing.T) {
			connection, err := connect(t.Context(), c.address, func(context.Context) (*Store, error) { return nil, c.err }, nil)
			if c.refused != (err != nil) || err != nil && !errors.Is(err, c.err) {
				t.Errorf("got error %v", err)
			}
			closeConnection(t, connection)
		})
	}
}

// hang is an attempt that ends only when it is told to.
func hang(ctx context.Context) (*Store, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestConnectHasLimitedPatience(t *testing.T) {
	clock := testingclock.NewFakeClock(time.Now())
	connected := make(chan *Connection)
	go func() {
		connection, err := connect(t.Context(), "postgres://host/db", hang, clock)
		if err != nil {
			t.Error(err)
		}
		connected <- connection
	}()
	step(t, clock, connectPatience-1)
	select {
	case <-connected:
		t.Fatal("Connect did not wait for the first attempt")
	case <-time.After(10 * time.Millisecond):
	}
	clock.Step(1)
	connection := receive(t, connected)
	if _, err := connection.Store(); !errors.Is(err, errNotOpenYet) || !errors.Is(connection.Err(), errNotOpenYet) {
		t.Errorf("got error %v, and %v", err, connection.Err())
	}
	if err := receive(t, observed(t, connection)); !errors.Is(err, errNotOpenYet) {
		t.Errorf("observed %v", err)
	}
	closeConnection(t, connection)
}

func TestConnectEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := connect(ctx, "postgres://host/db", hang, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v", err)
	}
}

func TestAnEarlierContextDoesNotEndAConnection(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	clock := testingclock.NewFakeClock(time.Now())
	attempts := make(chan error)
	connection := NewConnection(ctx, func(ctx context.Context) (*Store, error) {
		attempts <- ctx.Err()
		return nil, errUnreachable
	}, clock)
	if err := receive(t, attempts); err != nil {
		t.Error(err)
	}
	cancel()
	step(t, clock, connectionInterval)
	if err := receive(t, attempts); err != nil {
		t.Error(err)
	}
	closeConnection(t, connection)
}
