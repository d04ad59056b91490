// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/spf13/cobra"

	"goldsmith.dev/goldsmith/apiserver/scaffold/internal/resource"
)

func newResourceCommand() *cobra.Command {
	options := resource.Options{}
	command := &cobra.Command{
		Use:   "resource --group GROUP --version VERSION --kind KIND",
		Short: "Scaffold a resource: types, strategy, validation, table, registration and tests that pass",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return resource.Scaffold(command.Context(), options, command.OutOrStdout())
		},
	}
	flags := command.Flags()
	flags.StringVar(&options.Group, "group", "", "API group, a DNS name such as widgets.example.com")
	flags.StringVar(&options.Version, "version", "v1alpha1", "version of the group")
	flags.StringVar(&options.Kind, "kind", "", "kind, such as Widget")
	flags.StringVar(&options.Plural, "plural", "", "name of the resource (default: the plural of the kind)")
	flags.StringVar(&options.ShortName, "short-name", "", "what kubectl accepts instead of it")
	flags.BoolVar(&options.Namespaced, "namespaced", true, "objects are in namespaces")
	flags.StringVar(&options.Directory, "directory", ".", "where to write, a directory of a module that uses goldsmith.dev/goldsmith")
	flags.StringVar(&options.License, "license", "", "license that the first line of each file names, such as Apache-2.0")
	return command
}
