// SPDX-License-Identifier: Apache-2.0

// Package history is the verb that lists the builds of an Image, including deleted builds.
package history

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/completion"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/listing"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
)

// options are the flags of the verb. The server validates the selection, except outcome and trigger.
type options struct {
	listing.Flags
	outcome, trigger   choice
	user, since, until string
	deleted            bool
}

// NewCommand returns the verb.
func NewCommand() *cobra.Command {
	asked := &options{outcome: outcomes(), trigger: triggers()}
	command := client.NewVerb(&cobra.Command{
		Use:   "history {IMAGE | --deleted [IMAGE]}",
		Short: "List the builds of an image, newest first, including deleted builds",
		Long: "List the recorded builds of an image, newest first, including deleted builds and builds of earlier " +
			"images of the same name. A build that was deleted before it had finished has the phase Deleted. " +
			"With -o wide, the command also shows users, UIDs, and the message with which each build was started. `logs`, `diff`, `packages` and `rerun` find a deleted build " +
			"by its name and its UID. With --deleted, list deleted images, newest deletion first. To list the " +
			"builds of a deleted image, set --uid to the UID of the image.",
		Example: "  goldsmith history debian\n" +
			"  goldsmith history debian --outcome failed --since 30d\n" +
			"  goldsmith history debian -o wide\n" +
			"  goldsmith history debian --uid 4f0c1e0a-3c7e-4d3c-9d5e-0a3f6a1b2c3d\n" +
			"  goldsmith history --deleted",
		Args:              client.Names("one argument, the name of an IMAGE, or none with --deleted", 0, client.Image),
		ValidArgsFunction: completion.Images,
		PreRunE:           asked.check,
	}, func(command *cobra.Command, connection *client.Connection, args []string) error {
		image := strings.Join(args, "") // at most one argument
		if asked.deleted {
			return runDeleted(command.Context(), connection, image, asked, clock.RealClock{}, command.OutOrStdout(), command.ErrOrStderr())
		}
		return run(command.Context(), connection, image, asked, clock.RealClock{}, command.OutOrStdout(), command.ErrOrStderr())
	})
	asked.addTo(command)
	return command
}

func (o *options) addTo(command *cobra.Command) {
	o.AddTo(command, "builds or deleted images", "UID of the image or deleted image")
	set := command.Flags()
	o.outcome.addTo(command, "outcome", "case-insensitive `phase` of the builds")
	o.trigger.addTo(command, "trigger", "case-insensitive `trigger` of the builds")
	set.StringVar(&o.user, "user", "", "`user` who requested the builds")
	set.StringVar(&o.since, "since", "", "earliest creation `time` of the builds, as an age such as 7d or 36h, or in RFC 3339")
	set.StringVar(&o.until, "until", "", "latest creation `time` of the builds, as an age or in RFC 3339")
	set.BoolVar(&o.deleted, "deleted", false, "list of deleted images with their UIDs, instead of builds")
}

// check refuses invalid combinations of flags and arguments.
func (o *options) check(command *cobra.Command, args []string) error {
	switch {
	case !o.deleted && len(args) == 0:
		return fmt.Errorf("name an IMAGE, or set --deleted: see `%s --help`", command.CommandPath())
	case o.deleted && (o.UID != "" || o.outcome.chosen != "" || o.trigger.chosen != "" || o.user != "" || o.since != "" || o.until != ""):
		return errors.New("--deleted lists images: omit --outcome, --trigger, --user, --since, --until and --uid, which select builds")
	}
	return o.Check()
}

func run(ctx context.Context, connection *client.Connection, image string, asked *options, clock clock.PassiveClock, out, stderr io.Writer) error {
	var page *v1alpha1.ImageHistory // the page that was read last
	builds := listing.Records[v1alpha1.BuildRecord]{
		Subresource: "history",
		Parameters: map[string]string{
			"outcome": asked.outcome.chosen, "trigger": asked.trigger.chosen, "user": asked.user, "since": asked.since, "until": asked.until,
		},
		NewPage: func() listing.Page[v1alpha1.BuildRecord] {
			page = &v1alpha1.ImageHistory{}
			return listing.Page[v1alpha1.BuildRecord]{Object: page, Items: &page.Items, Continue: &page.Continue}
		},
		None: fmt.Sprintf("no such build of image %s is recorded", image),
		Print: func(builds []v1alpha1.BuildRecord, out io.Writer) error {
			return Table(builds, page.UID, asked.Format == output.Wide, clock.Now(), out)
		},
		Names: names,
	}
	return builds.Show(ctx, connection, image, &asked.Flags, out, stderr)
}

// runDeleted lists the deleted images of a name, or all deleted images if the name is empty.
func runDeleted(ctx context.Context, connection *client.Connection, name string, asked *options, clock clock.PassiveClock, out, stderr io.Writer) error {
	images := listing.Records[v1alpha1.ImageReport]{
		Read: connection.ReadDeletedImages,
		NewPage: func() listing.Page[v1alpha1.ImageReport] {
			page := &v1alpha1.ImageReportList{}
			return listing.Page[v1alpha1.ImageReport]{Object: page, Items: &page.Items, Continue: &page.Continue}
		},
		None: "no deleted image is recorded in namespace " + connection.Namespace,
		Print: func(images []v1alpha1.ImageReport, out io.Writer) error {
			var rows [][]any
			for i := range images {
				rows = append(rows, []any{images[i].Name, deletionAge(images[i].DeletionTimestamp, clock.Now()), string(images[i].UID)})
			}
			return output.Table([]string{"Name", "Deleted", "UID"}, rows, out)
		},
	}
	return images.Show(ctx, connection, name, &asked.Flags, out, stderr)
}

// names prints the names of recorded builds in the format for existing builds, so that other programs accept the names.
func names(builds []v1alpha1.BuildRecord, out io.Writer) error {
	list := &v1alpha1.ImageBuildList{}
	for i := range builds {
		list.Items = append(list.Items, v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Name: builds[i].Name}})
	}
	format := output.Format(output.Name)
	return format.Print(list, out)
}

// narrow has the columns that fit in 80 characters. wide has the columns that -o wide adds.
var (
	narrow = []string{"Name", "Phase", "Why", "Trigger", "Took", "Age"}
	wide   = []string{"Attempts", "Waited", "OneOff", "By", "Deleted", "UID", "Source", "Message"}
)

// Table prints builds as kubectl prints its tables. If all is true and some builds belong to earlier images of the name, the last
// column has the UID of each earlier image.
func Table(builds []v1alpha1.BuildRecord, image types.UID, all bool, now time.Time, out io.Writer) error {
	earlier := all && slices.ContainsFunc(builds, func(build v1alpha1.BuildRecord) bool { return build.ImageUID != image })
	var rows [][]any
	for i := range builds {
		build := &builds[i]
		row := []any{build.Name, phase(build), orNone(why(build, all, now)), orNone(string(build.Trigger)), formatDuration(build.Duration), age(build.CreationTime, now)}
		if all {
			row = append(row, build.Attempts, formatDuration(build.QueueTime), strconv.FormatBool(build.OneOff), orNone(output.OneLine(build.RequestedBy)),
				deletionAge(build.DeletionTime, now), string(build.UID), orNone(output.OneLine(output.Source(build.Source))), orNone(output.OneLine(build.Message)))
		}
		switch {
		case earlier && build.ImageUID != image:
			row = append(row, string(build.ImageUID))
		case earlier:
			row = append(row, orNone(""))
		}
		rows = append(rows, row)
	}
	columns := narrow
	if all {
		columns = slices.Concat(narrow, wide)
	}
	if earlier {
		columns = append(columns, "Earlier image")
	}
	return output.Table(columns, rows, out)
}

// phase returns the phase of a build, or "Deleted" for a build that was deleted before it had finished.
func phase(build *v1alpha1.BuildRecord) string {
	if build.DeletionTime != nil && !build.Phase.Finished() {
		return "Deleted"
	}
	return string(build.Phase)
}

// widthOfWhy is how many characters of a reason with the names of tests fit in 80 columns.
const widthOfWhy = 22

// why returns that a build is revoked, or why it failed, with the names of the tests that did not pass.
func why(build *v1alpha1.BuildRecord, all bool, now time.Time) string {
	switch {
	case build.Revoked.InEffect(now):
		return string(v1alpha1.ReasonRevoked)
	case build.Failure == nil:
		return ""
	}
	text := string(build.Failure.Reason)
	if len(build.FailedTests) == 0 {
		return text
	}
	text += ": " + strings.Join(build.FailedTests, ", ")
	if all {
		return text
	}
	return output.Cut(text, widthOfWhy)
}

func orNone(text string) string {
	if text == "" {
		return "<none>"
	}
	return text
}

func formatDuration(d *metav1.Duration) string {
	if d == nil {
		return "<none>"
	}
	return duration.HumanDuration(d.Duration)
}

// deletionAge returns how long ago an object was deleted, or "<none>" if the object exists.
func deletionAge(at *metav1.Time, now time.Time) string {
	if at == nil {
		return "<none>"
	}
	return duration.HumanDuration(now.Sub(at.Time)) + " ago"
}

func age(created *metav1.Time, now time.Time) string {
	if created == nil {
		return "<unknown>"
	}
	return duration.HumanDuration(now.Sub(created.Time))
}
