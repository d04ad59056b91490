// SPDX-License-Identifier: Apache-2.0

// Package test is the verb that runs the tests of an image: on this machine, or again on the server.
package test

import (
	"context"
	"errors"
	"io"

	"github.com/spf13/cobra"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/builders/tester"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/artifacts"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/completion"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/exit"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/follow"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
)

type options struct {
	manifest, junit, target, message, requestID string
	only                                        []string
	here, keep, plainHTTP                       bool

	in          io.Reader
	out, stderr io.Writer
	style       output.Style
	clock       clock.Clock
	// show is how the build of the server is shown.
	show follow.Options
	// connect connects to the server.
	connect func() (*client.Connection, error)
	// run runs tests on this machine.
	run func(context.Context, tester.Options) (*tester.Report, error)
}

// NewCommand returns the verb.
func NewCommand() *cobra.Command {
	return newCommand(&options{clock: clock.RealClock{}, run: tester.Run})
}

func newCommand(asked *options) *cobra.Command {
	command := &cobra.Command{
		Use:   "test IMAGE[@CHANNEL]|BUILD|FILE",
		Short: "Run the tests of an image, on the server or on this machine",
		Long: "Test the artifacts of a build, of an image's latest successful build, or of the build that a channel names, again on the server. The " +
			"server starts a build that tests these artifacts and makes none. The command prints the name of that build, and waits for it.\n\n" +
			"A FILE is a disk on this machine, raw or qcow2, and is tested on this machine, without a server. With --here, -f, --keep or --target, the disk of a build " +
			"is fetched, verified, and tested on this machine too. QEMU boots private copies, which never change the disk. The tests are those of the Image in the " +
			"manifest of -f, or else those of the build. Without any, the only test is that the disk boots until multi-user.target. A file for goss is one of " +
			"spec.source, or a file beside the manifest. Tests with a runner run on the server only.\n\n" +
			"The standard output has a table of the results. If a test fails, the standard error has the checks that failed, and the last lines of the guest's " +
			"console. With --keep, the guest of the first test that fails runs on until Ctrl-C, and the command shows how to log in with SSH.\n\n" + exit.Help,
		Example: "  goldsmith test server-7\n" +
			"  goldsmith test server@stable --here --only web --keep\n" +
			"  goldsmith test ./server.qcow2 -f image.yaml --junit report.xml",
		Args:              takesSubject,
		ValidArgsFunction: completion.ArtifactSourcesAndFiles,
		RunE: func(command *cobra.Command, args []string) error {
			asked.in, asked.out, asked.stderr = command.InOrStdin(), command.OutOrStdout(), output.Colours(command.ErrOrStderr())
			asked.style = output.StyleOf(command, command.ErrOrStderr())
			asked.show = follow.OptionsOf(command)
			asked.connect = func() (*client.Connection, error) { return client.FlagsOf(command).Connect(command.ErrOrStderr()) }
			return asked.test(command.Context(), args[0])
		},
	}
	client.AddFlags(command)
	set := command.Flags()
	set.StringVarP(&asked.manifest, "filename", "f", "", "`file` with an Image, whose tests run on this machine; - is standard input")
	set.StringArrayVar(&asked.only, "only", nil, "`name` of a test to run; can be repeated (default: all tests)")
	set.BoolVar(&asked.here, "here", false, "tests on this machine instead of the server")
	set.BoolVar(&asked.keep, "keep", false, "the guest of the first test that fails, until Ctrl-C; tests on this machine")
	set.StringVar(&asked.junit, "junit", "", "`file` for a report as JUnit XML, which is replaced")
	set.StringVar(&asked.target, "target", "", "`target` that is tested on this machine, such as linux/amd64/raw (default: that of each test)")
	set.StringVar(&asked.message, "message", "", "reason for the build of the server, at most 1024 characters")
	set.StringVar(&asked.requestID, "request-id", "", "ID of the request to the server; a repeated ID returns the existing build (default: a random ID)")
	set.BoolVar(&asked.plainHTTP, "plain-http", false, artifacts.PlainHTTPUsage)
	command.MarkFlagsMutuallyExclusive("keep", "junit")
	for _, local := range []string{"here", "filename", "keep", "target"} {
		command.MarkFlagsMutuallyExclusive("message", local)
		command.MarkFlagsMutuallyExclusive("request-id", local)
	}
	err := errors.Join(
		command.MarkFlagFilename("filename", "yaml", "yml", "json"), command.MarkFlagFilename("junit"),
		command.RegisterFlagCompletionFunc("target", completion.Value(artifacts.CompleteTargets)),
		command.RegisterFlagCompletionFunc("only", completion.Value(completeTests)),
	)
	if err != nil {
		panic(err) // cannot fail: the lines above add the flags
	}
	return command
}

// takesSubject lets the verb have one argument.
func takesSubject(command *cobra.Command, args []string) error {
	if len(args) == 1 && artifacts.IsPath(args[0]) {
		return nil
	}
	return client.OneName("IMAGE[@CHANNEL], BUILD or FILE", client.Either)(command, args)
}

// completeTests lists the tests of the build that the first argument names.
func completeTests(ctx context.Context, connection *client.Connection, args []string) (names []string, err error) {
	if len(args) == 0 || artifacts.IsPath(args[0]) {
		return nil, nil
	}
	build, err := artifacts.Find(ctx, connection, args[0], io.Discard)
	if err != nil {
		return nil, err
	}
	return namesOf(build.Spec.Tests), nil
}

// test tests what an argument names.
func (o *options) test(ctx context.Context, argument string) error {
	if artifacts.IsPath(argument) {
		return o.testFile(ctx, argument)
	}
	connection, err := o.connect()
	if err != nil {
		return err
	}
	build, err := artifacts.Find(ctx, connection, argument, o.stderr)
	switch {
	case err != nil:
		return err
	case o.here || o.keep || o.manifest != "" || o.target != "":
		return o.testBuild(ctx, connection, argument, build)
	}
	return o.testAgain(ctx, connection, build)
}
