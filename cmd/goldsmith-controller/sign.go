// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"io"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"

	"goldsmith.dev/goldsmith/cmd/internal/buildversion"
	"goldsmith.dev/goldsmith/cmd/internal/memory"
	"goldsmith.dev/goldsmith/controllers"
)

// newSignCommand returns the command of the Deployment goldsmith-signer. Its process alone reads private keys.
func newSignCommand(log func(out io.Writer, verbosity int) (logr.Logger, error)) *cobra.Command {
	var o options
	var namespace string
	command := &cobra.Command{
		Use:   "sign",
		Short: "Sign the statements about artifacts with the keys of SigningKeys",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			memory.Manage(command.Context())
			logger, err := log(command.ErrOrStderr(), o.verbosity)
			if err != nil {
				return err
			}
			return o.sign(command.Context(), namespace, logger)
		},
	}
	flags := command.Flags()
	o.addKubeconfigTo(flags)
	flags.StringVar(&namespace, "namespace", "", "namespace of the Secrets of SigningKeys; default: the namespace that this process runs in")
	o.addAddressesTo(flags)
	return command
}

func (o *options) sign(ctx context.Context, namespace string, logger logr.Logger) error {
	config, err := o.config()
	if err != nil {
		return err
	}
	if namespace == "" {
		if namespace, err = namespaceOfPod("--namespace"); err != nil {
			return err
		}
	}
	config.UserAgent = "goldsmith-signer/" + buildversion.Get(version)
	signer, err := controllers.NewSigner(controllers.SignerOptions{
		Config: config, Namespace: namespace, Logger: logger, HealthAddress: o.healthAddress, Metrics: o.metrics(),
	})
	if err != nil {
		return err
	}
	logger.Info("starting", "version", buildversion.Get(version), "namespace", namespace)
	return controllers.Run(ctx, signer)
}
