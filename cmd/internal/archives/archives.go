// SPDX-License-Identifier: Apache-2.0

// Package archives has the flag for the checks of archives of packages. Programs that run the controllers share it.
package archives

import (
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"goldsmith.dev/goldsmith/cmd/internal/duration"
)

const (
	interval = "archive-interval"
	// defaultInterval is about as often as mirrors of security updates change.
	defaultInterval = 30 * time.Minute
	// minInterval keeps the load of mirrors small.
	minInterval = 10 * time.Second
)

// Flags are the value of the flag. The zero value is the default interval.
type Flags struct {
	// Interval is the time between two checks of an archive. 0 is half an hour.
	Interval time.Duration
}

// AddTo adds the flags.
func (f *Flags) AddTo(flags *pflag.FlagSet) {
	duration.Var(flags, &f.Interval, interval, defaultInterval, "time between two checks of an archive for new packages, such as 2h")
}

// Read returns the interval, or an error if it is too short.
func (f *Flags) Read() (time.Duration, error) {
	switch {
	case f.Interval == 0:
		return defaultInterval, nil
	case f.Interval < minInterval:
		return 0, fmt.Errorf("--%s %s: must be at least %s", interval, f.Interval, minInterval)
	}
	return f.Interval, nil
}
