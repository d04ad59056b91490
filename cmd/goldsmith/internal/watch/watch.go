// SPDX-License-Identifier: Apache-2.0

// Package watch is the verb that shows builds as they go: a table that is redrawn in place on a terminal, and lines
// anywhere else. The server makes its rows, so that its columns are those of kubectl.
package watch

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/cli-runtime/pkg/printers"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/completion"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
)

// NewCommand returns the verb.
func NewCommand() *cobra.Command {
	flags := &client.Flags{}
	command := &cobra.Command{
		Annotations: map[string]string{output.Unescaped: ""}, // it draws on the terminal
		Use:         "watch [IMAGE]",
		Short:       "Show builds as they go, until Ctrl-C",
		Long: "Show builds as they go, until Ctrl-C: those of an IMAGE, or all of the namespace. On a terminal it is a table that\n" +
			"is kept up to date, newest builds last, and as many of them as fit. Anywhere else a line is written for every change.",
		Args:              client.Names("at most one argument, the name of an IMAGE", 0, client.Image),
		ValidArgsFunction: completion.Images(flags),
		RunE: func(command *cobra.Command, args []string) error {
			connection, err := flags.Connect(command.ErrOrStderr())
			if err != nil {
				return err
			}
			selector := fields.Everything()
			if len(args) > 0 {
				if selector, err = buildsOf(command.Context(), connection, args[0]); err != nil {
					return err
				}
			}
			tables, err := connection.Tables()
			if err != nil {
				return err
			}
			out := command.OutOrStdout()
			source := &source{tables: tables, namespace: connection.Namespace, selector: selector, clock: clock.RealClock{}}
			if printers.IsTerminal(out) {
				source.refresh = refresh
				return source.follow(command.Context(), newScreen(out, connection.Namespace))
			}
			return source.follow(command.Context(), newLines(out, command.ErrOrStderr()))
		},
	}
	flags.AddTo(command.Flags())
	return command
}

// buildsOf selects the builds of an Image, which must exist.
func buildsOf(ctx context.Context, connection *client.Connection, name string) (fields.Selector, error) {
	_, err := connection.ImagesV1alpha1().Images(connection.Namespace).Get(ctx, name, metav1.GetOptions{})
	if client.IsNotFound(err, "images", name) {
		return nil, fmt.Errorf("no image named %s in namespace %s", name, connection.Namespace)
	}
	if err != nil {
		return nil, fmt.Errorf("look for image %s: %w", name, err)
	}
	return fields.OneTermEqualSelector("spec.imageRef.name", name), nil
}
