// SPDX-License-Identifier: Apache-2.0

// Package queue is the verb that shows which builds wait, in the order in which they will start.
package queue

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
)

type options struct {
	client.Selection
	format output.Format
}

// NewCommand returns the verb.
func NewCommand() *cobra.Command {
	asked := &options{}
	command := client.NewVerb(&cobra.Command{
		Use:   "queue",
		Short: "List the queued builds in the order of the queue",
		Long: "List the queued builds in the order in which they would start if nothing changes. POSITION is " +
			"the place in the queue of all namespaces. STARTS is an estimate from earlier builds of the image. " +
			"Builds that wait for Kueue come last, without a position, because Kueue decides their order.",
		Example: "  goldsmith queue --all-namespaces\n" +
			"  goldsmith queue -l images.goldsmith.dev/image=debian",
		Args: cobra.NoArgs,
	}, func(command *cobra.Command, connection *client.Connection, _ []string) error {
		return run(command.Context(), connection, asked, clock.RealClock{}, command.OutOrStdout(), command.ErrOrStderr())
	})
	asked.AddTo(command.Flags())
	asked.format.AddTo(command)
	return command
}

func run(ctx context.Context, connection *client.Connection, asked *options, clock clock.PassiveClock, out, stderr io.Writer) error {
	selected, err := asked.Options(fields.Everything())
	if err != nil {
		return err
	}
	namespace := asked.Namespace(connection)
	builds, err := connection.ImagesV1alpha1().QueuedBuilds(namespace).List(ctx, selected)
	if err != nil {
		return fmt.Errorf("list the queued builds: %w", err)
	}
	if builds.Items == nil {
		builds.Items = []v1alpha1.QueuedBuild{} // programs read [] instead of null
	}
	slices.SortStableFunc(builds.Items, func(a, b v1alpha1.QueuedBuild) int {
		last := func(position int32) int32 { // builds that Kueue holds have no position
			if position == 0 {
				return math.MaxInt32
			}
			return position
		}
		return cmp.Compare(last(a.Status.Position), last(b.Status.Position))
	})
	switch {
	case asked.format.ForPrograms():
		return asked.format.Print(builds, out)
	case len(builds.Items) > 0:
		return table(builds.Items, asked.AllNamespaces, clock.Now(), out)
	case asked.Labels != "" || asked.Fields != "":
		_, err = fmt.Fprintln(stderr, "no such build is queued")
	case asked.AllNamespaces:
		_, err = fmt.Fprintln(stderr, "no build is queued")
	default:
		_, err = fmt.Fprintf(stderr, "no build is queued in namespace %s\n", namespace)
	}
	return err
}

// waitTime returns how long a build has waited.
func waitTime(build *v1alpha1.QueuedBuild, now time.Time) string {
	since := build.Status.QueuedTime
	if since == nil {
		since = &build.CreationTimestamp
	}
	return duration.HumanDuration(now.Sub(since.Time))
}

// starts returns when a build would start.
func starts(build *v1alpha1.QueuedBuild, now time.Time) string {
	estimate := build.Status.EstimatedStartTime
	switch {
	case estimate == nil:
		return "<unknown>"
	case !estimate.After(now):
		return "now"
	}
	return "in " + duration.HumanDuration(estimate.Sub(now))
}
