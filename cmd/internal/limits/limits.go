// SPDX-License-Identifier: Apache-2.0

// Package limits has the flags that limit how many builds are active at the same time. Programs that admit builds and programs
// that show their order share them.
package limits

import (
	"errors"
	"fmt"

	"github.com/spf13/pflag"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/queue"
)

const (
	maxBuilds             = "max-builds"
	maxBuildsPerNamespace = "max-builds-per-namespace"
	maxAutomatic          = "max-automatic-builds"
	maxAutomaticPer       = "max-automatic-builds-per-namespace"
)

// Flags are the values of the flags. The zero value limits nothing.
type Flags struct {
	// MaxBuilds is the maximum number of active builds of all namespaces together. 0 is no limit.
	MaxBuilds int
	// MaxBuildsPerNamespace is the maximum number of active builds of a namespace. 0 is no limit.
	MaxBuildsPerNamespace int
	// MaxAutomatic is the maximum number of active builds that nobody asked for. 0 is no limit.
	MaxAutomatic int
	// MaxAutomaticPerNamespace is the maximum number of active builds of a namespace that nobody asked for. 0 is no limit.
	MaxAutomaticPerNamespace int
}

// AddTo adds the flags. unlimited is what 0 of --max-builds means.
func (f *Flags) AddTo(flags *pflag.FlagSet, unlimited string) {
	flags.IntVar(&f.MaxBuilds, maxBuilds, 0, "maximum number of active builds; 0 is "+unlimited+"; a build is active from its first attempt until it has finished; as many builds that run tests do not count")
	flags.IntVar(&f.MaxBuildsPerNamespace, maxBuildsPerNamespace, 0,
		"maximum number of active builds of a namespace, unless its annotation "+v1alpha1.AnnotationMaxBuilds+" sets another limit; 0 is no limit")
	flags.IntVar(&f.MaxAutomatic, maxAutomatic, 0, "maximum number of active builds that a schedule, a changed base or source, or new packages started; 0 is no limit")
	flags.IntVar(&f.MaxAutomaticPerNamespace, maxAutomaticPer, 0, "maximum number of such builds of a namespace; 0 is no limit")
}

// Read returns the limits, or an error that names each invalid flag.
func (f *Flags) Read() (queue.Limits, error) {
	limits := queue.Limits{
		Builds: f.MaxBuilds, PerNamespace: f.MaxBuildsPerNamespace, Automatic: f.MaxAutomatic, AutomaticPerNamespace: f.MaxAutomaticPerNamespace,
	}
	return limits, errors.Join(
		notNegative(maxBuilds, f.MaxBuilds), notNegative(maxBuildsPerNamespace, f.MaxBuildsPerNamespace),
		notNegative(maxAutomatic, f.MaxAutomatic), notNegative(maxAutomaticPer, f.MaxAutomaticPerNamespace),
	)
}

func notNegative(name string, value int) error {
	if value < 0 {
		return fmt.Errorf("--%s %d: must be 0 (no limit) or greater", name, value)
	}
	return nil
}
