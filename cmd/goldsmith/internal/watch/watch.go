// SPDX-License-Identifier: Apache-2.0

// Package watch is the verb that shows builds as they change: a table that is redrawn in place on a terminal, and lines
// on any other output. The server makes the rows, so that the columns are those of kubectl.
package watch

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/completion"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
)

// NewCommand returns the verb.
func NewCommand() *cobra.Command {
	flags := &client.Flags{}
	selection := &client.Selection{}
	command := &cobra.Command{
		Annotations: map[string]string{output.Unescaped: ""}, // the verb draws on the terminal itself
		Use:         "watch [IMAGE]",
		Short:       "Watch the builds of a namespace or an image, until Ctrl-C",
		Long: "Watch the builds of a namespace, of all namespaces or of an IMAGE, until Ctrl-C. On a terminal, the " +
			"command updates a table, newest builds last. If the table does not fit the terminal, the command omits " +
			"older builds and the least important columns. If standard output is not a terminal, the command prints " +
			"a line for each change.",
		Example: "  goldsmith watch debian\n" +
			"  goldsmith watch --all-namespaces --field-selector status.finished=false",
		Args:              client.Names("at most one argument, the name of an IMAGE", 0, client.Image),
		ValidArgsFunction: completion.Images(flags),
		RunE: func(command *cobra.Command, args []string) error {
			if selection.AllNamespaces && len(args) > 0 {
				return errors.New("an IMAGE is in one namespace: omit --all-namespaces, or the IMAGE")
			}
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
			selected, err := selection.Options(selector)
			if err != nil {
				return err
			}
			tables, err := connection.Tables()
			if err != nil {
				return err
			}
			out := command.OutOrStdout()
			source := &source{tables: tables, namespace: selection.Namespace(connection), selected: selected, clock: clock.RealClock{}}
			if style := output.StyleOf(command, out); style.Rewrites {
				source.refresh = refresh
				return source.follow(command.Context(), newScreen(out, source.namespace, style))
			}
			return source.follow(command.Context(), newLines(out, command.ErrOrStderr()))
		},
	}
	flags.AddTo(command.Flags())
	selection.AddTo(command.Flags())
	return command
}

// buildsOf returns a selector for the builds of an Image, and an error if the Image does not exist.
func buildsOf(ctx context.Context, connection *client.Connection, name string) (fields.Selector, error) {
	_, err := connection.ImagesV1alpha1().Images(connection.Namespace).Get(ctx, name, metav1.GetOptions{})
	if client.IsNotFound(err, "images", name) {
		return nil, connection.NotFound(ctx, client.Image, name)
	}
	if err != nil {
		return nil, fmt.Errorf("get image %s: %w", name, err)
	}
	return fields.OneTermEqualSelector("spec.imageRef.name", name), nil
}
