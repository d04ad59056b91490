// SPDX-License-Identifier: Apache-2.0

// Package stats is the verb that shows statistics of the builds of an Image, or of all Images.
package stats

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/completion"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
)

type options struct {
	uid, since    string
	allNamespaces bool
	format        output.Format
}

// NewCommand returns the verb.
func NewCommand() *cobra.Command {
	asked := &options{}
	command := client.NewVerb(&cobra.Command{
		Use:   "stats [IMAGE]",
		Short: "Show success, durations, failures and tests of an image's builds",
		Long: "Show statistics of an image's builds that finished in the last 30 days, including deleted builds. --since " +
			"sets another time window. Without an IMAGE, show those of all images of the namespace. A fix is a build with newer packages: " +
			"its time begins when an archive has published them.",
		Example: "  goldsmith stats debian\n" +
			"  goldsmith stats debian --since 7d\n" +
			"  goldsmith stats --all-namespaces",
		Args:              client.Names("at most one argument, the name of an IMAGE", 0, client.Image),
		ValidArgsFunction: completion.Images,
		PreRunE:           asked.check,
	}, func(command *cobra.Command, connection *client.Connection, args []string) error {
		if len(args) == 0 {
			return runFleet(command.Context(), connection, asked, command.OutOrStdout(), command.ErrOrStderr())
		}
		return run(command.Context(), connection, args[0], asked, command.OutOrStdout(), command.ErrOrStderr())
	})
	command.Flags().StringVar(&asked.since, "since", "", "length of the time window until now, such as 7d or 36h (default 30d)")
	command.Flags().StringVar(&asked.uid, "uid", "", "UID of the image or deleted image")
	command.Flags().BoolVarP(&asked.allNamespaces, "all-namespaces", "A", false, "images of all namespaces")
	asked.format.AddTo(command)
	return command
}

// check refuses invalid combinations of flags and arguments.
func (o *options) check(_ *cobra.Command, args []string) error {
	switch {
	case len(args) == 0 && o.uid != "":
		return errors.New("--uid needs the name of the IMAGE")
	case len(args) > 0 && o.allNamespaces:
		return errors.New("--all-namespaces shows all images: omit the IMAGE, or set --namespace")
	}
	return nil
}

func run(ctx context.Context, connection *client.Connection, image string, asked *options, out, stderr io.Writer) error {
	stats := &v1alpha1.ImageStats{}
	if err := connection.ReadImage(ctx, image, "stats", map[string]string{"since": asked.since, "uid": asked.uid}, stats); err != nil {
		return err
	}
	switch {
	case asked.format.ForPrograms():
		return asked.format.Print(stats, out)
	case stats.Stats == nil:
		_, err := fmt.Fprintf(stderr, "no build of image %s is recorded\n", image)
		return err
	}
	return describe(image, stats, out)
}

// describe writes figures for people. A figure without data has no line.
func describe(image string, stats *v1alpha1.ImageStats, out io.Writer) error {
	lines := tabwriter.NewWriter(out, 0, 8, 3, ' ', 0)
	line := func(label, value string) {
		if value != "" {
			_, _ = fmt.Fprintf(lines, "%s\t%s\n", label, output.OneLine(value)) // the tabwriter keeps write errors until its Flush
		}
	}
	figures := stats.Stats
	line("IMAGE", image)
	line("window", duration.HumanDuration(figures.Window.Duration))
	line("builds", fmt.Sprintf("%d: %d succeeded, %d failed, %d cancelled; %d with more than one attempt",
		figures.Builds, figures.Succeeded, figures.Failed, figures.Cancelled, figures.Retried))
	if figures.OneOffs > 0 {
		line("one-off", fmt.Sprintf("%d more, counted in no other line", figures.OneOffs))
	}
	if figures.SuccessRate != nil {
		line("success", fmt.Sprintf("%d%%", *figures.SuccessRate))
	}
	line("duration", percentiles(figures.Durations))
	line("queue time", percentiles(figures.QueueTimes))
	line("failures", failures(figures.Failures))
	for _, count := range figures.Fixes {
		line("fix to "+count.Reached, fixes(&count))
	}
	if recovery := figures.MeanTimeToRecovery; recovery != nil {
		line("recoveries", fmt.Sprintf("%d, on average %s after the failure", figures.Recoveries, roundDuration(*recovery)))
	}
	if health := stats.Health; health != nil {
		line("health", strings.TrimSuffix(fmt.Sprintf("%d of 100: %s", health.Score, health.Message), ": "))
	}
	if err := lines.Flush(); err != nil || len(figures.Tests) == 0 {
		return err
	}
	return describeTests(figures.Tests, out)
}

// describeTests writes the figures of tests, after an empty line.
func describeTests(tests []v1alpha1.TestCount, out io.Writer) error {
	var rows [][]any
	for _, test := range tests {
		median := "<none>"
		if test.Duration != nil {
			median = roundDuration(*test.Duration)
		}
		rows = append(rows, []any{test.Name, test.Builds, test.Passed, test.Flaky, test.Failed, test.Errors, median})
	}
	if _, err := fmt.Fprintln(out); err != nil {
		return err
	}
	return output.Table([]string{"Test", "Builds", "Passed", "Flaky", "Failed", "Errors", "Median"}, rows, out)
}

func percentiles(of *v1alpha1.DurationPercentiles) string {
	if of == nil {
		return ""
	}
	return fmt.Sprintf("half within %s, nine of ten within %s", roundDuration(of.P50), roundDuration(of.P90))
}

// fixes describes how long fixes took.
func fixes(count *v1alpha1.FixCount) string {
	number := fmt.Sprintf("%d fixes", count.Count)
	if count.Count == 1 {
		number = "1 fix"
	}
	return fmt.Sprintf("half within %s, nine of ten within %s (%s)", duration.HumanDuration(count.Times.P50.Duration), duration.HumanDuration(count.Times.P90.Duration), number)
}

// roundDuration returns a duration with the precision that people need.
func roundDuration(d metav1.Duration) string {
	if d.Duration < time.Second {
		return d.Round(time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}

func failures(counts []v1alpha1.FailureCount) string {
	var all []string
	for _, count := range counts {
		all = append(all, fmt.Sprintf("%s %d", count.Class, count.Builds))
	}
	return strings.Join(all, ", ")
}
