// SPDX-License-Identifier: Apache-2.0

// Package duration provides flags for durations that can be in days.
package duration

import (
	"time"

	"github.com/spf13/pflag"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// Var adds a flag. Unlike the durations of pflag, its value can be in days, such as 7d.
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

// String returns "0" for the zero value, because pflag omits this default from the help.
func (v *value) String() string {
	if *v == 0 {
		return "0"
	}
	return time.Duration(*v).String()
}

// Type returns the name that pflag's own duration flags have.
func (*value) Type() string { return "duration" }
