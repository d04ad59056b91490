// SPDX-License-Identifier: Apache-2.0

package records

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"k8s.io/utils/clock"
)

// DefaultTimeout is the default of Options.Timeout.
const DefaultTimeout = 10 * time.Second

// Errors that a caller may handle. Every other error means that the database failed or is unavailable.
var (
	// ErrInvalid means that the request is invalid. Repeating it does not help.
	ErrInvalid = errors.New("invalid")
	// ErrNotFound means that the record does not exist.
	ErrNotFound = errors.New("not found")
	// ErrDamaged means that the record exists, and its content is damaged. Repeating the request does not help.
	ErrDamaged = errors.New("record is damaged")
	// ErrNewer means that a newer version of this program has migrated the database.
	ErrNewer = errors.New("database is newer than this program")
	// ErrMigration means that the database refuses a migration. Opening it again does not help. It is not returned if the server
	// is lost during the migration, or refuses the login.
	ErrMigration = errors.New("database refuses the migration")
)

// DamageError reports a damaged file of a SQLite database. Opening it again does not help.
type DamageError struct {
	// Path is the path of the file.
	Path string
	// Cause is what is wrong with the file.
	Cause error
}

// Error implements error.
func (e *DamageError) Error() string { return fmt.Sprintf("%s is damaged: %v", e.Path, e.Cause) }

// Unwrap returns the cause.
func (e *DamageError) Unwrap() error { return e.Cause }

// Options of a Store. The zero value is valid.
type Options struct {
	// Clock is the clock for records without a time and for expiry. Defaults to the machine's clock.
	Clock clock.PassiveClock
	// Timeout of each call or, if a call works in batches, of each batch. It also bounds each attempt to connect. The caller's
	// context may end a call earlier. Defaults to DefaultTimeout.
	Timeout time.Duration
}

// Store is an open database of records. It may be used by many goroutines.
type Store struct {
	dialect dialect
	write   *sql.DB
	read    *sql.DB // the same as write, except for SQLite
	clock   clock.PassiveClock
	timeout time.Duration
}

// Open opens the database at an address, and migrates it to the version of this program if it is older. The address is
// sqlite:///path/file.db, whose file is created with mode 0600 if there is none, or a postgres:// URL or libpq keyword
// string, whose database has to exist. A failed migration leaves no changes. Errors: ErrInvalid for an invalid address,
// ErrNewer for a database of a newer program, ErrMigration for a database that refuses a migration, a DamageError for a damaged
// file. After any other error, Open may be repeated. No error shows a password.
//
// Beside a SQLite database there is a file with the suffix .lock and, while the database is open, the files of SQLite. Only
// processes of one machine may open the database, and it must not be on a network file system.
func Open(ctx context.Context, address string, options Options) (*Store, error) {
	return open(ctx, address, options, nil)
}

// open is Open with other migrations, for tests.
func open(ctx context.Context, address string, options Options, folder fs.FS) (*Store, error) {
	store := &Store{timeout: cmp.Or(options.Timeout, DefaultTimeout), clock: options.Clock}
	if store.clock == nil {
		store.clock = clock.RealClock{}
	}
	path, isSQLite, err := sqliteFile(address)
	switch {
	case err != nil:
	case isSQLite:
		err = store.openSQLite(ctx, path, folder)
	default:
		err = store.openPostgres(ctx, address, folder)
	}
	if err != nil {
		return nil, fmt.Errorf("open the records: %w", errors.Join(err, store.Close()))
	}
	return store, nil
}

func (s *Store) openSQLite(ctx context.Context, path string, folder fs.FS) (err error) {
	unlock, err := lockFile(ctx, path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	s.dialect = sqliteDialect()
	if s.write, s.read, err = openSQLite(path, s.timeout); err != nil {
		return err
	}
	err = ofFile(path, s.migrate(ctx, folder))
	if err == nil || errors.Is(err, ErrNewer) {
		return err
	}
	if damage := s.findDamage(ctx, path); damage != nil {
		return damage
	}
	return fmt.Errorf("%s: %w", path, err)
}

// findDamage returns a DamageError if the structure of a SQLite database is damaged, and nil otherwise. A statement that fails because of
// damage may have another error: a damaged table of versions reads as one that has no versions.
func (s *Store) findDamage(ctx context.Context, path string) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	found := "ok"
	if err := s.read.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&found); err != nil || found == "ok" {
		return nil // the caller has an error already
	}
	return &DamageError{Path: path, Cause: errors.New(strings.Join(strings.Fields(found), " "))}
}

func (s *Store) openPostgres(ctx context.Context, address string, folder fs.FS) (err error) {
	s.dialect = postgresDialect()
	if s.write, err = openPostgres(address, s.timeout); err != nil {
		return err
	}
	s.read = s.write
	return s.migrate(ctx, folder)
}

func (s *Store) migrate(ctx context.Context, folder fs.FS) error {
	if folder == nil {
		var err error
		if folder, err = fs.Sub(migrationFiles, "migrations"); err != nil {
			return err
		}
	}
	provider, err := newProvider(s.write, s.dialect, folder)
	if err != nil {
		return fmt.Errorf("prepare to migrate the database: %w", err)
	}
	err = migrate(ctx, provider)
	if err != nil && s.dialect.refuses(err) {
		return fmt.Errorf("%w: %w", ErrMigration, err)
	}
	return err
}

// optimize runs the statement that keeps queries fast.
func (s *Store) optimize(ctx context.Context) error {
	if s.dialect.tidy == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	if _, err := s.write.ExecContext(ctx, s.dialect.tidy); err != nil {
		return fmt.Errorf("clean up the database: %w", withCause(ctx, err))
	}
	return nil
}

// Close ends every connection. Calls in progress fail.
func (s *Store) Close() error {
	var errs []error
	if s.read != nil && s.read != s.write {
		errs = append(errs, s.read.Close())
	}
	if s.write != nil { // the last connection of a SQLite database cleans up, and has to be writable
		errs = append(errs, s.write.Close())
	}
	return errors.Join(errs...)
}

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	_, err := s.SchemaVersion(ctx)
	return err
}

// SchemaVersion is the version that the database has been migrated to, from 1.
func (s *Store) SchemaVersion(ctx context.Context) (int64, error) {
	versions, err := fetch(ctx, s, "read the version of the records", func(scan scanner) (version int64, err error) {
		return version, scan(&version)
	}, "SELECT MAX(version_id) FROM "+versionTable)
	if err != nil {
		return 0, err
	}
	return versions[0], nil
}
