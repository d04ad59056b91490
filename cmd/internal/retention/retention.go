// SPDX-License-Identifier: Apache-2.0

// Package retention has the flag for how long builds that were created directly are kept. Programs that run the controllers share
// it.
package retention

import (
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"goldsmith.dev/goldsmith/cmd/internal/duration"
)

const buildTTL = "build-ttl"

// Flags are what the flags say. The zero value keeps every build.
type Flags struct {
	// BuildTTL is how long a build that was created directly is kept from its end. 0 keeps it.
	BuildTTL time.Duration
}

// AddTo adds the flags.
func (f *Flags) AddTo(flags *pflag.FlagSet) {
	duration.Var(flags, &f.BuildTTL, buildTTL, 0,
		"retention time of finished builds that belong to no image, such as 7d; 0 is no limit")
}

// Read returns how long builds are kept, or says why that makes no sense.
func (f *Flags) Read() (time.Duration, error) {
	if f.BuildTTL < 0 {
		return 0, fmt.Errorf("--%s must be 0, which keeps builds, or more, not %s", buildTTL, f.BuildTTL)
	}
	return f.BuildTTL, nil
}
