// SPDX-License-Identifier: Apache-2.0

package up

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"

	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/datadir"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/records"
)

func TestASlowStartTellsWhatItWaitsFor(t *testing.T) {
	fake, out := clocktesting.NewFakeClock(time.Now()), &strings.Builder{}
	options := Options{clock: fake, Notices: out}
	err := options.await("the database", func() error {
		fake.Step(quietTime - 1)
		if out.Len() > 0 {
			t.Errorf("after %s: %q", quietTime-1, out)
		}
		fake.Step(1)
		return os.ErrClosed
	})
	if !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
	if fake.Step(time.Hour); out.String() != "still starting: waiting for the database\n" {
		t.Errorf("got %q", out)
	}
}

// pipe and folder are the contents of what replaces a file: a named pipe and a directory.
const pipe, folder = "a named pipe", "a directory"

// recordsWithoutVersions returns a database whose page with the table of versions is empty.
func recordsWithoutVersions(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "records.db")
	store, err := records.Open(t.Context(), "sqlite://"+path, records.Options{})
	require.NoError(t, err)
	require.NoError(t, store.Close())
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	const pageSize, page = 4096, 2 // the first page after that of the schema, which the first table gets
	clear(content[pageSize*(page-1) : pageSize*page])
	return string(content)
}

func TestADamagedFileIsToldWithWhatIsLostAndWhatToDo(t *testing.T) {
	for name, test := range map[string]struct {
		file, content string
		want          []string // what the lines begin with; DIR is the data directory
	}{
		"storage": {"storage/etcd/member/snap/db", strings.Repeat("x", 1<<14), []string{
			"DIR/storage/etcd/member/snap/db is damaged: ", "lost: all changes of images, builds and other objects since the last backup",
			"to restore a backup: mv DIR DIR.damaged && goldsmith restore --data-dir DIR BACKUP",
		}},
		"no storage": {"storage/endpoint", "", []string{"DIR/storage/etcd/member is damaged: it is missing", "lost: ", "to restore a backup: "}},
		"records": {"records.db", strings.Repeat("x", 1<<14), []string{
			"DIR/records.db is damaged: file is not a database", "lost: the history, statistics, changes and notes since the last backup",
			"to restore a backup: mv DIR DIR.damaged && goldsmith restore --data-dir DIR BACKUP",
			"to start without history: mkdir DIR/damaged && mv DIR/records.db* DIR/damaged",
		}},
		"records whose table of versions is damaged": {"records.db", recordsWithoutVersions(t), []string{
			"DIR/records.db is damaged: *** in database main *** Tree ", "lost: the history", "to restore a backup: ", "to start without history: ",
		}},
		"a pipe of the storage": {"storage/etcd/member/wal/0000000000000000-0000000000000000.wal", pipe, []string{
			"DIR/storage/etcd/member/wal/0000000000000000-0000000000000000.wal is damaged: it is a named pipe", "lost: all changes", "to restore a backup: ",
		}},
		"a pipe of the records": {"records.db-wal", pipe, []string{
			"DIR/records.db-wal is damaged: it is a named pipe", "lost: the history", "to restore a backup: ",
			"to start without history: mkdir DIR/damaged && mv DIR/records.db* DIR/damaged",
		}},
		"a pipe of the server":       {"server/token", pipe, []string{"DIR/server/token is damaged: it is a named pipe, a device or a socket instead of a file: delete it, or move it away"}},
		"a directory of the records": {"records.db", folder, []string{"--records: open the records: DIR/records.db: "}},
		"a pipe of the log":          {"up.log", pipe, []string{"DIR/up.log is damaged: it is a named pipe"}},
		"empty records":              {"records.db", "", []string{"DIR/records.db is damaged: it is empty", "lost: ", "to restore a backup: ", "to start without history: "}},
	} {
		t.Run(name, func(t *testing.T) {
			directory := t.TempDir()
			for file, content := range map[string]string{"server/address": "127.0.0.1:0", test.file: test.content} {
				path := filepath.Join(directory, file)
				err := datadir.WriteFile(path, []byte(content))
				switch content {
				case pipe:
					err = errors.Join(err, os.Remove(path), syscall.Mkfifo(path, 0o600))
				case folder:
					err = errors.Join(err, os.Remove(path), os.Mkdir(path, 0o700))
				}
				require.NoError(t, err)
			}
			err := Run(t.Context(), Options{DataDirectory: directory})
			if err == nil {
				t.Fatal("the server started")
			}
			lines := strings.Split(strings.ReplaceAll(err.Error(), directory, "DIR"), "\n")
			for i, want := range test.want {
				if len(lines) != len(test.want) || !strings.HasPrefix(lines[i], want) {
					t.Fatalf("got %q, want %q", lines, test.want)
				}
			}
		})
	}
}
