// SPDX-License-Identifier: Apache-2.0

// Package changes is the verb that lists the changes of an Image's spec: who changed which field, and when.
package changes

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/completion"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/listing"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
)

// NewCommand returns the verb.
func NewCommand() *cobra.Command {
	asked := &listing.Flags{}
	command := client.NewVerb(&cobra.Command{
		Use:   "changes IMAGE",
		Short: "List the changes of an image's spec, with user and time",
		Long: "List the changes of an image's spec, newest first: the field, its old and its new value, the user and " +
			"the time. The list can lack changes that were made while the records database was unavailable.",
		Example: "  goldsmith changes debian\n" +
			"  goldsmith changes debian --limit 0 -o json",
		Args:              client.OneName("the name of an IMAGE", client.Image),
		ValidArgsFunction: completion.Images,
		PreRunE:           func(*cobra.Command, []string) error { return asked.Check() },
	}, func(command *cobra.Command, connection *client.Connection, args []string) error {
		return run(command.Context(), connection, args[0], asked, clock.RealClock{}, command.OutOrStdout(), command.ErrOrStderr())
	})
	asked.AddTo(command, "changes", "UID of the image or deleted image")
	return command
}

func run(ctx context.Context, connection *client.Connection, image string, asked *listing.Flags, clock clock.PassiveClock, out, stderr io.Writer) error {
	changes := listing.Records[v1alpha1.ImageChange]{
		Subresource: "changes",
		NewPage: func() listing.Page[v1alpha1.ImageChange] {
			page := &v1alpha1.ImageChanges{}
			return listing.Page[v1alpha1.ImageChange]{Object: page, Items: &page.Items, Continue: &page.Continue}
		},
		None:  fmt.Sprintf("no change of image %s is recorded", image),
		Print: func(changes []v1alpha1.ImageChange, out io.Writer) error { return table(changes, clock.Now(), out) },
	}
	return changes.Show(ctx, connection, image, asked, out, stderr)
}

// table prints changes as kubectl prints its tables.
func table(changes []v1alpha1.ImageChange, now time.Time, out io.Writer) error {
	var rows [][]any
	text := func(value string) string { return output.Value(value, "-") }
	for _, change := range changes {
		age := "<unknown>"
		if change.Time != nil {
			age = duration.HumanDuration(now.Sub(change.Time.Time))
		}
		rows = append(rows, []any{change.Generation, age, text(change.User), text(change.Path), text(change.From), text(change.To)})
	}
	return output.Table([]string{"Generation", "Age", "User", "Path", "From", "To"}, rows, out)
}
