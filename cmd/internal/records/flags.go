// SPDX-License-Identifier: Apache-2.0

// Package records has the flag that names the records database. Programs that record builds and programs that read the
// records share it.
package records

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/pflag"

	"goldsmith.dev/goldsmith/records"
)

const (
	flag = "records"
	// None is the address for no database, as is the empty address.
	None = "none"
	// Variable is the environment variable with the address if the flag is empty. An address with a password belongs in a Secret:
	// everybody on a machine can read flags.
	Variable = "GOLDSMITH_RECORDS_DSN"
)

// Flags are the value of the flag. The zero value is no database, unless the environment names a database.
type Flags struct {
	// Address is an address that records.Open accepts, None, or empty.
	Address string
}

// AddTo adds the flag. Its usage describes the default, which replaces an empty address.
func (f *Flags) AddTo(flags *pflag.FlagSet, defaults string) {
	flags.StringVar(&f.Address, flag, "", "records database, which also has the records of deleted builds: "+
		"sqlite:///path/file.db, postgres://USER@HOST/DATABASE, or none; use $"+Variable+" for an address with a password (default: $"+Variable+", or else "+defaults+")")
}

// Complete fills in an empty address: from the environment, or else with the default.
func (f *Flags) Complete(defaults string) {
	for _, address := range []string{os.Getenv(Variable), defaults} {
		if f.Address == "" {
			f.Address = address
		}
	}
}

// Check reports why Open refuses the address. It opens no database.
func (f *Flags) Check() error {
	completed := *f
	if completed.Complete(None); completed.Address == None {
		return nil
	}
	if err := records.Check(completed.Address); err != nil {
		return fmt.Errorf("--%s: %w", flag, err)
	}
	return nil
}

// Open connects to the database as records.Connect does. It returns nil for no database. The caller closes the connection.
func (f *Flags) Open(ctx context.Context) (*records.Connection, error) {
	f.Complete(None)
	if f.Address == None {
		return nil, nil
	}
	connection, err := records.Connect(ctx, f.Address, nil)
	if err != nil {
		return nil, fmt.Errorf("--%s: %w", flag, err)
	}
	return connection, nil
}
