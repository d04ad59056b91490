// SPDX-License-Identifier: Apache-2.0

// Package changes is the verb that shows who changed what of an Image.
package changes

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/cli-runtime/pkg/printers"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/completion"
	"goldsmith.dev/goldsmith/cmd/goldsmith/output"
)

// defaultLimit is how many changes people read.
const defaultLimit = 30

type options struct {
	uid    string
	limit  int
	format output.Format
}

// NewCommand returns the verb.
func NewCommand() *cobra.Command {
	flags := &client.Flags{}
	asked := &options{}
	command := &cobra.Command{
		Use:   "changes IMAGE",
		Short: "Show who changed which field of an image's spec from what to what, and when",
		Long: "Show who changed which field of an image's spec from what to what, and when, the newest first. Changes are recorded as\n" +
			"well as may be: one that was made while the database was away for long may be missing.",
		Example:           "  goldsmith changes debian",
		Args:              client.OneName("the name of an IMAGE"),
		ValidArgsFunction: completion.Images(flags),
		RunE: func(command *cobra.Command, args []string) error {
			if asked.limit < 0 {
				return errors.New("--limit must be 0, which is no limit, or more")
			}
			connection, err := flags.Connect(command.ErrOrStderr())
			if err != nil {
				return err
			}
			return run(command.Context(), connection, args[0], asked, clock.RealClock{}, command.OutOrStdout(), command.ErrOrStderr())
		},
	}
	flags.AddTo(command.Flags())
	command.Flags().StringVar(&asked.uid, "uid", "", "the image IMAGE that had this metadata.uid, although it was deleted")
	command.Flags().IntVar(&asked.limit, "limit", defaultLimit, "show at most this many changes; 0 is no limit")
	asked.format.AddTo(command)
	return command
}

func run(ctx context.Context, connection *client.Connection, image string, asked *options, clock clock.PassiveClock, out, told io.Writer) error {
	page := &v1alpha1.ImageChanges{}
	changes, next, err := client.Pages(asked.limit, func(limit int, next string) ([]v1alpha1.ImageChange, string, error) {
		page = &v1alpha1.ImageChanges{}
		err := connection.ReadImage(ctx, image, "changes", map[string]string{"limit": strconv.Itoa(limit), "continue": next, "uid": asked.uid}, page)
		return page.Items, page.Continue, err
	})
	if err != nil {
		return err
	}
	if asked.format != "" {
		page.Items, page.Continue = changes, next
		if changes == nil {
			page.Items = []v1alpha1.ImageChange{} // not null, for programs
		}
		return asked.format.Print(page, out)
	}
	if len(changes) == 0 {
		_, err = fmt.Fprintf(told, "no change of image %s is recorded\n", image)
		return err
	}
	if err := table(changes, clock.Now(), out); err != nil || next == "" {
		return err
	}
	_, err = fmt.Fprintln(told, "there are more: --limit 0 shows all")
	return err
}

// table prints changes as kubectl prints its tables.
func table(changes []v1alpha1.ImageChange, now time.Time, out io.Writer) error {
	var shown metav1.Table
	for _, name := range []string{"Generation", "Age", "User", "Path", "From", "To"} {
		shown.ColumnDefinitions = append(shown.ColumnDefinitions, metav1.TableColumnDefinition{Name: name, Type: "string"})
	}
	text := func(value string) string {
		if value == "" {
			return "-"
		}
		return output.OneLine(value)
	}
	for _, change := range changes {
		age := "<unknown>"
		if change.Time != nil {
			age = duration.HumanDuration(now.Sub(change.Time.Time))
		}
		shown.Rows = append(shown.Rows, metav1.TableRow{Cells: []any{
			change.Generation, age, text(change.User), text(change.Path), text(change.From), text(change.To),
		}})
	}
	return printers.NewTablePrinter(printers.PrintOptions{}).PrintObj(&shown, out)
}
