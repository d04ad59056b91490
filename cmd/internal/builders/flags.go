// SPDX-License-Identifier: Apache-2.0

package builders

import (
	"github.com/spf13/pflag"

	"goldsmith.dev/goldsmith/jobs/inputs"
)

// Flags set the builders that an operator allows. The zero value allows no builder.
type Flags struct {
	directory   string
	allowImages bool
}

// AddTo adds the flags to the flags of a command.
func (f *Flags) AddTo(flags *pflag.FlagSet) {
	flags.StringVar(&f.directory, "builders-directory", "",
		"directory of registered builders, such as a mounted ConfigMap: each file has the name of a builder, "+
			"and the reference of its container image as content, and each file whose name ends with .yaml is a document with builders; read at the start only; default: no registered builders")
	flags.BoolVar(&f.allowImages, "allow-builder-images", false, "permission for builds to name any container image as their builder")
}

// Read reads the files that the flags name.
func (f *Flags) Read() (inputs.Builders, error) {
	registered, err := read(f.directory)
	if err != nil {
		return inputs.Builders{}, err
	}
	return inputs.Builders{Registered: registered, AllowImages: f.allowImages}, nil
}
