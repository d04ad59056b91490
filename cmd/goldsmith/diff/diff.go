// SPDX-License-Identifier: Apache-2.0

// Package diff is the verb that compares two builds.
package diff

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/completion"
	"goldsmith.dev/goldsmith/cmd/goldsmith/output"
)

// NewCommand returns the verb.
func NewCommand() *cobra.Command {
	flags := &client.Flags{}
	var format output.Format
	command := &cobra.Command{
		Use:               "diff BUILD BUILD",
		Short:             "Show what is different between two builds: what went in, and what came out",
		Example:           "  goldsmith diff debian-3 debian-5",
		Args:              client.Names("the names of two BUILDs, the older one first", 2, 2),
		ValidArgsFunction: completion.ImageBuilds(flags),
		RunE: func(command *cobra.Command, args []string) error {
			connection, err := flags.Connect(command.ErrOrStderr())
			if err != nil {
				return err
			}
			return run(command.Context(), connection, args[0], args[1], format, command.OutOrStdout())
		},
	}
	flags.AddTo(command.Flags())
	format.AddTo(command)
	return command
}

func run(ctx context.Context, connection *client.Connection, from, to string, format output.Format, out io.Writer) error {
	difference := &v1alpha1.ImageBuildDiff{}
	err := connection.ImagesV1alpha1().RESTClient().Get().
		Namespace(connection.Namespace).Resource("imagebuilds").Name(to).SubResource("diff").Param("with", from).Do(ctx).Into(difference)
	for _, name := range []string{from, to} {
		if client.IsNotFound(err, "imagebuilds", name) {
			return fmt.Errorf("no build named %s in namespace %s", name, connection.Namespace)
		}
	}
	if err != nil {
		return fmt.Errorf("compare build %s with %s: %w", to, from, err)
	}
	if format != "" {
		return format.Print(difference, out)
	}
	return describe(difference, out)
}

// describe writes a difference for people: what went in above what came out.
func describe(difference *v1alpha1.ImageBuildDiff, out io.Writer) error {
	from, to := &difference.From, &difference.To
	lines := tabwriter.NewWriter(out, 0, 8, 3, ' ', 0)
	line := func(path, before, after string) {
		show := func(value string) string {
			if value == "" {
				return "-"
			}
			return output.OneLine(value)
		}
		_, _ = fmt.Fprintf(lines, "%s\t%s\t%s\n", output.OneLine(path), show(before), show(after)) // its errors are kept until it is flushed
	}
	line("BUILD", from.Name, to.Name)
	for _, change := range difference.Inputs {
		line(change.Path, change.From, change.To)
	}
	line("phase", outcome(from), outcome(to))
	line("attempts", strconv.Itoa(int(from.Attempts)), strconv.Itoa(int(to.Attempts)))
	line("duration", text(from.Duration), text(to.Duration))
	for _, change := range difference.Artifacts {
		line("artifacts["+change.Target+"]", short(change.From), short(change.To))
	}
	if err := lines.Flush(); err != nil || len(difference.Inputs) > 0 {
		return err
	}
	_, err := fmt.Fprintln(out, "their inputs are the same")
	return err
}

// short is as much of a digest as people compare.
func short(digest string) string {
	return digest[:min(len(digest), len("sha256:")+12)]
}

func outcome(build *v1alpha1.ComparedBuild) string {
	if build.Failure == "" {
		return string(build.Phase)
	}
	return fmt.Sprintf("%s (%s)", build.Phase, build.Failure)
}

func text(duration *metav1.Duration) string {
	if duration == nil {
		return ""
	}
	return duration.Duration.String()
}
