// SPDX-License-Identifier: Apache-2.0

// Package results has the flag for what the results of builders must have. Programs that run the controllers share it.
package results

import (
	"github.com/spf13/pflag"

	"goldsmith.dev/goldsmith/jobs/result"
)

// Flags are the value of the flag. The zero value requires that each artifact has a file or a location.
type Flags struct {
	// AllowUnlocated accepts artifacts that have neither a file nor a location.
	AllowUnlocated bool
}

// AddTo adds the flag.
func (f *Flags) AddTo(flags *pflag.FlagSet) {
	flags.BoolVar(&f.AllowUnlocated, "allow-unlocated-artifacts", false,
		"acceptance of results whose artifacts have neither a file nor a location, so that nobody can fetch them")
}

// Policy returns what results must have. Checked is whether Goldsmith reads the files of artifacts before results are judged.
func (f *Flags) Policy(checked bool) result.Policy {
	return result.Policy{AllowUnlocated: f.AllowUnlocated, Checked: checked}
}
