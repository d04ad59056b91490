// SPDX-License-Identifier: Apache-2.0

package up

import (
	"path/filepath"

	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/datadir"
)

// configurationFlags returns the flags that name builders and kinds. They have no values of variables. The documents of the data directory
// need no flag.
func (o *Options) configurationFlags() []string {
	flags := []string{}
	if o.Kinds.Path != filepath.Join(o.DataDirectory, datadir.KindsFile) {
		flags = append(flags, "--kinds", o.Kinds.Path)
	}
	if o.BuilderDocuments != filepath.Join(o.DataDirectory, datadir.BuildersFile) {
		flags = append(flags, "--builders", o.BuilderDocuments)
	}
	for _, pair := range o.Builders {
		flags = append(flags, "--builder", pair)
	}
	for _, name := range o.Unconfined {
		flags = append(flags, "--unconfined", name)
	}
	return flags
}
