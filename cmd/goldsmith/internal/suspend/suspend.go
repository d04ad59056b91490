// SPDX-License-Identifier: Apache-2.0

// Package suspend has the two verbs that stop the triggers of an Image and start them again.
package suspend

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/completion"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
)

// change describes the effect of a verb on an Image.
type change struct {
	verb    string // name of the verb
	done    string // state of the Image afterwards, for messages
	suspend bool   // new value of spec.suspend
}

// NewCommand returns the verb that stops the triggers.
func NewCommand() *cobra.Command {
	command := newCommand(&change{verb: "suspend", done: "suspended", suspend: true})
	command.Short = "Suspend an image, so that its triggers start no builds"
	command.Long = "Suspend an image. Until `goldsmith resume`, the schedule starts no builds. Changes of the image or of its " +
		"base start no builds either. Existing builds continue, and `goldsmith build` still starts builds. The command " +
		"sets spec.suspend to true and changes nothing else."
	command.Example = "  goldsmith suspend debian\n" +
		"  goldsmith suspend debian -o yaml"
	return command
}

// NewResumeCommand returns the verb that starts the triggers again.
func NewResumeCommand() *cobra.Command {
	command := newCommand(&change{verb: "resume", done: "resumed"})
	command.Short = "Resume a suspended image, so that its triggers start builds"
	command.Long = "Resume a suspended image. If the inputs of the image changed while it was suspended, a build starts now. " +
		"Scheduled times that passed while the image was suspended start no builds. The command sets spec.suspend " +
		"to false and changes nothing else."
	command.Example = "  goldsmith resume debian\n" +
		"  goldsmith resume debian -o name"
	return command
}

func newCommand(wanted *change) *cobra.Command {
	var format output.Format
	command := client.NewVerb(&cobra.Command{
		Use:               wanted.verb + " IMAGE",
		Args:              client.OneName("the name of an IMAGE", client.Image),
		ValidArgsFunction: completion.Images,
	}, func(command *cobra.Command, connection *client.Connection, args []string) error {
		return wanted.run(command.Context(), connection, args[0], format, command.OutOrStdout())
	})
	format.AddTo(command)
	return command
}

func (c *change) run(ctx context.Context, connection *client.Connection, name string, format output.Format, out io.Writer) error {
	image, changed, err := c.apply(ctx, connection, name)
	switch {
	case client.IsNotFound(err, "images", name):
		return connection.NotFound(ctx, client.Image, name)
	case err != nil:
		return fmt.Errorf("%s image %s: %w", c.verb, name, err)
	case format != "":
		return format.Print(image, out)
	case changed:
		_, err = fmt.Fprintf(out, "image %s %s\n", name, c.done)
	case c.suspend:
		_, err = fmt.Fprintf(out, "image %s was suspended already\n", name)
	default:
		_, err = fmt.Fprintf(out, "image %s was not suspended\n", name)
	}
	return err
}

// apply sets spec.suspend unless the field has the value already. The patch has no other field, so that it cannot undo a
// concurrent change by another user.
func (c *change) apply(ctx context.Context, connection *client.Connection, name string) (image *v1alpha1.Image, changed bool, err error) {
	images := connection.ImagesV1alpha1().Images(connection.Namespace)
	image, err = images.Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, false, err
	}
	if image.IsSuspended() == c.suspend {
		return image, false, nil
	}
	patch := fmt.Appendf(nil, `{"spec":{"suspend":%t}}`, c.suspend)
	image, err = images.Patch(ctx, name, types.MergePatchType, patch, metav1.PatchOptions{})
	return image, true, err
}
