// SPDX-License-Identifier: Apache-2.0

// Package artifacts is the verb that lists the artifacts of a build, and its subcommands that fetch one and push all.
package artifacts

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/completion"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
)

// argument describes the argument of both commands.
const argument = "IMAGE[@CHANNEL] or BUILD"

// NewCommand returns the verb.
func NewCommand() *cobra.Command {
	var format output.Format
	command := client.NewVerb(&cobra.Command{
		Use:   "artifacts IMAGE[@CHANNEL]|BUILD",
		Short: "List the artifacts of an image or a build, fetch one, or push them",
		Long: "List the artifacts of a build, of an image's latest successful build, or of the build that a channel names. " +
			"VERIFIED is Content if the server read the artifact, and computed its digest and size. TAG is the tag that the build " +
			"gave the artifact in a registry; the column is left out if no artifact has one. LOCATION is where the artifact can be " +
			"fetched, and <lost> if the server no longer keeps it. With -o, the command prints the build, whose status.artifacts lists the artifacts.\n\n" +
			"`goldsmith artifacts get` fetches an artifact, and `goldsmith artifacts push` pushes artifacts to a registry. For an image " +
			"named get, use image/get.",
		Example: "  goldsmith artifacts debian\n" +
			"  goldsmith artifacts debian@stable -o json",
		Args:              client.OneName(argument, client.Either),
		ValidArgsFunction: completion.ArtifactSources,
	}, func(command *cobra.Command, connection *client.Connection, args []string) error {
		build, err := Find(command.Context(), connection, args[0], command.ErrOrStderr())
		if err != nil {
			return err
		}
		if format.ForPrograms() {
			return format.Print(build, command.OutOrStdout())
		}
		lost := lostContents(command.Context(), connection, build)
		if err := list(build, lost, command.OutOrStdout()); err != nil || len(lost) == 0 {
			return err
		}
		_, err = fmt.Fprintf(command.ErrOrStderr(), "the server has lost artifacts of build %s: %s\n", build.Name, remedyForLost(args[0], build))
		return err
	})
	format.AddTo(command)
	command.AddCommand(newGetCommand(), newPushCommand())
	return command
}

// lostContents returns the digests of a build's artifacts and documents that the server should keep, and has lost.
func lostContents(ctx context.Context, connection *client.Connection, build *v1alpha1.ImageBuild) []string {
	var lost []string
	for i := range build.Status.Artifacts {
		for _, content := range contentsOf(build, &build.Status.Artifacts[i]) {
			if strings.HasPrefix(content.Location, "/") && connection.ArtifactLost(ctx, content.namespace, content.build, content.Digest) {
				lost = append(lost, content.Digest)
			}
		}
	}
	return lost
}

// remedyForLost returns how a user gets the lost artifacts of a build back. argument is how the user named the build.
func remedyForLost(argument string, build *v1alpha1.ImageBuild) string {
	remedy := "run `goldsmith rerun " + build.Name + "`"
	if image := build.Spec.ImageRef; image != nil {
		remedy = "build image " + image.Name + " again"
		if _, channel, named := strings.Cut(argument, "@"); named {
			remedy += " and promote that build to channel " + channel
		}
	}
	return remedy + ", or restore a backup that has artifacts"
}

// list prints the artifacts of a build, and their documents. lost has the digests of those that the server has lost.
func list(build *v1alpha1.ImageBuild, lost []string, out io.Writer) error {
	columns := []string{"Target", "Digest", "Size", "Media Type", "Verified", "Location"}
	tagged := slices.ContainsFunc(build.Status.Artifacts, func(artifact v1alpha1.Artifact) bool { return artifact.Tag != "" })
	if tagged {
		columns = slices.Insert(columns, len(columns)-1, "Tag")
	}
	var rows [][]any
	for i := range build.Status.Artifacts {
		for _, content := range contentsOf(build, &build.Status.Artifacts[i]) {
			name := content.target
			if content.document != "" {
				name += " " + content.document
			}
			location := orNone(output.OneLine(content.Location))
			if slices.Contains(lost, content.Digest) {
				location = "<lost>"
			}
			row := []any{
				output.OneLine(name), content.Digest, humanize.IBytes(uint64(max(0, content.SizeBytes))), output.OneLine(content.MediaType),
				orNone(string(content.Verified)), location,
			}
			if tagged {
				row = slices.Insert(row, len(row)-1, any(orNone(output.OneLine(content.tag))))
			}
			rows = append(rows, row)
		}
	}
	return output.Table(columns, rows, out)
}

func orNone(text string) string {
	if text == "" {
		return "<none>"
	}
	return text
}

// documents are the names of documents, as v1alpha1.ArtifactDocument.Name returns them.
var documents = []string{"lock", sbom, "cyclonedx", "spdx", "provenance", bundle, "self-reported", junit}

const (
	// sbom is any software bill of materials.
	sbom = "sbom"
	// bundle is the provenance with its signature.
	bundle = "bundle"
	// junit is the report about the tests of the artifact.
	junit = "junit"
)

// anyDocument names them for people.
const anyDocument = "lock, sbom, cyclonedx, spdx, provenance, bundle, self-reported or junit"

// content is an artifact, or a document about one.
type content struct {
	v1alpha1.ArtifactDocument
	namespace, build string
	target           string
	// document is the name of the document or, for the artifact, empty.
	document string
	// fileName is the default name of the file.
	fileName string
	// tag is the tag of the artifact, and empty for a document.
	tag string
	// read is the content, if it was read already.
	read []byte
}

// String returns the name of the content for people.
func (c *content) String() string {
	what := "artifact"
	if c.document != "" {
		what = c.document + " of artifact"
	}
	return fmt.Sprintf("%s %s of build %s", what, output.OneLine(c.target), c.build)
}

// contentsOf returns an artifact and its documents.
func contentsOf(build *v1alpha1.ImageBuild, artifact *v1alpha1.Artifact) []content {
	itself := content{
		ArtifactDocument: v1alpha1.ArtifactDocument{
			Digest: artifact.Digest, SizeBytes: artifact.SizeBytes, MediaType: artifact.MediaType, Location: artifact.Location, Verified: artifact.Verified,
		},
		namespace: build.Namespace, build: build.Name, target: artifact.Target, fileName: artifact.FileName(build.Name),
		tag: artifact.Tag,
	}
	contents := []content{itself}
	for i := range artifact.Documents {
		about := itself
		about.ArtifactDocument, about.tag = artifact.Documents[i], ""
		about.document = about.Name()
		about.fileName += "." + about.document
		contents = append(contents, about)
	}
	return append(contents, reportsOf(build, &itself)...)
}

// reportsOf returns the reports about the tests of an artifact. There is one for each runner of tests. A further report has the name of its
// first test.
func reportsOf(build *v1alpha1.ImageBuild, artifact *content) (reports []content) {
	for i := range build.Status.Tests {
		test := &build.Status.Tests[i]
		known := func(report content) bool { return report.Digest == test.Report.Digest }
		if test.Report == nil || test.Target != artifact.target || slices.ContainsFunc(reports, known) {
			continue
		}
		report := *artifact
		report.ArtifactDocument, report.tag, report.document = *test.Report, "", junit
		if len(reports) > 0 {
			report.document += "-" + test.Name
		}
		report.fileName += "." + report.document
		reports = append(reports, report)
	}
	return reports
}
