// SPDX-License-Identifier: Apache-2.0

package up

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"
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
		"empty records": {"records.db", "", []string{"DIR/records.db is damaged: it is empty", "lost: ", "to restore a backup: ", "to start without history: "}},
	} {
		t.Run(name, func(t *testing.T) {
			directory := t.TempDir()
			for file, content := range map[string]string{"server/address": "127.0.0.1:0", test.file: test.content} {
				if err := writeFile(filepath.Join(directory, file), []byte(content)); err != nil {
					t.Fatal(err)
				}
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
