// SPDX-License-Identifier: Apache-2.0

// Package show is the verb that describes one build: how it ended or why it waits, why it ran, and the next step.
package show

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/completion"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/explain"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/follow"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/history"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
)

type options struct {
	kind   client.Kind
	name   string
	format output.Format
	style  output.Style
	// program is the name by which users run this program. connection has the flags that name the server. The next step
	// contains both.
	program, connection string
	clock               clock.PassiveClock
}

// NewCommand returns the verb.
func NewCommand() *cobra.Command {
	asked := &options{clock: clock.RealClock{}}
	command := client.NewVerb(&cobra.Command{
		Use:   "show NAME",
		Short: "Show a build: its outcome, its cause, and the next step",
		Long: "Show a build, or the latest build of an image. The output has the trigger, the changed inputs and " +
			"the outcome. For a waiting build, it has the reason of the wait. The output also has the end of a " +
			"failed attempt's log, the artifacts, the number of packages, the number of known vulnerabilities, the channels, and the next step. For a deleted build, the command shows the " +
			"record, if the server has a records database.",
		Example: "  goldsmith show debian-7\n" +
			"  goldsmith show debian",
		Args:              client.OneName("the NAME of a build or an image", client.Either),
		ValidArgsFunction: completion.ImagesAndImageBuilds,
	}, func(command *cobra.Command, connection *client.Connection, args []string) (err error) {
		if asked.kind, asked.name, err = client.SplitName(args[0]); err != nil {
			return err
		}
		asked.style = output.StyleOf(command, command.OutOrStdout())
		asked.program, asked.connection = command.Root().DisplayName(), follow.ConnectionFlags(command)
		return run(command.Context(), connection, asked, command.OutOrStdout())
	})
	asked.format.AddTo(command)
	return command
}

func run(ctx context.Context, connection *client.Connection, asked *options, out io.Writer) error {
	build, err := find(ctx, connection, asked)
	if err != nil {
		return err
	}
	if build == nil {
		return showDeleted(ctx, connection, asked, out)
	}
	if asked.format.ForPrograms() {
		return asked.format.Print(build, out)
	}
	page := &page{build: build, asked: asked}
	page.compare(ctx, connection)
	page.countPackages(ctx, connection)
	page.readVulnerabilities(ctx, connection)
	page.readLog(ctx, connection)
	page.readImage(ctx, connection)
	page.findRevoked(ctx, connection)
	if build.Status.Failure != nil {
		page.reason, _ = explain.OfFailure(ctx, connection, build)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return page.write(output.Colours(out))
}

// find returns the build of the name, or the newest build of the Image of the name. It returns nil if neither exists.
func find(ctx context.Context, connection *client.Connection, asked *options) (*v1alpha1.ImageBuild, error) {
	build, image, err := connection.FindBuild(ctx, asked.kind, asked.name)
	if build != nil || image == nil || err != nil {
		return build, err
	}
	if err := client.StalledWithoutBuild(image, "image "+image.Name, image.Name); err != nil {
		return nil, err
	}
	if cause, _ := client.Delay(image); cause != "" {
		return nil, fmt.Errorf("image %s has no build yet: %s", image.Name, cause)
	}
	return nil, fmt.Errorf("image %s has no build yet: to see what would start a build, run `%s plan %s%s`", image.Name, asked.program, image.Name, asked.connection)
}

// showDeleted shows the record of a deleted build. Without a record, deleted returns the error that the name does not
// exist.
func showDeleted(ctx context.Context, connection *client.Connection, asked *options, out io.Writer) error {
	err := connection.NotFound(ctx, asked.kind, asked.name)
	deleted, ok := errors.AsType[*client.DeletedBuildError](err)
	if !ok {
		return err
	}
	record := deleted.Record
	image := asked.name[:strings.LastIndex(asked.name, "-")]
	if asked.format.ForPrograms() {
		return fmt.Errorf("build %s was deleted: to print the record, run `%s history %s%s -o %s`", asked.name, asked.program, image, asked.connection, output.JSON)
	}
	if _, err := fmt.Fprintf(out, "build %s was deleted; its record:\n", asked.name); err != nil {
		return err
	}
	if err := history.Table([]v1alpha1.BuildRecord{*record}, record.ImageUID, false, asked.clock.Now(), out); err != nil {
		return err
	}
	if record.Message != "" {
		if _, err := fmt.Fprintf(out, "it was started because of %s: %s\n", record.Trigger, output.OneLine(record.Message)); err != nil {
			return err
		}
	}
	if record.Failure != nil && record.Failure.Message != "" {
		if _, err := fmt.Fprintln(out, output.OneLine(follow.Failure(record.Failure))); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(out, "its log, if it is archived: %s logs %s%s --uid %s\n", asked.program, asked.name, asked.connection, record.UID)
	return err
}
