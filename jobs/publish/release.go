// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	ociv1 "github.com/opencontainers/image-spec/specs-go/v1"

	"goldsmith.dev/goldsmith/jobs/publish/transport"
	"goldsmith.dev/goldsmith/jobs/render"
	"goldsmith.dev/goldsmith/jobs/result"
)

// PublishTests publishes what an attempt leaves that has tested the artifacts of its base. It pushes the report, if the file of the report was read, as
// a referrer of the artifact that the first test tested, and sets its location. If all tests of output.Gates passed, it moves the tags, and sets
// reported.Tagged. The repository has the manifests already, so no content of an artifact is sent. An index is attested if output.Signed is
// set. Artifacts that are elsewhere get no tag. It fails if a tag is for a target of which the base has no artifact. Else the errors are those of PushResult.
// After an error Tagged is empty.
func PublishTests(ctx context.Context, output *render.Output, input *render.Input, reported *result.Result, open Opener, statements Statements, o transport.Options) error {
	o = o.WithDefaults()
	artifacts := input.Base.In(output.Repository)
	subject := reportedArtifact(input, reported, artifacts)
	for target := range output.Tags {
		if !slices.ContainsFunc(input.Base.Artifacts, func(artifact render.InputArtifact) bool { return artifact.Target == target }) {
			return fmt.Errorf("tag artifact %s: the input does not have it", target) // an index without it would be another one
		}
	}
	released := slices.DeleteFunc(slices.Clone(artifacts), func(artifact render.InputArtifact) bool { return output.Tags[artifact.Target] == "" })
	if failed := reported.NotPassed(input.Tests, output.Gates); len(failed) > 0 && len(released) > 0 {
		o.Log("no tag is moved, because these tests did not pass: %s", strings.Join(failed, ", "))
		released = nil
	}
	if subject == nil && len(released) == 0 {
		return nil
	}
	o.Log("publishing in %s", output.Repository)
	p, err := newPusher(output.Repository, indexesFrom(statements), o)
	if err != nil {
		return err
	}
	defer p.Close()
	if subject != nil {
		if err := p.pushReport(ctx, reported.Report, subject, open); err != nil {
			return err
		}
	}
	if err := p.release(ctx, released, output); err != nil {
		return err
	}
	for i := range released {
		if reported.Tagged == nil {
			reported.Tagged = map[string]string{}
		}
		target := released[i].Target
		reported.Tagged[target] = output.Tags[target]
		p.log("published %s: %s, tag %s", target, released[i].Location, output.Tags[target])
	}
	return nil
}

// reportedArtifact returns which of some artifacts the report of an attempt is about, or nil if there is no report, or no such artifact.
func reportedArtifact(input *render.Input, reported *result.Result, artifacts []render.InputArtifact) *render.InputArtifact {
	if reported.Report == nil || reported.Report.Verified == "" || len(input.Tests) == 0 {
		return nil
	}
	at := slices.IndexFunc(artifacts, func(artifact render.InputArtifact) bool { return artifact.Target == input.Tests[0].Target })
	if at < 0 {
		return nil
	}
	return &artifacts[at]
}

// pushReport pushes a report about tests of an artifact that the repository has, and sets its location.
func (p *pusher) pushReport(ctx context.Context, report *result.Content, of *render.InputArtifact, open Opener) error {
	subject, err := p.published(ctx, of, false) // a subject has no type
	if err != nil {
		return err
	}
	referrer, err := p.pushReferrer(ctx, &Document{Content: contentOfFile(report, open), MediaType: report.MediaType}, subject)
	if err != nil {
		return err
	}
	if _, err := p.pushStatements(ctx, of.Target, subject, nil, []transport.Referrer{referrer.referrer()}); err != nil {
		return err
	}
	report.Location = p.location(referrer)
	p.log("published the report about tests: %s", report.Location)
	return nil
}

// release moves the tags of an output to artifacts that the repository has, as push does.
func (p *pusher) release(ctx context.Context, released []render.InputArtifact, output *render.Output) error {
	artifacts, manifests, signed := make([]Artifact, len(released)), make([]manifest, len(released)), make([]bool, len(released))
	for i := range released {
		platform, _ := path.Split(released[i].Target)
		artifacts[i] = Artifact{Target: released[i].Target, Platform: path.Clean(platform), Tag: output.Tags[released[i].Target],
			ContainerDisk: slices.Contains(output.ContainerDisks, released[i].Target)}
		signed[i] = output.Signed
	}
	if err := p.checkTags(artifacts); err != nil {
		return err
	}
	for i := range released {
		var err error
		if manifests[i], err = p.published(ctx, &released[i], artifacts[i].ContainerDisk); err != nil {
			return err
		}
	}
	return p.moveTags(ctx, artifacts, manifests, signed)
}

// published fetches the manifest of an artifact that the repository has, with the descriptor that its push had.
func (p *pusher) published(ctx context.Context, artifact *render.InputArtifact, image bool) (manifest, error) {
	_, digest, _ := strings.Cut(artifact.Location, "@")
	found, raw, err := p.Pushed(ctx, digest)
	if err != nil {
		return manifest{}, err
	}
	of := manifest{ociv1.Descriptor{MediaType: found.MediaType, Digest: found.Digest, Size: found.Size}, raw}
	if !image && !result.IsLayout(artifact.MediaType) { // those of layouts are images
		of.ArtifactType = artifact.MediaType
	}
	return of, nil
}
