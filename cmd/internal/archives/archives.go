// SPDX-License-Identifier: Apache-2.0

// Package archives has the flag for the checks of archives of packages. Programs that run the controllers share it.
package archives

import (
	"cmp"
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"goldsmith.dev/goldsmith/cmd/internal/duration"
)

const (
	interval = "archive-interval"
	wave     = "rollout-wave"
	// defaultWave is enough builds to tell a bad package from a bad image.
	defaultWave = 3
	// defaultInterval is about as often as mirrors of security updates change.
	defaultInterval = 30 * time.Minute
	// minInterval keeps the load of mirrors small.
	minInterval = 10 * time.Second
)

// Flags are the value of the flag. The zero value is the default interval.
type Flags struct {
	// Interval is the time between two checks of an archive. 0 is half an hour.
	Interval time.Duration
	// Wave is how many builds for the same new packages run until as many have succeeded. Less than 0 is no limit, and 0 is 3.
	Wave int
}

// AddTo adds the flags.
func (f *Flags) AddTo(flags *pflag.FlagSet) {
	duration.Var(flags, &f.Interval, interval, defaultInterval, "time between two checks of an archive for new packages, such as 2h")
	flags.IntVar(&f.Wave, wave, defaultWave,
		"number of builds for the same new packages that run at the same time until as many have succeeded; if as many fail alike, the others wait; -1 is no limit")
}

// Read returns the values, or an error if the interval is too short. A wave of 0 is no limit.
func (f *Flags) Read() (Flags, error) {
	read := Flags{Interval: cmp.Or(f.Interval, defaultInterval), Wave: max(0, cmp.Or(f.Wave, defaultWave))}
	if read.Interval < minInterval {
		return read, fmt.Errorf("--%s %s: must be at least %s", interval, f.Interval, minInterval)
	}
	return read, nil
}
