// SPDX-License-Identifier: Apache-2.0

package records

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// CopySQLite writes a copy of a SQLite database to a new file with mode 0600: the database as it is at one moment. Other
// processes may use the database meanwhile. Both are paths of files.
func CopySQLite(ctx context.Context, from, to string) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("copy the records from %s: %w", from, err)
		}
	}()
	if _, err := os.Stat(from); err != nil { // to open it would create it
		return err
	}
	write, read, err := openSQLite(from, DefaultTimeout)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, read.Close(), write.Close()) }()
	if _, err := write.ExecContext(ctx, "VACUUM INTO $1", to); err != nil {
		return ofFile(from, withCause(ctx, err))
	}
	return os.Chmod(to, 0o600)
}
