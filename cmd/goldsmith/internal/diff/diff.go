// SPDX-License-Identifier: Apache-2.0

// Package diff is the verb that compares two builds.
package diff

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/contents"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/completion"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
)

// NewCommand returns the verb.
func NewCommand() *cobra.Command {
	var format output.Format
	var from, to compared
	command := client.NewVerb(&cobra.Command{
		Use:   "diff [BUILD] BUILD",
		Short: "Compare the inputs, the packages and the results of two builds",
		Long: "Compare two builds: list the inputs and the packages that differ, then the results of both builds. With one BUILD, the command " +
			"compares the last good build with it: the newest earlier build of the image that succeeded and is not " +
			"one-off. Of many packages, only -o wide lists all. If the server has a records database, --uid and --second-uid also find deleted builds. " +
			"`goldsmith history IMAGE -o wide` shows the UID.",
		Example: "  goldsmith diff debian-5\n" +
			"  goldsmith diff debian-3 debian-5\n" +
			"  goldsmith diff debian-1 debian-5 --uid 4f0c1e0a-3c7e-4d3c-9d5e-0a3f6a1b2c3d",
		Args:              client.Names("the names of one or two BUILDs, the older one first", 1, client.ImageBuild, client.ImageBuild),
		ValidArgsFunction: completion.TwoImageBuilds,
	}, func(command *cobra.Command, connection *client.Connection, args []string) (err error) {
		from.name, to.name = args[0], args[len(args)-1]
		if len(args) == 1 {
			if from.uid != "" || to.uid != "" {
				return errors.New("--uid and --second-uid need the names of two builds")
			}
			if from.name, err = lastGood(command.Context(), connection, to.name); err != nil {
				return err
			}
		}
		return run(command.Context(), connection, from, to, format, command.OutOrStdout())
	})
	command.Flags().StringVar(&from.uid, "uid", "", "UID of the first build, which can be a deleted build")
	command.Flags().StringVar(&to.uid, "second-uid", "", "UID of the second build, which can be a deleted build")
	format.AddTo(command)
	return command
}

// compared is one of the two builds. Without a UID it is the existing build of the name.
type compared struct{ name, uid string }

// lastGood returns the name of the last good build before a build of the same image.
func lastGood(ctx context.Context, connection *client.Connection, name string) (string, error) {
	build, _, err := connection.FindBuild(ctx, client.ImageBuild, name)
	switch {
	case err != nil:
		return "", err
	case build == nil:
		return "", connection.NotFound(ctx, client.ImageBuild, name)
	case build.Spec.ImageRef == nil || build.Spec.Number == nil:
		return "", fmt.Errorf("build %s belongs to no image: name the build to compare with too, as in `goldsmith diff OTHER %[1]s`", name)
	}
	image := build.Spec.ImageRef
	good, err := connection.LastGoodBuild(ctx, build.Namespace, image.UID, *build.Spec.Number)
	switch {
	case err != nil:
		return "", err
	case good == nil:
		return "", fmt.Errorf("image %s has no successful build before %s", image.Name, name)
	}
	return good.Name, nil
}

func run(ctx context.Context, connection *client.Connection, from, to compared, format output.Format, out io.Writer) error {
	difference, err := connection.ReadDiff(ctx, to.name, map[string]string{"with": from.name, "uid": to.uid, "withUID": from.uid})
	for _, build := range []compared{from, to} {
		if build.uid == "" && client.IsNotFound(err, "imagebuilds", build.name) {
			return connection.NotFound(ctx, client.ImageBuild, build.name)
		}
	}
	if err != nil {
		return fmt.Errorf("compare build %s with %s: %w", to.name, from.name, err)
	}
	if format.ForPrograms() {
		return format.Print(difference, out)
	}
	return describe(difference, format == output.Wide, out)
}

// maxPackages is how many packages of one list people see without -o wide.
const maxPackages = 40

// describe writes a difference for people: first the inputs, then the packages and the results.
func describe(difference *v1alpha1.ImageBuildDiff, wide bool, out io.Writer) error {
	from, to := &difference.From, &difference.To
	lines := tabwriter.NewWriter(out, 0, 8, 3, ' ', 0)
	line := func(path, before, after string) {
		show := func(value string) string { return output.Value(value, "-") }
		_, _ = fmt.Fprintf(lines, "%s\t%s\t%s\n", output.OneLine(path), show(before), show(after)) // its errors are kept until it is flushed
	}
	line("BUILD", from.Name, to.Name)
	for _, change := range difference.Inputs {
		line(change.Path, change.From, change.To)
	}
	hidden := 0
	for i := range difference.Packages {
		changed := &difference.Packages[i]
		if len(changed.Changes) == 0 {
			continue
		}
		added, removed, _ := CountPackages(changed.Changes)
		label, shown := "packages", len(changed.Changes)
		if len(difference.Packages) > 1 {
			label += "[" + strings.Join(changed.Targets, ", ") + "]"
		}
		if !wide {
			shown = min(shown, maxPackages)
		}
		hidden += len(changed.Changes) - shown
		both := int(changed.Unchanged) + len(changed.Changes)
		line(label, strconv.Itoa(both-added), strconv.Itoa(both-removed))
		ambiguous := ofSeveralArchitectures(changed.Changes)
		for _, change := range changed.Changes[:shown] {
			name := change.Name
			if ambiguous[name] {
				name += ":" + change.Architecture
			}
			to := change.To
			if to == change.From {
				to += " (another file)"
			}
			line("package "+name, change.From, to)
		}
	}
	line("phase", outcome(from), outcome(to))
	line("attempts", strconv.Itoa(int(from.Attempts)), strconv.Itoa(int(to.Attempts)))
	line("duration", text(from.Duration), text(to.Duration))
	if from.Revoked != nil || to.Revoked != nil {
		line("revoked", revoked(from), revoked(to))
	}
	for _, change := range difference.Tests {
		line("test "+change.Name, string(change.From), string(change.To))
	}
	for _, change := range difference.Artifacts {
		before, after := contents.Abbreviate(change.From), contents.Abbreviate(change.To)
		if before == after {
			before, after = change.From, change.To
		}
		line("artifacts["+change.Target+"]", before, after)
	}
	if err := lines.Flush(); err != nil {
		return err
	}
	var remarks []string
	if hidden > 0 {
		remarks = append(remarks, fmt.Sprintf("%d more packages differ: -o wide lists them", hidden))
	}
	if difference.PackagesMessage != "" {
		remarks = append(remarks, "packages: "+difference.PackagesMessage)
	}
	if len(difference.Inputs) == 0 {
		remarks = append(remarks, "the inputs of both builds are the same")
	}
	for _, remark := range remarks {
		if _, err := fmt.Fprintln(out, output.OneLine(remark)); err != nil {
			return err
		}
	}
	return nil
}

// ofSeveralArchitectures returns the names that packages of several architectures have.
func ofSeveralArchitectures(changes []v1alpha1.PackageChange) map[string]bool {
	first, several := map[string]string{}, map[string]bool{}
	for _, change := range changes {
		if architecture, known := first[change.Name]; known && architecture != change.Architecture {
			several[change.Name] = true
		}
		first[change.Name] = change.Architecture
	}
	return several
}

// CountPackages returns how many packages were added, removed and changed.
func CountPackages(changes []v1alpha1.PackageChange) (added, removed, changed int) {
	for _, change := range changes {
		switch {
		case change.From == "":
			added++
		case change.To == "":
			removed++
		default:
			changed++
		}
	}
	return added, removed, changed
}

func outcome(build *v1alpha1.ComparedBuild) string {
	if build.Failure == "" {
		return string(build.Phase)
	}
	return fmt.Sprintf("%s (%s)", build.Phase, build.Failure)
}

// revoked tells from when on a build is revoked, by whom, and why.
func revoked(build *v1alpha1.ComparedBuild) string {
	if build.Revoked == nil {
		return ""
	}
	return build.Revoked.Since().UTC().Format(time.RFC3339) + strings.TrimPrefix(build.Revoked.Explain(), "revoked")
}

func text(duration *metav1.Duration) string {
	if duration == nil {
		return ""
	}
	return duration.Duration.String()
}
