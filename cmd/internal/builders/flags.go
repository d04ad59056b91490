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

// Flags set the builders that an operator allows. The zero value allows no builder.
type Flags struct {
	directory   string
	allowImages bool
	reporting   []string
}

// AddTo adds the flags to the flags of a command.
func (f *Flags) AddTo(flags *pflag.FlagSet) {
	flags.StringVar(&f.directory, "builders-directory", "",
		"directory of registered builders, such as a mounted ConfigMap: each file has the name of a builder, "+
			"and the reference of its container image as content, and each file whose name ends with .yaml is a document with builders; read at the start only; default: no registered builders")
	flags.BoolVar(&f.allowImages, "allow-builder-images", false, "permission for builds to name any container image as their builder")
	flags.StringSliceVar(&f.reporting, "reporting-builders", nil,
		"names of the builders that report their progress; only the pods of these builders get a token of their service account")
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
