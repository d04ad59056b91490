// SPDX-License-Identifier: Apache-2.0

package records

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
	"golang.org/x/sys/unix"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// This file has all differences between the two databases.
type dialect struct {
	goose goose.Dialect
	// text is the type of text. It is ordered by bytes, whatever the locale: an upgrade of the C library may change the order of a
	// locale, which would break indexes.
	text string
	// rowsPerStatement: over a network each statement costs a round trip, within a process only its parsing.
	rowsPerStatement int
	// locker, if not nil, keeps two processes from migrating at the same time.
	locker func() (lock.SessionLocker, error)
	// tidy is a statement that keeps queries fast, if the database does not do so by itself.
	tidy string
	// transient reports whether a failed write may succeed if it is repeated at once.
	transient func(error) bool
	// refuses reports whether the database answered that the request is wrong. All other errors may be temporary.
	refuses func(error) bool
}

const (
	lockID          = 0x676f6c64736d6974 // "goldsmit"
	lockRetry       = 1                  // seconds
	lockTries       = 10 * 60
	filePollPeriod  = 20 * time.Millisecond
	journalSize     = 64 << 20 // bytes of the write-ahead log that are kept on disk
	connections     = 8
	connectionIdle  = 5 * time.Minute
	applicationName = "goldsmith-records"
)

func postgresDialect() dialect {
	return dialect{
		goose:            goose.DialectPostgres,
		text:             `TEXT COLLATE "C"`,
		rowsPerStatement: 100,
		locker: func() (lock.SessionLocker, error) {
			return lock.NewPostgresSessionLocker(lock.WithLockID(lockID), lock.WithLockTimeout(lockRetry, lockTries))
		},
		transient: func(err error) bool {
			if refused, ok := errors.AsType[*pgconn.PgError](err); ok {
				// Serialization failure, deadlock, and a server that closes its connections to shut down or after a crash.
				return slices.Contains([]string{"40001", "40P01", "57P01", "57P02"}, refused.Code)
			}
			return pgconn.SafeToRetry(err) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, unix.ECONNRESET) || errors.Is(err, unix.EPIPE)
		},
		refuses: func(err error) bool {
			refused, ok := errors.AsType[*pgconn.PgError](err)
			if !ok || len(refused.Code) < 2 {
				return false
			}
			// Connection, authorization, no such database, rollback, resources, locks, operator, system.
			return !slices.Contains([]string{"08", "28", "3D", "40", "53", "55", "57", "58"}, refused.Code[:2])
		},
	}
}

func sqliteDialect() dialect {
	return dialect{
		goose:            goose.DialectSQLite3,
		text:             "TEXT", // compared by its bytes unless told otherwise
		rowsPerStatement: 10,
		// Analyze every table, as far as needed to choose the best index. And empty the write-ahead log, which only grows while there is
		// always a reader.
		tidy: "PRAGMA optimize(0x10002); PRAGMA wal_checkpoint(TRUNCATE)",
		transient: func(err error) bool {
			refused, ok := errors.AsType[*sqlite.Error](err)
			return ok && refused.Code()&0xff == sqlite3.SQLITE_BUSY
		},
		refuses: func(err error) bool {
			refused, ok := errors.AsType[*sqlite.Error](err)
			if !ok {
				return false
			}
			code := refused.Code() & 0xff
			return code == sqlite3.SQLITE_ERROR || code == sqlite3.SQLITE_CONSTRAINT || code == sqlite3.SQLITE_MISMATCH
		},
	}
}

// openPostgres returns a pool that connects when it is used.
func openPostgres(address string, timeout time.Duration) (*sql.DB, error) {
	config, err := parsePostgres(address)
	if err != nil {
		return nil, err
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = timeout
	}
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = applicationName
	}
	pool := sql.OpenDB(connector{stdlib.GetConnector(*config)})
	pool.SetMaxOpenConns(connections)
	pool.SetMaxIdleConns(connections)
	pool.SetConnMaxIdleTime(connectionIdle)
	return pool, nil
}

func parsePostgres(address string) (*pgx.ConnConfig, error) {
	config, err := pgx.ParseConfig(address)
	if err != nil {
		// The parser's error may quote a part of the password.
		return nil, fmt.Errorf("%w: the address of the database is neither sqlite:///path, nor a valid postgres:// URL, nor a libpq keyword string "+
			"(in a URL the special characters of a password are percent-encoded)", ErrInvalid)
	}
	return config, nil
}

// A connector keeps its connection string, which has the password, out of its errors.
type connector struct{ driver.Connector }

// Connect connects with the driver.
func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	connection, err := c.Connector.Connect(ctx)
	if refused, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return nil, connectError{text: refused.Error(), cause: refused.Unwrap()}
	}
	return connection, err
}

type connectError struct {
	text  string
	cause error
}

func (e connectError) Error() string { return e.text }
func (e connectError) Unwrap() error { return e.cause }

// openSQLite returns a pool of one connection for writing, and a pool of read-only connections.
func openSQLite(path string, timeout time.Duration) (write, read *sql.DB, err error) {
	if err := createFile(path); err != nil {
		return nil, nil, fmt.Errorf("create the database: %w", err)
	}
	write, err = sql.Open("sqlite", sqliteName(path, timeout, "_txlock", "immediate"))
	if err != nil {
		return nil, nil, fmt.Errorf("open the database to write: %w", err)
	}
	write.SetMaxOpenConns(1)
	read, err = sql.Open("sqlite", sqliteName(path, timeout, "_query_only", "true"))
	if err != nil {
		return nil, nil, fmt.Errorf("open the database to read: %w", errors.Join(err, write.Close()))
	}
	read.SetMaxOpenConns(connections)
	read.SetMaxIdleConns(connections)
	return write, read, nil
}

func sqliteName(path string, timeout time.Duration, more ...string) string {
	parameters := url.Values{
		"_busy_timeout": {strconv.FormatInt(timeout.Milliseconds(), 10)},
		"_journal_mode": {"WAL"},
		"_synchronous":  {"FULL"}, // notes are kept nowhere else
		"_foreign_keys": {"true"},
		"_dqs":          {"false"},
		"_error_rc":     {"true"},
		"_pragma":       {fmt.Sprintf("journal_size_limit(%d)", journalSize), "secure_delete(1)"}, // expired contents are overwritten
		more[0]:         more[1:],
	}
	return (&url.URL{Scheme: "file", Path: path, RawQuery: parameters.Encode()}).String()
}

// ofFile returns a DamageError with the path of a file for an error that reports damage. An error of a full disk wraps unix.ENOSPC. Every other
// error is returned as it is.
func ofFile(path string, err error) error {
	refused, ok := errors.AsType[*sqlite.Error](err)
	switch {
	case !ok:
		return err
	case slices.Contains([]int{sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}, refused.Code()&0xff):
		return &DamageError{Path: path, Cause: refused}
	case slices.Contains([]int{sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE}, refused.Code()): // the index of the journal is a file too
		return fmt.Errorf("%w: %w", err, unix.ENOSPC)
	}
	return err
}

// createFile creates an empty database that only its owner may read. It does not open an existing file, because closing the
// file would drop the locks that another store of this process has on it.
func createFile(path string) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return file.Close()
}

// lockFile waits for the lock under which a SQLite database is opened and migrated. SQLite has no lock that is held across
// transactions. The file stays, because removing it could remove the lock of another process. apiserver/storage/filelock
// takes such a lock without waiting, but records may import only itself and apis.
func lockFile(ctx context.Context, path string) (unlock func() error, err error) {
	file, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	ticker := time.NewTicker(filePollPeriod)
	defer ticker.Stop()
	for {
		err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return file.Close, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			return nil, errors.Join(&fs.PathError{Op: "lock", Path: file.Name(), Err: err}, file.Close())
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("wait for the lock of %s: %w", file.Name(), ctx.Err()), file.Close())
		}
	}
}
