// SPDX-License-Identifier: Apache-2.0

// Package records has the flag that says which database builds are recorded in: of the programs that record them, and of those
// that read the records.
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
	flags.StringVar(&f.Address, flag, "", "the database that builds are recorded in, so that their history outlives them: "+
		"sqlite:///path/file.db, postgres://USER@HOST/DATABASE, or none; an address with a password belongs into $"+Variable+" instead (default $"+Variable+", or else "+defaults+")")
}

// Complete takes the address from the environment, if the flag has none, and otherwise the default.
func (f *Flags) Complete(defaults string) {
	for _, address := range []string{os.Getenv(Variable), defaults} {
		if f.Address == "" {
			f.Address = address
		}
	}
}

// Open opens the database; nil where there is none. A server that cannot be reached, or that has the database of a newer
// program, is tried again, and no error. Errors: an address that is none, a migration that fails, and a file that cannot be
// used. Whoever opens it closes it.
func (f *Flags) Open(ctx context.Context) (*Database, error) {
	f.Complete(None)
	if f.Address == None {
		return nil, nil
	}
	address := f.Address
	database, err := open(ctx, address, func(ctx context.Context) (*records.Store, error) {
		return records.Open(ctx, address, records.Options{})
	}, retryInterval)
	if err != nil {
		return nil, fmt.Errorf("--%s: %w", flag, err)
	}
	return database, nil
}
