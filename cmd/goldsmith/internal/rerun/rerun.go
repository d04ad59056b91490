// SPDX-License-Identifier: Apache-2.0

// Package rerun is the verb that builds again what a build was made from.
package rerun

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/completion"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/exit"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/request"
)

// NewCommand returns the verb.
func NewCommand() *cobra.Command {
	flags := &client.Flags{}
	asked := &request.Flags{}
	command := &cobra.Command{
		Use:   "rerun BUILD",
		Short: "Build again what a build was made from, and print the new build's name",
		Long: "Build again what a build was made from, and print the new build's name. Its inputs are those of the old build,\n" +
			"as they resolved then, whatever became of the image, its base and its files since.\n\n" + exit.Help,
		Args:              client.OneName("the name of a BUILD", client.ImageBuild),
		ValidArgsFunction: completion.ImageBuilds(flags),
		RunE: func(command *cobra.Command, args []string) error {
			if err := asked.Check(); err != nil {
				return err
			}
			connection, err := flags.Connect(command.ErrOrStderr())
			if err != nil {
				return err
			}
			return run(command.Context(), connection, args[0], asked, command.OutOrStdout())
		},
	}
	flags.AddTo(command.Flags())
	asked.AddTo(command)
	return command
}

func run(ctx context.Context, connection *client.Connection, name string, asked *request.Flags, out io.Writer) error {
	wanted := &v1alpha1.RerunRequest{RequestID: asked.ID, Message: asked.Message}
	build, err := connection.ImagesV1alpha1().ImageBuilds(connection.Namespace).Rerun(ctx, name, wanted, metav1.CreateOptions{})
	if client.IsNotFound(err, "imagebuilds", name) {
		return fmt.Errorf("no build named %s in namespace %s", name, connection.Namespace)
	}
	if err != nil {
		return fmt.Errorf("rerun build %s: %w", name, err)
	}
	return asked.Show(ctx, connection, build, out)
}
