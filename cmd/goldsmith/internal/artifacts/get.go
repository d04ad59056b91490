// SPDX-License-Identifier: Apache-2.0

package artifacts

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/printers"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/completion"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
)

// PlainHTTPUsage describes the flag --plain-http of commands that fetch or push.
const PlainHTTPUsage = "plain HTTP instead of TLS for the registry; loopback hosts are reached without TLS anyway"

// stdout is the FILE that stands for the standard output.
const stdout = "-"

type options struct {
	target, document string
	// file is where the content is written: a file, a directory or stdout. Defaults to the default name of the content.
	file  string
	force bool
	// again is how the user gets a lost artifact of the build back.
	again string
	// plainHTTP reaches registries without TLS.
	plainHTTP bool
	// allowRevoked fetches from a revoked build, too.
	allowRevoked bool

	out, stderr io.Writer
	style       output.Style
	clock       clock.Clock
}

func newGetCommand() *cobra.Command {
	asked := &options{clock: clock.RealClock{}}
	command := client.NewVerb(&cobra.Command{
		Annotations: map[string]string{output.Unescaped: ""}, // with -o -, the output is the artifact
		Use:         "get IMAGE[@CHANNEL]|BUILD",
		Short:       "Fetch an artifact of an image or a build, and verify its digest",
		Long: "Fetch an artifact of a build, of an image's latest successful build, or of the build that a channel names. The " +
			"command verifies the digest, and prints the name of the file. If the connection breaks off, the command " +
			"continues where it was. If the command ends early, the same command continues later: until the artifact is " +
			"complete, it is in a file whose name ends with .partial.\n\n" +
			"If the API server does not keep the artifact, and its location is in an OCI registry, the command fetches it from " +
			"there. If the artifact is elsewhere, the error names its location.\n\n" +
			"The command refuses a revoked build without --allow-revoked.\n\n" +
			"The document bundle is the provenance with a signature, as a Sigstore bundle. If the build does not list it, the command reads it from the " +
			"referrers of the artifact in its registry. The document provenance is the same statement without a signature, and self-reported is what the " +
			"builder reports about itself. The command does not verify signatures: `goldsmith verify` does.\n\n" +
			CredentialFiles,
		Example: "  goldsmith artifacts get debian\n" +
			"  goldsmith artifacts get debian@stable --target linux/amd64/qcow2 -o debian.qcow2",
		Args:              client.OneName(argument, client.Either),
		ValidArgsFunction: completion.ArtifactSources,
	}, func(command *cobra.Command, connection *client.Connection, args []string) error {
		asked.out, asked.stderr = command.OutOrStdout(), output.Colours(command.ErrOrStderr())
		asked.style = output.StyleOf(command, command.ErrOrStderr())
		build, err := Find(command.Context(), connection, args[0], asked.stderr)
		if err != nil {
			return err
		}
		if err := RefuseRevoked(build, asked.allowRevoked, asked.clock.Now(), asked.stderr); err != nil {
			return err
		}
		if err := WarnOfRevokedBase(command.Context(), connection, build, asked.clock.Now(), asked.stderr); err != nil {
			return err
		}
		asked.again = remedyForLost(args[0], build)
		return asked.run(command.Context(), connection, build)
	})
	set := command.Flags()
	set.StringVar(&asked.target, "target", "", "`target` of the artifact, such as linux/amd64/raw; required if the build has several")
	set.StringVar(&asked.document, "document", "", "document about the artifact instead of the artifact: "+anyDocument)
	set.StringVarP(&asked.file, "output", "o", "", "`file` or directory for the artifact; - is standard output (default: BUILD-PLATFORM.FORMAT)")
	set.BoolVar(&asked.force, "force", false, "replacement of an existing file")
	set.BoolVar(&asked.plainHTTP, "plain-http", false, PlainHTTPUsage)
	set.BoolVar(&asked.allowRevoked, AllowRevoked, false, AllowRevokedUsage)
	err := errors.Join(
		command.RegisterFlagCompletionFunc("target", completion.Value(CompleteTargets)),
		command.RegisterFlagCompletionFunc("document", cobra.FixedCompletions(documents, cobra.ShellCompDirectiveNoFileComp)),
	)
	if err != nil {
		panic(err) // cannot fail: the lines above add the flags
	}
	return command
}

// CompleteTargets lists the targets of the build that the first argument of a verb names.
func CompleteTargets(ctx context.Context, connection *client.Connection, args []string) (targets []string, err error) {
	if len(args) == 0 {
		return nil, nil
	}
	build, err := Find(ctx, connection, args[0], io.Discard)
	if err != nil {
		return nil, err
	}
	return targetsOf(build), nil
}

func targetsOf(build *v1alpha1.ImageBuild) (targets []string) {
	for _, artifact := range build.Status.Artifacts {
		targets = append(targets, output.OneLine(artifact.Target))
	}
	return targets
}

// Request asks for one artifact of a build, or for a document about one.
type Request struct {
	// Argument is how the user named the build, for the remedies of errors.
	Argument string
	Target   string
	// Document is the name of the document, or empty for the artifact.
	Document string
	// PlainHTTP reaches registries without TLS.
	PlainHTTP bool
	// Out gets the content.
	Out io.Writer
	// Stderr gets the progress, in Style.
	Stderr io.Writer
	Style  output.Style
}

// Fetch writes what a request asks for. It fails if the digest of what it wrote differs.
func Fetch(ctx context.Context, connection *client.Connection, build *v1alpha1.ImageBuild, request Request) error {
	asked := &options{
		target: request.Target, document: request.Document, file: stdout, again: remedyForLost(request.Argument, build), plainHTTP: request.PlainHTTP,
		out: request.Out, stderr: request.Stderr, style: request.Style, clock: clock.RealClock{},
	}
	return asked.run(ctx, connection, build)
}

// run fetches the content that the options choose.
func (o *options) run(ctx context.Context, connection *client.Connection, build *v1alpha1.ImageBuild) error {
	content, err := o.choose(build)
	if missing, ok := errors.AsType[*missingError](err); ok && o.document == bundle {
		content, err = o.findBundle(ctx, build, missing.content)
	}
	if err != nil {
		return err
	}
	fetch, err := newFetch(connection, content, o)
	if err != nil {
		return err
	}
	if o.file == stdout {
		if printers.IsTerminal(o.out) {
			return fmt.Errorf("the %s would be written to the terminal: redirect the output, or name a file with -o", content)
		}
		return fetch.toWriter(ctx, o.out)
	}
	path, err := fetch.toFile(ctx, cmp.Or(o.file, content.fileName), o.force)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(o.out, path)
	return err
}

// choose returns the content that the options choose.
func (o *options) choose(build *v1alpha1.ImageBuild) (*content, error) {
	artifacts := build.Status.Artifacts
	if o.target == "" && len(artifacts) > 1 {
		return nil, fmt.Errorf("build %s has several artifacts: choose one with --target: %s", build.Name, strings.Join(targetsOf(build), ", "))
	}
	for i := range artifacts {
		if o.target != "" && artifacts[i].Target != o.target {
			continue
		}
		contents := contentsOf(build, &artifacts[i])
		names := []string{o.document}
		if o.document == sbom {
			names = []string{"cyclonedx", "spdx", sbom} // the first of them that there is
		}
		for _, name := range names {
			if j := slices.IndexFunc(contents, func(one content) bool { return one.document == name }); j >= 0 {
				return &contents[j], nil
			}
		}
		if !slices.Contains(documents, o.document) {
			return nil, fmt.Errorf("--document %q: must be %s", o.document, anyDocument)
		}
		return nil, &missingError{&contents[0], o.document}
	}
	return nil, NoTarget(build, o.target)
}

// missingError reports that an artifact has no document of a name.
type missingError struct {
	*content
	document string
}

// Error implements error.
func (e *missingError) Error() string { return fmt.Sprintf("%s has no %s", e.content, e.document) }

// NoTarget returns the error for a target of which a build has no artifact.
func NoTarget(build *v1alpha1.ImageBuild, target string) error {
	return fmt.Errorf("build %s has no artifact for target %s: its targets are %s", build.Name, target, strings.Join(targetsOf(build), ", "))
}

// size returns a number of bytes for people.
func size(bytes int64) string {
	return humanize.IBytes(uint64(max(0, bytes)))
}
