// SPDX-License-Identifier: Apache-2.0

// Package cancel is the verb that cancels a build.
package cancel

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/completion"
)

// NewCommand returns the verb.
func NewCommand() *cobra.Command {
	var reason string
	command := client.NewVerb(&cobra.Command{
		Annotations: map[string]string{client.Unfinished: ""},
		Use:         "cancel BUILD",
		Short:       "Cancel a build, and keep its log",
		Long: "Cancel a queued or running build, and keep the build and its log. The command does not wait until the " +
			"build has stopped.",
		Example: "  goldsmith cancel debian-7\n" +
			"  goldsmith cancel debian-7 --reason 'wrong base image'",
		Args:              client.OneName("the name of a BUILD", client.ImageBuild),
		ValidArgsFunction: completion.UnfinishedImageBuilds,
	}, func(command *cobra.Command, connection *client.Connection, args []string) error {
		return run(command.Context(), connection, args[0], reason, command.OutOrStdout())
	})
	command.Flags().StringVar(&reason, "reason", "", "reason for the cancellation, at most 1024 characters")
	return command
}

func run(ctx context.Context, connection *client.Connection, name, reason string, out io.Writer) error {
	builds := connection.ImagesV1alpha1().ImageBuilds(connection.Namespace)
	build, err := builds.Cancel(ctx, name, &v1alpha1.CancelRequest{Reason: reason}, metav1.CreateOptions{})
	if client.IsNotFound(err, "imagebuilds", name) {
		return connection.NotFound(ctx, client.ImageBuild, name)
	}
	if err != nil {
		return fmt.Errorf("cancel build %s: %w", name, err)
	}
	if build.Status.Finished {
		_, err = fmt.Fprintf(out, "%s had finished already: %s\n", name, build.Status.Phase)
	} else {
		_, err = fmt.Fprintf(out, "%s is being cancelled\n", name)
	}
	return err
}
