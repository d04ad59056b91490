// SPDX-License-Identifier: Apache-2.0

// Package build is the verb that asks for a build of an Image now.
package build

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/logs"
)

type options struct {
	message   string
	requestID string
	follow    bool
	wait      bool
}

// NewCommand returns the verb.
func NewCommand() *cobra.Command {
	flags := &client.Flags{}
	asked := &options{}
	command := &cobra.Command{
		Use:   "build IMAGE",
		Short: "Build an image now, and print the build's name",
		Long: "Build an image now, whether its inputs changed or not, and print the build's name.\n" +
			"With -f or --wait the exit code is 0 only if the build succeeds.",
		Args: client.OneName("the name of an IMAGE"),
		RunE: func(command *cobra.Command, args []string) error {
			connection, err := flags.Connect(command.ErrOrStderr())
			if err != nil {
				return err
			}
			return run(command.Context(), connection, args[0], asked, command.OutOrStdout())
		},
	}
	flags.AddTo(command.Flags())
	command.Flags().StringVar(&asked.message, "message", "", "why, for people, at most 1024 characters")
	command.Flags().StringVar(&asked.requestID, "request-id", "",
		"name of this request: the same one again is answered with the same build; random by default")
	command.Flags().BoolVarP(&asked.follow, "follow", "f", false, "show the build's log and wait until it has finished")
	command.Flags().BoolVar(&asked.wait, "wait", false, "wait until the build has finished")
	return command
}

func run(ctx context.Context, connection *client.Connection, image string, asked *options, out io.Writer) error {
	request := &v1alpha1.BuildRequest{RequestID: asked.requestID, Message: asked.message}
	build, err := connection.ImagesV1alpha1().Images(connection.Namespace).Instantiate(ctx, image, request, metav1.CreateOptions{})
	if apierrors.IsNotFound(err) {
		return fmt.Errorf("no image named %s in namespace %s", image, connection.Namespace)
	}
	if err != nil {
		return fmt.Errorf("build image %s: %w", image, err)
	}
	if _, err := fmt.Fprintln(out, build.Name); err != nil {
		return err
	}
	if asked.follow {
		if err := logs.Write(ctx, connection, build.Name, &v1alpha1.ImageBuildLogOptions{Follow: true}, out); err != nil {
			return err
		}
	}
	if !asked.follow && !asked.wait {
		return nil
	}
	if build, err = connection.WaitUntilFinished(ctx, build.Name); err != nil {
		return err
	}
	return outcome(build)
}

// outcome is an error for every finished build that did not succeed.
func outcome(build *v1alpha1.ImageBuild) error {
	failure := build.Status.Failure
	switch {
	case build.Status.Phase == v1alpha1.BuildSucceeded:
		return nil
	case failure == nil:
		return fmt.Errorf("build %s: %s", build.Name, build.Status.Phase)
	default:
		return fmt.Errorf("build %s: %s: %s/%s: %s", build.Name, build.Status.Phase, failure.Class, failure.Reason, failure.Message)
	}
}
