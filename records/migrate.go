// SPDX-License-Identifier: Apache-2.0

package records

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// versionTable is the table with the versions to which a database was migrated.
const versionTable = "goldsmith_records_version"

// migrations returns the steps in a folder. Each step is a file of SQL, named by its number.
func migrations(folder fs.FS, text string) ([]*goose.Migration, error) {
	names, err := fs.Glob(folder, "*.sql")
	if err != nil {
		return nil, err
	}
	var steps []*goose.Migration
	for _, name := range names {
		version, err := goose.NumericComponent(name)
		if err != nil {
			return nil, fmt.Errorf("migration %s: %w", name, err)
		}
		content, err := fs.ReadFile(folder, name)
		if err != nil {
			return nil, fmt.Errorf("migration %s: %w", name, err)
		}
		statements := strings.ReplaceAll(string(content), "TEXT", text)
		steps = append(steps, goose.NewGoMigration(version, &goose.GoFunc{RunTx: func(ctx context.Context, tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, statements)
			return err
		}}, nil))
	}
	return steps, nil
}

// newProvider returns the provider that migrates a database: each step in a transaction, all steps under the dialect's lock.
func newProvider(db *sql.DB, d dialect, folder fs.FS) (*goose.Provider, error) {
	steps, err := migrations(folder, d.text)
	if err != nil {
		return nil, err
	}
	options := []goose.ProviderOption{
		goose.WithGoMigrations(steps...), goose.WithDisableGlobalRegistry(true), goose.WithTableName(versionTable),
	}
	if d.locker != nil {
		locker, err := d.locker()
		if err != nil {
			return nil, err
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	return goose.NewProvider(d.goose, db, nil, options...)
}

// migrate migrates a database to the version of this program. It refuses a newer database and does not change it.
func migrate(ctx context.Context, provider *goose.Provider) error {
	_, upErr := provider.Up(ctx)
	current, target, err := provider.GetVersions(ctx)
	switch {
	case err == nil && current > target:
		return fmt.Errorf("%w: database version is %d, but this program knows versions up to %d: use the program that migrated the database, or a newer program",
			ErrNewer, current, target)
	case upErr != nil:
		var partial *goose.PartialError
		if errors.As(upErr, &partial) && partial.Failed != nil {
			return fmt.Errorf("migrate the database to version %d (the migration was rolled back): %w", partial.Failed.Source.Version, partial.Err)
		}
		return fmt.Errorf("migrate the database: %w", upErr)
	case err != nil:
		return fmt.Errorf("read the version of the database: %w", err)
	}
	return nil
}
