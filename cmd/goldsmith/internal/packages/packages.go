// SPDX-License-Identifier: Apache-2.0

// Package packages is the verb that lists the packages in the artifacts of an Image or a build, or in a file.
package packages

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/artifacts"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/completion"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
)

type options struct {
	target, uid string
	format      output.Format
	plainHTTP   bool

	out, stderr io.Writer
	style       output.Style
	// connect connects to the server. A file with a lock needs no server.
	connect func() (*client.Connection, error)
}

// NewCommand returns the verb.
func NewCommand() *cobra.Command {
	asked := &options{}
	command := &cobra.Command{
		Use:   "packages IMAGE[@CHANNEL]|BUILD|FILE",
		Short: "List the packages in an image, a build or a file",
		Long: "List the packages in the artifacts of a build, of an image's latest successful build, or of the build that a channel names. " +
			"The packages are those of the lock, which the builder writes. Artifacts with different locks have a table each. With -o wide, the " +
			"command also shows source packages and licences.\n\n" +
			"If the server has a records database, the command also finds deleted builds, and --uid selects one of several builds that had the " +
			"same name. If the records do not have a lock, the command fetches it as `goldsmith artifacts get --document lock` does.\n\n" +
			"FILE is a lock, which the command reads without a server, or an artifact. The command computes the digest of an artifact, and " +
			"finds the build that made it. A name with a slash or a dot, such as ./web, is that of a file, except for KIND/NAME.",
		Example: "  goldsmith packages debian\n" +
			"  goldsmith packages debian@stable --target linux/amd64/raw -o wide\n" +
			"  goldsmith packages debian-7-linux-amd64.raw",
		Args:              takesNameOrFile,
		ValidArgsFunction: completion.ArtifactSourcesAndFiles,
		RunE: func(command *cobra.Command, args []string) error {
			asked.out, asked.stderr = command.OutOrStdout(), command.ErrOrStderr()
			asked.style = output.StyleOf(command, command.ErrOrStderr())
			asked.connect = func() (*client.Connection, error) { return client.FlagsOf(command).Connect(command.ErrOrStderr()) }
			return asked.run(command.Context(), args[0])
		},
	}
	client.AddFlags(command)
	set := command.Flags()
	set.StringVar(&asked.target, "target", "", "`target` of the artifact, such as linux/amd64/raw (default: all artifacts)")
	set.StringVar(&asked.uid, "uid", "", "UID of the build, which can be a deleted build")
	set.BoolVar(&asked.plainHTTP, "plain-http", false, artifacts.PlainHTTPUsage)
	if err := command.RegisterFlagCompletionFunc("target", completion.Value(artifacts.CompleteTargets)); err != nil {
		panic(err) // cannot fail: the lines above add the flag
	}
	asked.format.AddTo(command)
	return command
}

// takesNameOrFile lets the verb have one argument.
func takesNameOrFile(command *cobra.Command, args []string) error {
	if len(args) == 1 && artifacts.IsPath(args[0]) {
		return nil
	}
	return client.OneName("IMAGE[@CHANNEL], BUILD or FILE", client.Either)(command, args)
}

func (o *options) run(ctx context.Context, argument string) error {
	if artifacts.IsPath(argument) {
		return o.ofFile(ctx, argument)
	}
	if err := artifacts.CheckUID(argument, o.uid); err != nil {
		return err
	}
	connection, err := o.connect()
	if err != nil && artifacts.IsRegular(argument) {
		return fmt.Errorf("%w; for the file of this name, use ./%s", err, argument)
	}
	if err != nil {
		return err
	}
	if artifacts.IsRegular(argument) {
		name, _, _ := strings.Cut(argument, "@")
		build, image, err := connection.FindBuild(ctx, client.Either, name)
		if err != nil {
			return err
		}
		if build == nil && image == nil {
			return o.ofFile(ctx, argument)
		}
	}
	build, err := artifacts.FindWithDeleted(ctx, connection, argument, o.uid, o.stderr)
	if err != nil {
		return err
	}
	found, err := o.read(ctx, connection, build, argument)
	if err != nil {
		return err
	}
	return o.print(found, "build "+build.Name)
}
