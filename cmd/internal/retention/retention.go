// SPDX-License-Identifier: Apache-2.0

// Package retention has the flag for the retention time of builds that were created directly. Programs that run the controllers
// share it.
package retention

import (
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"goldsmith.dev/goldsmith/cmd/internal/duration"
)

const buildTTL = "build-ttl"

// Flags are the value of the flag. The zero value keeps every build.
type Flags struct {
	// BuildTTL is how long a build that was created directly is kept after its end. 0 keeps such builds without limit.
	BuildTTL time.Duration
}

// AddTo adds the flags.
func (f *Flags) AddTo(flags *pflag.FlagSet) {
	duration.Var(flags, &f.BuildTTL, buildTTL, 0,
		"retention time, such as 7d, of finished builds that belong to no image; 0 is no limit")
}

// Read returns the retention time, or an error if it is negative.
func (f *Flags) Read() (time.Duration, error) {
	if f.BuildTTL < 0 {
		return 0, fmt.Errorf("--%s %s: must be 0 (no limit) or greater", buildTTL, f.BuildTTL)
	}
	return f.BuildTTL, nil
}
