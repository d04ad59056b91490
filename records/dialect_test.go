// SPDX-License-Identifier: Apache-2.0

package records

import (
	"database/sql"
	"errors"
	"testing"

	"golang.org/x/sys/unix"
)

func TestAFullDiskIsNamed(t *testing.T) {
	database, err := sql.Open("sqlite", "file::memory:?_pragma=max_page_count(1)")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = database.Close() }()
	_, err = database.ExecContext(t.Context(), "CREATE TABLE a (b TEXT)")
	if err = ofFile("records.db", err); !errors.Is(err, unix.ENOSPC) {
		t.Errorf("got %v", err)
	}
}
