// SPDX-License-Identifier: Apache-2.0

package builder

import (
	"context"

	"github.com/spf13/cobra"
)

// ToServerCommand returns a command that runs the described server, with the flags that its mode has a use for.
func (s *Server) ToServerCommand() (*cobra.Command, error) {
	options, err := s.ToServerOptions()
	if err != nil {
		return nil, err
	}
	command := &cobra.Command{
		Use:           s.name,
		Short:         "Serve the API of " + s.title,
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(command *cobra.Command, _ []string) error {
			return options.Run(command.Context())
		},
	}
	options.AddFlags(command.Flags())
	return command, nil
}

// ExecuteCommand runs the server's command with arguments, until ctx is done.
func (s *Server) ExecuteCommand(ctx context.Context, arguments []string) error {
	command, err := s.ToServerCommand()
	if err != nil {
		return err
	}
	command.SetArgs(arguments)
	return command.ExecuteContext(ctx)
}
