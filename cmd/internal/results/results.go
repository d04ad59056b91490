// SPDX-License-Identifier: Apache-2.0

// Package results has the flag for what the results of builders must have. Programs that run the controllers share it.
package results

import (
	"github.com/spf13/pflag"

	"goldsmith.dev/goldsmith/jobs/result"
)

// Flags are the value of the flag. The zero value requires that each artifact can be fetched.
type Flags struct {
	// AllowUnlocated accepts artifacts without a location, and without a file that Goldsmith keeps or publishes.
	AllowUnlocated bool
}

// AddTo adds the flag.
func (f *Flags) AddTo(flags *pflag.FlagSet) {
	flags.BoolVar(&f.AllowUnlocated, "allow-unlocated-artifacts", false,
		"acceptance of results with artifacts that nobody can fetch: without a location, and without a file that Goldsmith keeps or publishes")
}

// Policy returns what results must have. Checked is whether Goldsmith reads the files of artifacts before results are judged.
func (f *Flags) Policy(checked bool) result.Policy {
	return result.Policy{AllowUnlocated: f.AllowUnlocated, RequireKept: !f.AllowUnlocated, Checked: checked}
}
