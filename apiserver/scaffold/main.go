// SPDX-License-Identifier: Apache-2.0

// Command scaffold writes what every resource and every storage of an API server begins with, and checks API types
// against the conventions of Kubernetes.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"

	"github.com/spf13/cobra"
)

func main() {
	if asVetTool(os.Args[1:]) {
		validateTypes(os.Args[1:]) // go vet -vettool=scaffold
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := newCommand().ExecuteContext(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "scaffold:", err)
		os.Exit(1)
	}
}

func newCommand() *cobra.Command {
	command := &cobra.Command{
		Use:           "scaffold",
		Short:         "Scaffold resources and storages of an API server, and check API types",
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	command.AddCommand(newResourceCommand(), newStorageCommand(), newValidateTypesCommand())
	return command
}

// asVetTool reports whether the arguments are those that go vet gives its tool: a question about it, or a package.
func asVetTool(arguments []string) bool {
	if len(arguments) == 0 {
		return false
	}
	first, last := arguments[0], arguments[len(arguments)-1]
	return strings.HasPrefix(first, "-V=") || first == "-flags" || strings.HasSuffix(last, ".cfg")
}
