// SPDX-License-Identifier: Apache-2.0

// Package logs is the verb that shows the log of a build, or of an Image's latest build.
package logs

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/printers"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/completion"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/exit"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/follow"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
)

// NewCommand returns the verb.
func NewCommand() *cobra.Command {
	asked := &flags{}
	var options *v1alpha1.ImageBuildLogOptions
	command := client.NewVerb(&cobra.Command{
		Annotations: map[string]string{output.Unescaped: ""},
		Use:         "logs NAME",
		Short:       "Show the log of a build, or of an image's latest build",
		Long: "Show the log of a build, or of an image's latest build. Without --attempt, the command shows the log of the " +
			"current attempt. If that tests the artifacts, it shows the log of the attempt that made them before, unless --tail or --limit-bytes is set. With --test, it shows the lines of one test, of the attempt that ran the test. With -f, the command waits until the build has finished. If the image has no build " +
			"yet, -f also waits for the first build. With -f, the command also prints to standard error: the " +
			"reason of each wait, the start of each attempt, and the outcome.\n\nFor an object of the catalog, such as debianserver/web, " +
			"the command shows the running or latest build, or that of --build. It needs no permissions for images.\n\n" + exit.Help,
		Example:           "  goldsmith logs debian -f\n  goldsmith logs debian-7 --since 10m --timestamps\n  goldsmith logs debian-7 --test web\n  goldsmith logs debianserver/web -f",
		Args:              client.OneName("the NAME of a build or an image", client.Either),
		ValidArgsFunction: completion.ImagesAndImageBuilds,
		PreRunE: func(command *cobra.Command, _ []string) (err error) {
			options, err = asked.options(command.Flags().Changed, time.Now())
			return err
		},
	}, func(command *cobra.Command, connection *client.Connection, args []string) error {
		out := command.OutOrStdout()
		if printers.IsTerminal(out) && !asked.raw {
			out = output.NewEscaping(out)
		}
		if object := client.ObjectOf(command.Context()); object != nil {
			return asked.ofObject(command, connection, object, options, out)
		}
		if command.Flags().Changed("build") {
			return fmt.Errorf("--build selects a build of an object of the catalog, such as debianserver/web, but %s is none: omit --build, and use the name of the build", args[0])
		}
		kind, build, err := client.SplitName(args[0])
		switch {
		case err != nil:
		case options.UID == "":
			wanted := &wanted{name: build, kind: kind, line: client.Line(command, args), clock: clock.RealClock{}}
			build, err = wanted.find(command.Context(), connection, options.Follow, command.ErrOrStderr())
		case kind == client.Image:
			err = fmt.Errorf("--uid selects a build, but %s is an image: name a build, or omit --uid", args[0])
		}
		if err != nil {
			return err
		}
		lines, err := asked.selectTest(command.Context(), options, connection, build, command.ErrOrStderr())
		if err != nil {
			return err
		}
		if options.Follow && options.UID == "" {
			return followToEnd(command, options, lines, out, func(show follow.Options) (*v1alpha1.ImageBuild, error) {
				return follow.Build(command.Context(), connection, build, show)
			})
		}
		if err := copyBefore(command.Context(), options, connection, build, out); err != nil {
			return err
		}
		return follow.Copy(command.Context(), connection.Log(build, *options), "build "+build, lines, out)
	})
	asked.addTo(command)
	return command
}

// followToEnd shows the log of a build until the build has finished. The error has the exit code of the outcome. With --attempt, there is
// no such error, because the build may continue after the attempt.
func followToEnd(command *cobra.Command, options *v1alpha1.ImageBuildLogOptions, lines *follow.TestLines, out io.Writer, build func(follow.Options) (*v1alpha1.ImageBuild, error)) error {
	show := follow.OptionsOf(command)
	show.Log, show.Lines, show.Out, show.NeedsLog = *options, lines, out, true
	finished, err := build(show)
	if err != nil || options.Attempt != nil {
		return err
	}
	return follow.Outcome(finished)
}

// ofObject shows the log of a build of an object of the catalog. With -f, it waits for the first build.
func (f *flags) ofObject(command *cobra.Command, connection *client.Connection, object *client.Object, options *v1alpha1.ImageBuildLogOptions, out io.Writer) error {
	ctx := command.Context()
	switch {
	case options.UID != "":
		return fmt.Errorf("--uid selects a build, but %s is an object of the catalog: use --build NUMBER", object)
	case command.Flags().Changed("build") && f.build < 1:
		return fmt.Errorf("--build %d: must be 1 or more", f.build)
	case f.test != "":
		return fmt.Errorf("--test selects a test of a build, but %s is an object of the catalog: omit --test; each line of the log begins with the name of its test", object)
	case !options.Follow:
		return follow.Copy(ctx, connection.ObjectLog(object, f.build, *options), object.String(), nil, out)
	}
	build, err := f.buildOf(ctx, connection, object, command.ErrOrStderr())
	if err != nil {
		return err
	}
	return followToEnd(command, options, nil, out, func(show follow.Options) (*v1alpha1.ImageBuild, error) {
		return follow.ObjectBuild(ctx, connection, object, build, show)
	})
}

type flags struct {
	follow     bool
	tail       int64
	since      string
	sinceTime  string
	timestamps bool
	limitBytes int64
	attempt    int32
	build      int64
	uid        string
	test       string
	raw        bool
}

func (f *flags) addTo(command *cobra.Command) {
	set := command.Flags()
	set.BoolVarP(&f.follow, "follow", "f", false, "live output of the log, until the build has finished")
	set.Int64Var(&f.tail, "tail", 0, "number of lines from the end (default: all lines)")
	set.StringVar(&f.since, "since", "", "earliest time of the lines, as an age such as 10m, 2h or 7d, or in RFC 3339")
	set.StringVar(&f.sinceTime, "since-time", "", "earliest time of the lines, in RFC 3339")
	set.BoolVar(&f.timestamps, "timestamps", false, "timestamp before each line")
	set.Int64Var(&f.limitBytes, "limit-bytes", 0, "maximum number of bytes (default: no limit)")
	set.Int32Var(&f.attempt, "attempt", 0, "number of the attempt, from 1 (default: the current attempt)")
	set.StringVar(&f.test, "test", "", "`name` of a test whose lines are shown, without the name")
	set.Int64Var(&f.build, "build", 0, "number of the build of an object of the catalog, from 1 (default: the running or latest build)")
	set.BoolVar(&f.raw, "raw", false, "unchanged log, with control characters that can change the terminal")
	set.StringVar(&f.uid, "uid", "", "UID of the build, or of a deleted build with an archived log")
	command.MarkFlagsMutuallyExclusive("since", "since-time")
	command.MarkFlagsMutuallyExclusive("test", "limit-bytes")
	if err := command.RegisterFlagCompletionFunc("test", completion.Value(completeTests)); err != nil {
		panic(err) // cannot fail: the lines above add the flag
	}
}

// options returns the options for the server, which validates them. A flag that the user did not set has no option, so
// that the server applies its default.
func (f *flags) options(given func(flag string) bool, now time.Time) (*v1alpha1.ImageBuildLogOptions, error) {
	if err := f.validateTest(given); err != nil {
		return nil, err
	}
	options := &v1alpha1.ImageBuildLogOptions{Follow: f.follow, Timestamps: f.timestamps, UID: f.uid}
	if given("tail") {
		options.TailLines = &f.tail
	}
	if given("limit-bytes") {
		options.LimitBytes = &f.limitBytes
	}
	if given("attempt") {
		options.Attempt = &f.attempt
	}
	if given("since") {
		since, err := sinceTime(f.since, now)
		if err != nil {
			return nil, err
		}
		options.SinceTime = &metav1.Time{Time: since}
	}
	if given("since-time") {
		since, err := time.Parse(time.RFC3339, f.sinceTime)
		if err != nil {
			return nil, fmt.Errorf("--since-time %q: must be a time, such as 2006-01-02T15:04:05Z", f.sinceTime)
		}
		options.SinceTime = &metav1.Time{Time: since}
	}
	return options, nil
}

// sinceTime returns the time of a --since value: an age before now, or a time.
func sinceTime(value string, now time.Time) (time.Time, error) {
	if at, err := time.Parse(time.RFC3339, value); err == nil {
		return at, nil
	}
	age, err := v1alpha1.ParseDuration(value)
	if err != nil || age <= 0 {
		return time.Time{}, fmt.Errorf("--since %q: must be a duration, such as 10m or 7d, or a time, such as 2006-01-02T15:04:05Z", value)
	}
	return now.Add(-age), nil
}
