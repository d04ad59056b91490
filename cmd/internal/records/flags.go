// SPDX-License-Identifier: Apache-2.0

// Package records has the flag that names the database of records. Programs that record builds and programs that read the
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
	// None is the address of no database, as is the empty one.
	None = "none"
	// Variable of the environment has the address where the flag is empty: that one belongs to Secrets, and everybody on a
	// machine can read flags.
	Variable = "GOLDSMITH_RECORDS_DSN"
)

// Flags are what the flag says. The zero value is no database, unless the environment names one.
type Flags struct {
	// Address as records.Open takes it, None, or empty.
	Address string
}

// AddTo adds the flag. The default is for people: what an empty address stands for.
func (f *Flags) AddTo(flags *pflag.FlagSet, defaults string) {
	flags.StringVar(&f.Address, flag, "", "records database, which also has the records of deleted builds: "+
		"sqlite:///path/file.db, postgres://USER@HOST/DATABASE, or none; use $"+Variable+" for an address with a password (default: $"+Variable+", or else "+defaults+")")
}

// Complete takes the address from the environment, if the flag has none, and otherwise the default.
func (f *Flags) Complete(defaults string) {
	for _, address := range []string{os.Getenv(Variable), defaults} {
		if f.Address == "" {
			f.Address = address
		}
	}
}

// Open connects to the database as records.Connect does. It returns nil where there is none. The caller closes the connection.
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
