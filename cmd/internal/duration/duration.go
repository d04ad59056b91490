// SPDX-License-Identifier: Apache-2.0

// Package duration has flags whose value is a duration, which can have days.
package duration

import (
	"time"

	"github.com/spf13/pflag"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// Var adds a flag. It differs from that of pflag in that it takes days, such as 7d.
func Var(flags *pflag.FlagSet, target *time.Duration, name string, byDefault time.Duration, usage string) {
	*target = byDefault
	flags.Var((*value)(target), name, usage)
}

type value time.Duration

// Set reads the value of a flag.
func (v *value) Set(text string) error {
	duration, err := v1alpha1.ParseDuration(text)
	*v = value(duration)
	return err
}

// String returns "0" for the zero value: a default of this text is left out of the help.
func (v *value) String() string {
	if *v == 0 {
		return "0"
	}
	return time.Duration(*v).String()
}

// Type is that of a flag of pflag.
func (*value) Type() string { return "duration" }
