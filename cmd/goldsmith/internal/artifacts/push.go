// SPDX-License-Identifier: Apache-2.0

package artifacts

import (
	"context"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/distribution/reference"
	"github.com/spf13/cobra"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/completion"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
	"goldsmith.dev/goldsmith/jobs/publish"
	"goldsmith.dev/goldsmith/jobs/publish/transport"
	"goldsmith.dev/goldsmith/jobs/result"
)

type push struct {
	repository reference.Named
	// tag is the tag of the artifacts. With the empty tag they are pushed by digest only.
	tag    string
	target string
	// plainHTTP reaches the registry without TLS.
	plainHTTP bool

	out, stderr io.Writer
	style       output.Style
	clock       clock.Clock
}

func newPushCommand() *cobra.Command {
	wanted := &push{clock: clock.RealClock{}}
	command := client.NewVerb(&cobra.Command{
		Use:   "push IMAGE[@CHANNEL]|BUILD REPOSITORY[:TAG]",
		Short: "Push the artifacts of an image or a build to an OCI registry",
		Long: "Push the artifacts of a build, of an image's latest successful build, or of the build that a channel names, with their " +
			"documents, to REPOSITORY, HOST[:PORT]/PATH. The command reads them from the API server, and pushes what the registry does " +
			"not have yet. It prints the location of each artifact, REPOSITORY@DIGEST: the digest is that which a build that publishes " +
			"the artifact reports. TAG is set last. If a build has several artifacts, TAG names an index of them. Without TAG the " +
			"artifacts are pushed by digest only.\n\n" +
			CredentialFiles,
		Example: "  goldsmith artifacts push debian@stable registry.example.com/team/debian:stable\n" +
			"  goldsmith artifacts push debian-7 registry.example.com/team/debian --target linux/amd64/qcow2",
		Args:              client.Names("two arguments, "+argument+" and REPOSITORY[:TAG]", 2, client.Either, client.Text),
		ValidArgsFunction: completion.ArtifactSources,
		PreRunE:           func(_ *cobra.Command, args []string) error { return wanted.parse(args[1]) },
	}, func(command *cobra.Command, connection *client.Connection, args []string) error {
		wanted.out, wanted.stderr = command.OutOrStdout(), output.Colours(command.ErrOrStderr())
		wanted.style = output.StyleOf(command, command.ErrOrStderr())
		build, err := Find(command.Context(), connection, args[0], wanted.stderr)
		if err != nil {
			return err
		}
		return wanted.run(command.Context(), connection, build)
	})
	set := command.Flags()
	set.StringVar(&wanted.target, "target", "", "`target` of the only artifact to push, such as linux/amd64/raw (default: all artifacts)")
	set.BoolVar(&wanted.plainHTTP, "plain-http", false, PlainHTTPUsage)
	if err := command.RegisterFlagCompletionFunc("target", completion.Value(CompleteTargets)); err != nil {
		panic(err) // cannot fail: the lines above add the flag
	}
	return command
}

// parse sets the repository and the tag.
func (p *push) parse(destination string) error {
	const form = "must be HOST[:PORT]/PATH or HOST[:PORT]/PATH:TAG, such as registry.example.com/team/debian:stable, with PATH in lower case"
	named, err := reference.ParseNormalizedNamed(destination)
	if err != nil {
		return fmt.Errorf("REPOSITORY %q: %s", destination, form)
	}
	if _, ok := named.(reference.Digested); ok {
		return fmt.Errorf("REPOSITORY %q: must have no digest: the artifacts have their own", destination)
	}
	if !strings.HasPrefix(destination, named.Name()) {
		return fmt.Errorf("REPOSITORY %q: must begin with the host of the registry, such as registry.example.com/%s; Docker Hub is docker.io",
			destination, reference.Path(named))
	}
	p.repository = reference.TrimNamed(named)
	if tagged, ok := named.(reference.Tagged); ok {
		p.tag = tagged.Tag()
	}
	return nil
}

// run pushes the artifacts of a build.
func (p *push) run(ctx context.Context, connection *client.Connection, build *v1alpha1.ImageBuild) error {
	shown := &progress{out: p.stderr, style: p.style, clock: p.clock}
	artifacts, err := p.artifactsOf(ctx, connection, build, shown)
	if err != nil {
		return err
	}
	options, err := registryOptions(p.repository, p.plainHTTP, p.clock)
	if err != nil {
		return err
	}
	what := fmt.Sprintf("%d artifacts of build %s", len(artifacts), build.Name)
	if len(artifacts) == 1 {
		what = fmt.Sprintf("artifact %s of build %s", output.OneLine(artifacts[0].Target), build.Name)
	}
	shown.task, shown.place = "pushing "+what, "to "+p.repository.Name()
	options.Progress, options.Retrying = shown.update, shown.retrying
	shown.begin(0)
	pushed, err := publish.Push(ctx, p.repository.Name(), artifacts, options)
	shown.end()
	if err != nil {
		return fmt.Errorf("push %s: %w", what, err)
	}
	for i, artifact := range pushed {
		if err := shown.writeLine(fmt.Sprintf("%s artifact %s of build %s: %s, %s, pushed", shown.mark(), output.OneLine(artifact.Target), build.Name, size(artifacts[i].SizeBytes), artifacts[i].Digest)); err != nil {
			return err
		}
		if _, err := fmt.Fprintln(p.out, artifact.Location); err != nil {
			return err
		}
	}
	if p.tag == "" {
		return nil
	}
	names := "the artifact"
	if len(pushed) > 1 {
		names = fmt.Sprintf("an index of the %d artifacts", len(pushed))
	}
	return shown.writeLine(fmt.Sprintf("%s tag %s:%s names %s", shown.mark(), p.repository.Name(), p.tag, names))
}

// artifactsOf returns the artifacts to push, which are those that a build with an output publishes. The progress gets their size.
func (p *push) artifactsOf(ctx context.Context, connection *client.Connection, build *v1alpha1.ImageBuild, shown *progress) ([]publish.Artifact, error) {
	if p.target != "" && !slices.ContainsFunc(build.Status.Artifacts, func(artifact v1alpha1.Artifact) bool { return artifact.Target == p.target }) {
		return nil, NoTarget(build, p.target)
	}
	var artifacts []publish.Artifact
	for i := range build.Status.Artifacts {
		artifact := &build.Status.Artifacts[i]
		if p.target != "" && artifact.Target != p.target {
			continue
		}
		pushed := publish.Artifact{
			Target: artifact.Target, Platform: path.Dir(artifact.Target), MediaType: artifact.MediaType,
			Annotations: artifact.Annotations, Tag: p.tag,
			ContainerDisk: slices.ContainsFunc(build.Spec.Inputs.Targets, func(target v1alpha1.Target) bool {
				return target.ContainerDisk && result.TargetName(target) == artifact.Target
			}),
		}
		for _, content := range contentsOf(build, artifact) {
			if !onServer(&content) {
				if content.document == "" {
					return nil, notKeptError(&content)
				}
				continue // as with an output
			}
			kept, err := newKept(connection, &content, p.clock, shown.interrupted)
			if err != nil {
				return nil, err
			}
			of := transport.Content{Digest: content.Digest, SizeBytes: content.SizeBytes, Open: func() (transport.File, error) { return &remote{kept: kept, ctx: ctx}, nil }}
			shown.size += content.SizeBytes
			if content.document == "" {
				pushed.Content = of
				continue
			}
			pushed.Documents = append(pushed.Documents, publish.Document{Content: of, MediaType: content.MediaType})
		}
		artifacts = append(artifacts, pushed)
	}
	return artifacts, nil
}

// notKeptError is the error for an artifact that cannot be pushed.
func notKeptError(content *content) error {
	if content.Location == "" {
		return fmt.Errorf("the server does not keep the %s, and only what it keeps can be pushed", content)
	}
	return fmt.Errorf("the server does not keep the %s, and only what it keeps can be pushed: copy it from %s with a client such as oras or skopeo",
		content, output.OneLine(content.Location))
}
