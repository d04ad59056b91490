// SPDX-License-Identifier: Apache-2.0

package builders

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/util/validation"

	"goldsmith.dev/goldsmith/jobs/inputs"
)

// Flags are what an operator says of builders. The zero value allows none.
type Flags struct {
	directory   string
	allowImages bool
	reporting   []string
}

// AddTo adds the flags to those of a command.
func (f *Flags) AddTo(flags *pflag.FlagSet) {
	flags.StringVar(&f.directory, "builders-directory", "",
		"directory, such as a mounted ConfigMap, with a file for each builder that builds may name: the file's name is the builder's, "+
			"its content the reference of its container image; read once, so a changed one needs a restart; by default there are no such builders")
	flags.BoolVar(&f.allowImages, "allow-builder-images", false, "let builds name any container image as their builder")
	flags.StringSliceVar(&f.reporting, "reporting-builders", nil,
		"names of those builders that report their progress; their pods get a token of their service account for it, which others do not have")
}

// Read reads the files that the flags name. A reporting builder need not be registered.
func (f *Flags) Read() (inputs.Builders, error) {
	for _, name := range f.reporting {
		if problems := validation.IsDNS1123Label(name); len(problems) > 0 {
			return inputs.Builders{}, fmt.Errorf("--reporting-builders: builder %q: the name: %s", name, strings.Join(problems, "; "))
		}
	}
	registered, err := read(f.directory)
	if err != nil {
		return inputs.Builders{}, err
	}
	for name, builder := range registered {
		builder.Reports = slices.Contains(f.reporting, name)
		registered[name] = builder
	}
	return inputs.Builders{Registered: registered, AllowImages: f.allowImages}, nil
}
