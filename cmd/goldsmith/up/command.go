// SPDX-License-Identifier: Apache-2.0

package up

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"goldsmith.dev/goldsmith/builders"
	"goldsmith.dev/goldsmith/jobs/local/process"
)

// NewCommand returns the verb.
func NewCommand() *cobra.Command {
	options := Options{}
	verbosity := 0
	command := &cobra.Command{
		Use:   "up",
		Short: "Serve Goldsmith on this machine until Ctrl-C",
		Long: "Serve the API on this machine until Ctrl-C, run the controllers, and run builders as local processes. " +
			"By default, the data directory holds all data. The data survives a restart.",
		Example: "  goldsmith up\n  goldsmith up --builder shell=/path/to/builder.sh",
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			if options.Workers < 1 { // in Options, 0 is the default
				return errTooFewWorkers
			}
			options.Version, options.Out, options.Notices = command.Root().Version, command.OutOrStdout(), command.ErrOrStderr()
			log, err := NewLog(io.Discard, verbosity)
			if err != nil {
				return err
			}
			if command.Flags().Changed("v") {
				log.sendTo(command.ErrOrStderr())
			} else {
				options.Log = log
			}
			return Run(command.Context(), options)
		},
	}
	options.addTo(command.Flags())
	command.Flags().IntVarP(&verbosity, "v", "v", 0,
		"verbosity of the server's logs on standard error; without this flag, the server logs to DATA-DIR/up.log")
	return command
}

// RunChild runs the hidden subcommands. If the arguments (the program's name first) name a hidden subcommand, RunChild runs the
// subcommand and returns its exit code and true.
func RunChild(args []string) (code int, ok bool) {
	for _, builder := range builders.Shipped() {
		if builder.Inside != nil && filepath.Base(args[0]) == builder.Command { // in its sandbox
			return builder.Inside(context.Background(), os.Getenv, os.Stdout, os.Stderr, args[1:]), true
		}
		if len(args) > 1 && args[1] == builder.Command {
			return builder.Main(context.Background(), os.Getenv, os.Stdout, os.Stderr, args[2:]), true
		}
	}
	if len(args) < 2 || args[1] != SuperviseCommand {
		return 0, false
	}
	if err := process.Supervise(); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		return 1, true
	}
	return 0, true
}
