// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"slices"

	"github.com/spf13/cobra"
	"golang.org/x/tools/go/analysis/multichecker"

	"goldsmith.dev/goldsmith/apiserver/scaffold/internal/validate"
)

func newValidateTypesCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "validate-types [-fix] [-RULE...] PACKAGE...",
		Short: "Find what the conventions of Kubernetes APIs forbid",
		Long: `Find what the conventions of Kubernetes APIs forbid in packages of API types.

It exits with 3 if it finds something, and mends what can be mended if it is told to by -fix. With the names of
rules as flags, only those are checked; "validate-types help" lists them.
go vet -vettool=$(which scaffold) PACKAGE... checks the same.`,
		DisableFlagParsing: true, // the flags are those of go vet's tools
		Run: func(command *cobra.Command, arguments []string) {
			if len(arguments) == 0 || slices.ContainsFunc(arguments, func(a string) bool { return a == "-h" || a == "--help" }) {
				_ = command.Help()
				return
			}
			validateTypes(arguments)
		},
	}
}

// validateTypes ends the process, as every such tool does.
func validateTypes(arguments []string) {
	os.Args = append([]string{"validate-types"}, arguments...)
	analyzers, err := validate.Analyzers()
	if err != nil {
		fmt.Fprintln(os.Stderr, "scaffold:", err)
		os.Exit(1)
	}
	multichecker.Main(analyzers...)
}
