// SPDX-License-Identifier: Apache-2.0

package records

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"goldsmith.dev/goldsmith/records"
)

const within = time.Minute

func TestTheFlag(t *testing.T) {
	t.Setenv(Variable, "")
	directory := t.TempDir()
	for address, complaint := range map[string]string{
		"": "", None: "", "sqlite://" + directory + "/a.db": "",
		"sqlite://relative.db":                    "--records: open the records: invalid: the address of a SQLite database",
		"mysql://host/db":                         "--records: open the records: invalid: the address of the database",
		"sqlite://" + directory + "/missing/a.db": "--records: open the records: ",
	} {
		database, err := (&Flags{Address: address}).Open(t.Context())
		if complaint != "" {
			if err == nil || !strings.Contains(err.Error(), complaint) {
				t.Errorf("%q: got error %v, want %s", address, err, complaint)
			}
			continue
		}
		if none := address == "" || address == None; err != nil || (database == nil) != none || (database.Source() == nil) != none {
			t.Errorf("%q: got %v, error %v", address, database, err)
		}
		if err := database.Close(); err != nil {
			t.Errorf("%q: %v", address, err)
		}
	}
}

func TestTheEnvironmentIsForWhoSaysNothing(t *testing.T) {
	for name, c := range map[string]struct{ flag, environment, defaults, want string }{
		"nothing":                      {"", "", None, None},
		"the default":                  {"", "", "sqlite:///default", "sqlite:///default"},
		"the environment":              {"", "postgres://host/db", "sqlite:///default", "postgres://host/db"},
		"the flag":                     {"sqlite:///flag", "postgres://host/db", "sqlite:///default", "sqlite:///flag"},
		"the flag, which says: no one": {None, "postgres://host/db", "sqlite:///default", None},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(Variable, c.environment)
			flags := &Flags{Address: c.flag}
			if flags.Complete(c.defaults); flags.Address != c.want {
				t.Errorf("got %s", flags.Address)
			}
		})
	}
}

func TestTheUsageNamesNoPassword(t *testing.T) {
	t.Setenv(Variable, "postgres://user:secret@host/db")
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	(&Flags{}).AddTo(flags, "none")
	if usage := flags.FlagUsages(); strings.Contains(usage, "secret") || !strings.Contains(usage, Variable) {
		t.Error(usage)
	}
}

func TestAServerThatIsAwayIsWaitedForInTheBackground(t *testing.T) {
	var reachable atomic.Bool
	file := filepath.Join(t.TempDir(), "records.db")
	away := errors.New("nobody answers")
	database, err := open(t.Context(), "postgres://host/db", func(ctx context.Context) (*records.Store, error) {
		if !reachable.Load() {
			return nil, away
		}
		return records.Open(ctx, "sqlite://"+file, records.Options{})
	}, time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := database.Source()(); !errors.Is(err, away) {
		t.Errorf("at first: %v", err)
	}
	reachable.Store(true)
	opened := make(chan struct{})
	go func() { database.opening.Wait(); close(opened) }()
	select {
	case <-opened:
	case <-time.After(within):
		t.Fatal("it was not tried again")
	}
	store, err := database.Source()()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.SchemaVersion(t.Context()); err != nil {
		t.Error(err)
	}
	if err := database.Close(); err != nil {
		t.Error(err)
	}
}

func TestWhatDoesNotPassIsRefusedAtTheStart(t *testing.T) {
	for name, c := range map[string]struct {
		address string
		err     error
		refused bool
	}{
		"nobody answers":              {"postgres://host/db", errors.New("connection refused"), false},
		"a migration that fails":      {"postgres://host/db", records.ErrMigration, true},
		"a database of a newer one":   {"postgres://host/db", records.ErrNewer, false},
		"a file of a newer one":       {"sqlite:///file", records.ErrNewer, true},
		"an address that is none":     {"postgres://host/db", records.ErrInvalid, true},
		"a file that cannot be used":  {"sqlite:///file", os.ErrPermission, true},
		"a file on a disk that fills": {"sqlite:///file", errors.New("disk is full"), true},
	} {
		t.Run(name, func(t *testing.T) {
			database, err := open(t.Context(), c.address, func(context.Context) (*records.Store, error) { return nil, c.err }, time.Minute)
			if c.refused != (err != nil) || err != nil && !errors.Is(err, c.err) {
				t.Errorf("got error %v", err)
			}
			if err := database.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAProgramThatIsToldToStopDoesNotWait(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := open(ctx, "postgres://host/db", func(ctx context.Context) (*records.Store, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}, time.Minute)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v", err)
	}
}
