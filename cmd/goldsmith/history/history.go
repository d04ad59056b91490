// SPDX-License-Identifier: Apache-2.0

// Package history is the verb that shows the builds of an Image, those that are gone as well.
package history

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

// defaultLimit is how many builds people read.
const defaultLimit = 30

// options are what somebody wants to know. What builds have to fit is the server's to judge.
type options struct {
	uid, outcome, trigger, user, since, until string

	limit  int
	format output.Format
}

// NewCommand returns the verb.
func NewCommand() *cobra.Command {
	flags := &client.Flags{}
	asked := &options{}
	command := &cobra.Command{
		Use:   "history IMAGE",
		Short: "Show the builds of an image, the newest first, although they were deleted",
		Long: "Show the builds of an image as they are recorded, the newest first, whether they are still there or not. With its\n" +
			"name and UID a build that is gone can be asked for its log, and compared with others.",
		Example: "  goldsmith history debian\n" +
			"  goldsmith history debian --outcome Failed --since 720h\n" +
			"  goldsmith history debian --uid 4f0c1e0a-3c7e-4d3c-9d5e-0a3f6a1b2c3d",
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
	asked.addTo(command)
	return command
}

func (o *options) addTo(command *cobra.Command) {
	set := command.Flags()
	set.StringVar(&o.uid, "uid", "", "the image IMAGE that had this metadata.uid, although it was deleted")
	set.StringVar(&o.outcome, "outcome", "", "only builds in this phase, such as Succeeded, Failed or Cancelled")
	set.StringVar(&o.trigger, "trigger", "", "only builds that were started by this: Created, SpecChange, BaseChange, Schedule, Manual or Rerun")
	set.StringVar(&o.user, "user", "", "only builds that this user asked for")
	set.StringVar(&o.since, "since", "", "only builds that were created since: a duration before now, such as 720h, or a time (RFC 3339)")
	set.StringVar(&o.until, "until", "", "only builds that were created before: a duration before now, or a time (RFC 3339)")
	set.IntVar(&o.limit, "limit", defaultLimit, "show at most this many builds; 0 is no limit")
	o.format.AddTo(command)
}

func run(ctx context.Context, connection *client.Connection, image string, asked *options, clock clock.PassiveClock, out, told io.Writer) error {
	history := &v1alpha1.ImageHistory{}
	builds, next, err := client.Pages(asked.limit, func(limit int, next string) ([]v1alpha1.BuildRecord, string, error) {
		history = &v1alpha1.ImageHistory{}
		err := connection.ReadImage(ctx, image, "history", map[string]string{
			"limit": strconv.Itoa(limit), "continue": next, "uid": asked.uid, "outcome": asked.outcome, "trigger": asked.trigger,
			"user": asked.user, "since": asked.since, "until": asked.until,
		}, history)
		return history.Items, history.Continue, err
	})
	if err != nil {
		return err
	}
	if asked.format == output.Name {
		return names(builds, out)
	}
	if asked.format != "" {
		history.Items, history.Continue = builds, next
		if builds == nil {
			history.Items = []v1alpha1.BuildRecord{} // not null, for programs
		}
		return asked.format.Print(history, out)
	}
	if len(builds) == 0 {
		_, err = fmt.Fprintf(told, "no such build of image %s is recorded\n", image)
		return err
	}
	if err := table(builds, clock.Now(), out); err != nil || next == "" {
		return err
	}
	_, err = fmt.Fprintln(told, "there are more: --limit 0 shows all")
	return err
}

// names prints the names of builds as those that are there are named, so that they can be given to other programs.
func names(builds []v1alpha1.BuildRecord, out io.Writer) error {
	list := &v1alpha1.ImageBuildList{}
	for i := range builds {
		list.Items = append(list.Items, v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Name: builds[i].Name}})
	}
	format := output.Format(output.Name)
	return format.Print(list, out)
}

// table prints builds as kubectl prints its tables.
func table(builds []v1alpha1.BuildRecord, now time.Time, out io.Writer) error {
	var shown metav1.Table
	for _, name := range []string{"Name", "Phase", "Why", "Trigger", "By", "Attempts", "Waited", "Took", "Age", "UID"} {
		shown.ColumnDefinitions = append(shown.ColumnDefinitions, metav1.TableColumnDefinition{Name: name, Type: "string"})
	}
	for i := range builds {
		build := &builds[i]
		why := ""
		if build.Failure != nil {
			why = string(build.Failure.Reason)
		}
		shown.Rows = append(shown.Rows, metav1.TableRow{Cells: []any{
			build.Name, string(build.Phase), or(why), or(string(build.Trigger)), or(output.OneLine(build.RequestedBy)), build.Attempts,
			took(build.QueueTime), took(build.Duration), age(build.CreationTime, now), string(build.UID),
		}})
	}
	return printers.NewTablePrinter(printers.PrintOptions{}).PrintObj(&shown, out)
}

func or(text string) string {
	if text == "" {
		return "<none>"
	}
	return text
}

func took(d *metav1.Duration) string {
	if d == nil {
		return "<none>"
	}
	return duration.HumanDuration(d.Duration)
}

func age(created *metav1.Time, now time.Time) string {
	if created == nil {
		return "<unknown>"
	}
	return duration.HumanDuration(now.Sub(created.Time))
}
