// SPDX-License-Identifier: Apache-2.0

// Package build is the verb that requests a build of an Image now.
package build

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/completion"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/exit"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/follow"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/request"
)

type options struct {
	request.Flags
	parameters []string
}

// NewCommand returns the verb.
func NewCommand() *cobra.Command {
	asked := &options{}
	var parameters []v1alpha1.Parameter
	command := client.NewVerb(&cobra.Command{
		Use:   "build IMAGE",
		Short: "Build an image now, and print the name of the build",
		Long: "Build an image now, even if its inputs did not change, and print the name of the build. " +
			"--parameter replaces or adds a parameter of this build only. The image does not change. An object of the " +
			"catalog is built by users without permissions for images: name its kind, as in debianserver/web.\n\n" + exit.Help,
		Example: "  goldsmith build debian --follow\n" +
			"  goldsmith build debian --parameter suite=trixie --message 'try the next release' --wait\n" +
			"  goldsmith build debianserver/web --wait",
		Args:              client.OneName("the name of an IMAGE", client.Image),
		ValidArgsFunction: completion.Images,
		PreRunE: func(*cobra.Command, []string) (err error) {
			if err := asked.Check(); err != nil {
				return err
			}
			parameters, err = parseParameters(asked.parameters)
			return err
		},
	}, func(command *cobra.Command, connection *client.Connection, args []string) error {
		return run(command.Context(), connection, args[0], parameters, &asked.Flags, follow.OptionsOf(command))
	})
	asked.AddTo(command)
	command.Flags().StringArrayVar(&asked.parameters, "parameter", nil,
		"parameter of this build only, as `NAME=VALUE`; repeatable")
	return command
}

func run(ctx context.Context, connection *client.Connection, image string, parameters []v1alpha1.Parameter, asked *request.Flags, show follow.Options) error {
	wanted := &v1alpha1.BuildRequest{RequestID: asked.ID, Message: asked.Message, Parameters: parameters}
	if object := client.ObjectOf(ctx); object != nil {
		build, err := connection.RequestBuild(ctx, object, wanted)
		if err != nil {
			return err
		}
		return asked.Show(ctx, connection, build, show)
	}
	build, err := connection.ImagesV1alpha1().Images(connection.Namespace).Instantiate(ctx, image, wanted, metav1.CreateOptions{})
	if client.IsNotFound(err, "images", image) {
		return connection.NotFound(ctx, client.Image, image)
	}
	if err != nil {
		return fmt.Errorf("build image %s: %w", image, err)
	}
	return asked.Show(ctx, connection, build, show)
}
