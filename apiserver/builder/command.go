// SPDX-License-Identifier: Apache-2.0

package builder

import (
	"context"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
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

// AddFlags adds the flags of those options that the server's mode uses. There is none for a bearer token: arguments are
// visible to every user of the machine.
func (o *Options) AddFlags(flags *pflag.FlagSet) {
	recommended := o.Recommended
	if _, external := o.server.storage.(externalEtcd); external {
		recommended.Etcd.AddFlags(flags)
	}
	if o.server.listener == nil && o.server.connProvider == nil {
		recommended.SecureServing.AddFlags(flags)
		flags.Lookup("secure-port").Usage = "The port on which to serve HTTPS with authentication and authorization. If 0, a free one."
	}
	recommended.Audit.AddFlags(flags)
	if o.server.delegated {
		recommended.Authentication.AddFlags(flags)
		recommended.Authorization.AddFlags(flags)
		recommended.CoreAPI.AddFlags(flags)
		recommended.Features.AddFlags(flags)
		recommended.Admission.AddFlags(flags)
		recommended.EgressSelector.AddFlags(flags)
		recommended.Traces.AddFlags(flags)
	}
}
