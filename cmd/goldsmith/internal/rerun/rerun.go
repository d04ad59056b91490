// SPDX-License-Identifier: Apache-2.0

// Package rerun is the verb that builds an Image again from the inputs of an earlier build.
package rerun

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/completion"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/exit"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/follow"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/request"
)

type options struct {
	request.Flags
	uid string
}

// NewCommand returns the verb.
func NewCommand() *cobra.Command {
	asked := &options{}
	command := client.NewVerb(&cobra.Command{
		Annotations: map[string]string{client.NotCancelled: ""},
		Use:         "rerun BUILD",
		Short:       "Build an image again from the inputs of an earlier build",
		Long: "Build an image again from the inputs of an earlier build, and print the name of the new build. " +
			"The new build has the inputs that the earlier build resolved, even if the image, its base or its " +
			"files have changed since. If the server has a records database, --uid also finds a deleted build. " +
			"`goldsmith history IMAGE -o wide` shows the UID.\n\n" + exit.Help,
		Example: "  goldsmith rerun debian-3 --wait\n" +
			"  goldsmith rerun debian-1 --uid 4f0c1e0a-3c7e-4d3c-9d5e-0a3f6a1b2c3d",
		Args:              client.OneName("the name of a BUILD", client.ImageBuild),
		ValidArgsFunction: completion.ImageBuildsToRerun,
		PreRunE:           func(*cobra.Command, []string) error { return asked.Check() },
	}, func(command *cobra.Command, connection *client.Connection, args []string) error {
		return run(command.Context(), connection, args[0], asked, follow.OptionsOf(command))
	})
	asked.AddTo(command)
	command.Flags().StringVar(&asked.uid, "uid", "", "UID of the build, which can be a deleted build")
	return command
}

func run(ctx context.Context, connection *client.Connection, name string, asked *options, show follow.Options) error {
	wanted := &v1alpha1.RerunRequest{ObjectMeta: metav1.ObjectMeta{UID: types.UID(asked.uid)}, RequestID: asked.ID, Message: asked.Message}
	build, err := connection.ImagesV1alpha1().ImageBuilds(connection.Namespace).Rerun(ctx, name, wanted, metav1.CreateOptions{})
	if asked.uid == "" && client.IsNotFound(err, "imagebuilds", name) {
		return connection.NotFound(ctx, client.ImageBuild, name)
	}
	if err != nil {
		return fmt.Errorf("rerun build %s: %w", name, err)
	}
	return asked.Show(ctx, connection, build, show)
}
