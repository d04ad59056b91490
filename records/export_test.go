// SPDX-License-Identifier: Apache-2.0

package records

import (
	"context"
	"io/fs"
	"time"

	"k8s.io/utils/clock"
)

// OpenWith opens a database with other migrations than this program's.
func OpenWith(ctx context.Context, address string, options Options, folder fs.FS) (*Store, error) {
	return open(ctx, address, options, folder)
}

// Migrations are this program's.
func Migrations() fs.FS {
	folder, err := fs.Sub(migrationFiles, "migrations")
	if err != nil {
		panic(err)
	}
	return folder
}

// Execute runs any statement.
func (s *Store) Execute(ctx context.Context, statement string, args ...any) error {
	_, err := s.write.ExecContext(ctx, statement, args...)
	return err
}

// Count returns the number that a query answers.
func (s *Store) Count(ctx context.Context, query string, args ...any) (int64, error) {
	counts, err := collect(ctx, s.write, func(scan scanner) (n int64, err error) { return n, scan(&n) }, query, args...)
	if err != nil || len(counts) == 0 {
		return 0, err
	}
	return counts[0], nil
}

// SetTimeout changes how long a statement may take.
func (s *Store) SetTimeout(timeout time.Duration) { s.timeout = timeout }

// Endless runs a query that never ends.
func (s *Store) Endless(ctx context.Context) error {
	_, err := fetch(ctx, s, "count without end", func(scan scanner) (n int64, err error) { return n, scan(&n) },
		"WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT 1 FROM n) SELECT COUNT(*) FROM n")
	return err
}

// LockFile takes the lock that a SQLite database is opened under.
func LockFile(ctx context.Context, path string) (unlock func() error, err error) {
	return lockFile(ctx, path)
}

// SetClock changes the clock.
func (s *Store) SetClock(clock clock.PassiveClock) { s.clock = clock }

// Texts returns the texts that a query answers.
func (s *Store) Texts(ctx context.Context, query string, args ...any) ([]string, error) {
	return collect(ctx, s.write, func(scan scanner) (text string, err error) { return text, scan(&text) }, query, args...)
}
