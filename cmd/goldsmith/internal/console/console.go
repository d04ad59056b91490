// SPDX-License-Identifier: Apache-2.0

// Package console is the verb that serves the web pages of a server on a loopback address.
package console

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/explain"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/follow"
	"goldsmith.dev/goldsmith/console"
)

// NewCommand returns the verb.
func NewCommand() *cobra.Command {
	var port uint16
	command := client.NewVerb(&cobra.Command{
		Use:   "console",
		Short: "Serve web pages with images, builds and logs on this machine",
		Long: "Serve web pages with images, builds and logs on a loopback address of this machine, until Ctrl-C. The pages act as " +
			"the user of the kubeconfig. The printed link signs one browser in, once, within ten minutes.",
		Example: "  goldsmith console\n" +
			"  kubectl goldsmith console --context production --port 8080",
		Args: cobra.NoArgs,
	}, func(command *cobra.Command, connection *client.Connection, _ []string) error {
		return run(command.Context(), connection, command.CommandPath()+follow.ConnectionFlags(command), port, command.OutOrStdout())
	})
	command.Flags().Uint16Var(&port, "port", 0, "`port` on 127.0.0.1 and ::1 (default: a free port)")
	return command
}

// run serves the pages until ctx is done. line is the command that prints a new link.
func run(ctx context.Context, connection *client.Connection, line string, port uint16, out io.Writer) error {
	if _, err := connection.ServerVersion(ctx); err != nil {
		return err // before a link is printed that shows nothing
	}
	listener, err := console.Listen(port)
	if err != nil {
		return fmt.Errorf("listen on port %d of this machine: %w: set another --port", port, err)
	}
	sessions := console.NewSessions(clock.RealClock{})
	config := rest.CopyConfig(connection.Config)
	config.Timeout = 0 // watches last
	handler, err := console.Local{Server: config, Namespace: connection.Namespace, Command: line, Sessions: sessions, Reasons: explain.Reasons()}.Handler()
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(out, "console: %s\nThe link signs one browser in, once, within ten minutes. Press Ctrl-C to end the console.\n", sessions.Link(listener.Addr())); err != nil {
		return fmt.Errorf("write the link: %w", err)
	}
	return console.Serve(ctx, listener, handler)
}
