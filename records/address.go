// SPDX-License-Identifier: Apache-2.0

package records

import (
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
)

const sqliteScheme = "sqlite:"

// Check returns ErrInvalid for an address that Open does not accept. It opens no database.
func Check(address string) error {
	_, isSQLite, err := sqliteFile(address)
	if !isSQLite {
		_, err = parsePostgres(address)
	}
	if err != nil {
		return fmt.Errorf("open the records: %w", err)
	}
	return nil
}

// FileOf returns the file of an address that Check accepts, or "" for a database of a server.
func FileOf(address string) string {
	path, _, _ := sqliteFile(address)
	return path
}

// sqliteFile returns the path in an address such as sqlite:///path/file.db, and whether it is an address of SQLite.
func sqliteFile(address string) (path string, isSQLite bool, err error) {
	if !strings.HasPrefix(address, sqliteScheme) {
		return "", false, nil
	}
	parsed, err := url.Parse(address)
	switch {
	case err != nil, parsed.Host != "", parsed.User != nil, parsed.Opaque != "", parsed.RawQuery != "", parsed.Fragment != "",
		!filepath.IsAbs(parsed.Path), strings.HasSuffix(parsed.Path, "/"), strings.ContainsRune(parsed.Path, 0):
		return "", true, fmt.Errorf("%w: the address of a SQLite database must be sqlite:// and an absolute path, such as sqlite:///var/lib/goldsmith/records.db; "+
			"in the path, write %%3F for ?, %%23 for # and %%25 for %%", ErrInvalid)
	}
	return filepath.Clean(parsed.Path), true, nil
}
