// SPDX-License-Identifier: Apache-2.0

package records

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// database is what a *sql.DB and a *sql.Tx have in common.
type database interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

type scanner func(columns ...any) error

// change runs a transaction, and repeats it once after a temporary error, because all writes can be repeated.
func (s *Store) change(ctx context.Context, operation string, f func(context.Context, database) error) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	err := s.transact(ctx, f)
	if err != nil && ctx.Err() == nil && s.dialect.transient(err) {
		err = s.transact(ctx, f)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", operation, withCause(ctx, err))
	}
	return nil
}

func (s *Store) transact(ctx context.Context, f func(context.Context, database) error) error {
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := f(ctx, tx); err != nil {
		_ = tx.Rollback() // a lost connection, and a full disk, have rolled back already
		return err
	}
	return tx.Commit()
}

// withCause adds the error of ctx, if a driver only reports an interruption.
func withCause(ctx context.Context, err error) error {
	if ctx.Err() == nil || errors.Is(err, ctx.Err()) {
		return err
	}
	return fmt.Errorf("%w: %w", ctx.Err(), err)
}

// fetch reads all rows of a query outside of transactions.
func fetch[T any](ctx context.Context, s *Store, operation string, read func(scanner) (T, error), query string, args ...any) ([]T, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	rows, err := collect(ctx, s.read, read, query, args...)
	if err != nil && ctx.Err() == nil && s.dialect.transient(err) {
		rows, err = collect(ctx, s.read, read, query, args...)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", operation, withCause(ctx, err))
	}
	return rows, nil
}

func collect[T any](ctx context.Context, db database, read func(scanner) (T, error), query string, args ...any) (all []T, err error) {
	rows, err := db.QueryContext(ctx, query, storable(args)...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		one, err := read(rows.Scan)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}

// execute returns how many rows a statement has changed.
func execute(ctx context.Context, db database, statement string, args ...any) (int64, error) {
	result, err := db.ExecContext(ctx, statement, storable(args)...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// storable replaces characters of a text that a database refuses. All text that is written or searched passes through it.
func storable(args []any) []any {
	for i, arg := range args {
		if text, ok := arg.(string); ok {
			args[i] = strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
		}
	}
	return args
}

// maxIndexed is the maximum length of indexed text, in bytes. PostgreSQL refuses index rows of more than 2704 bytes.
const maxIndexed = 1024

// indexable shortens text for which Kubernetes has no limit, such as the names of users.
func indexable(text string) string {
	if len(text) <= maxIndexed {
		return text
	}
	return strings.ToValidUTF8(text[:maxIndexed], "") // without the half of a character
}

// insertion is the beginning of a statement that inserts rows, and its arguments.
func insertion(table, columns string, rows [][]any) (string, []any) {
	var statement strings.Builder
	statement.WriteString("INSERT INTO " + table + " (" + columns + ") VALUES ")
	var args []any
	for i, row := range rows {
		if i > 0 {
			statement.WriteString(", ")
		}
		statement.WriteString("(" + placeholders(len(args), len(row)) + ")")
		args = append(args, row...)
	}
	return statement.String(), args
}

// placeholders returns n placeholders, numbered after the given number of earlier ones.
func placeholders(after, n int) string {
	names := make([]string, n)
	for i := range names {
		names[i] = "$" + strconv.Itoa(after+i+1)
	}
	return strings.Join(names, ", ")
}

// conditions are the conditions of a query, joined by AND, and its arguments.
type conditions struct {
	all  []string
	args []any
}

// add adds a condition with a ? for each of its arguments.
func (c *conditions) add(condition string, args ...any) {
	for _, arg := range args {
		c.args = append(c.args, arg)
		condition = strings.Replace(condition, "?", "$"+strconv.Itoa(len(c.args)), 1)
	}
	c.all = append(c.all, condition)
}

// addIn adds the condition that a column has one of some values.
func (c *conditions) addIn(column string, values []any) {
	c.all = append(c.all, column+" IN ("+placeholders(len(c.args), len(values))+")")
	c.args = append(c.args, values...)
}

// arg adds an argument and returns its placeholder.
func (c *conditions) arg(value any) string {
	c.args = append(c.args, value)
	return "$" + strconv.Itoa(len(c.args))
}

func (c *conditions) whereClause() string {
	if len(c.all) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(c.all, " AND ")
}

func anySlice[T any](values []T) []any {
	args := make([]any, len(values))
	for i, value := range values {
		args[i] = value
	}
	return args
}

func boolean(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// micros is the stored form of a time, or nil for the zero time.
func micros(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMicro()
}

// microsOrZero is the stored form of a required time.
func microsOrZero(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func timeOf(t *metav1.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.Time
}

// elapsed is the stored form of a duration. It is nil unless both times are set, and never negative.
func elapsed(from, to time.Time) any {
	if from.IsZero() || to.IsZero() {
		return nil
	}
	return max(0, to.UnixMicro()-from.UnixMicro())
}

// length is the stored form of a duration, or nil if it is not known.
func length(d time.Duration, known bool) any {
	if !known {
		return nil
	}
	return d.Microseconds()
}

func timeFromMicros(micros sql.NullInt64) time.Time {
	if !micros.Valid {
		return time.Time{}
	}
	return time.UnixMicro(micros.Int64).UTC()
}

func duration(micros sql.NullInt64) time.Duration {
	return time.Duration(micros.Int64) * time.Microsecond
}
