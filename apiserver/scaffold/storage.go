// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/spf13/cobra"

	"goldsmith.dev/goldsmith/apiserver/scaffold/internal/backend"
)

func newStorageCommand() *cobra.Command {
	options := backend.Options{}
	command := &cobra.Command{
		Use:   "storage --name NAME",
		Short: "Scaffold a storage backend, and a test that passes",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return backend.Scaffold(command.Context(), options, command.OutOrStdout())
		},
	}
	flags := command.Flags()
	flags.StringVar(&options.Name, "name", "", "name of the storage's package, such as ledger")
	flags.StringVar(&options.Directory, "directory", ".", "where to write, a directory of a module that uses goldsmith.dev/goldsmith")
	flags.StringVar(&options.License, "license", "", "license that the first line of each file names, such as Apache-2.0")
	return command
}
