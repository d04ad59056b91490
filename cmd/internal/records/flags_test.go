// SPDX-License-Identifier: Apache-2.0

package records

import (
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

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
		if none := address == "" || address == None; err != nil || (database == nil) != none {
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
