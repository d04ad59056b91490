// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/ocilayout"
	"goldsmith.dev/goldsmith/jobs/publish/transport"
	"goldsmith.dev/goldsmith/jobs/render"
	"goldsmith.dev/goldsmith/jobs/result"
)

// PushResult pushes the artifacts of a result whose files were read to the repository of an output, and sets their locations and tags.
// Artifacts that the builder published itself, without a file, stay where they are. open opens the file of a content. The errors are those
// of Push.
func PushResult(ctx context.Context, output *render.Output, reported *result.Result, open func(*result.Content) (transport.File, error), o transport.Options) error {
	var files []*result.Artifact
	var artifacts []Artifact
	var documents [][]*result.Content // those of each of the artifacts
	for i := range reported.Artifacts {
		artifact := &reported.Artifacts[i]
		if artifact.Verified == "" {
			continue
		}
		platform, format := path.Split(artifact.Target)
		files = append(files, artifact)
		artifacts = append(artifacts, Artifact{
			Target: artifact.Target, Platform: path.Clean(platform),
			MediaType: cmp.Or(artifact.MediaType, result.MediaType(v1alpha1.ArtifactFormat(format))),
			Content:   contentOfFile(&artifact.Content, open), Annotations: artifact.Annotations, Tag: output.Tags[artifact.Target],
		})
		documents = append(documents, nil)
		last := len(artifacts) - 1
		for _, document := range artifact.Documents() {
			if document.Verified != "" {
				documents[last] = append(documents[last], document)
				artifacts[last].Documents = append(artifacts[last].Documents, Document{contentOfFile(document, openMade(artifact, open)), document.MediaType})
			}
		}
	}
	if len(artifacts) == 0 {
		return nil
	}
	pushed, err := Push(ctx, output.Repository, artifacts, o)
	if err != nil {
		return err
	}
	for i, artifact := range files {
		artifact.Location, artifact.Tag = pushed[i].Location, pushed[i].Tag
		if pushed[i].Image && !result.IsLayout(artifact.MediaType) {
			artifact.MediaType = result.MediaTypeLayout // so that nobody looks for the tar in the registry
		}
		for j, document := range documents[i] {
			document.Location = pushed[i].Documents[j]
		}
	}
	return nil
}

// openMade opens documents about an artifact that were made and not stored yet, and with open everything else.
func openMade(artifact *result.Artifact, open func(*result.Content) (transport.File, error)) func(*result.Content) (transport.File, error) {
	return func(content *result.Content) (transport.File, error) {
		for i := range artifact.Made {
			if made := &artifact.Made[i]; &made.Content == content && made.Write != nil {
				var text bytes.Buffer
				text.Grow(int(*made.SizeBytes))
				err := made.Write(&text)
				return memory{bytes.NewReader(text.Bytes())}, err
			}
		}
		return open(content)
	}
}

func contentOfFile(content *result.Content, open func(*result.Content) (transport.File, error)) transport.Content {
	return transport.Content{Digest: content.Digest, SizeBytes: *content.SizeBytes, Open: func() (transport.File, error) { return open(content) }}
}

// Published returns a line for each artifact of a result that PushResult has pushed.
func Published(reported *result.Result) (lines []string) {
	for i := range reported.Artifacts {
		artifact := &reported.Artifacts[i]
		if artifact.Verified == "" {
			continue
		}
		line := fmt.Sprintf("published %s: %s", artifact.Target, artifact.Location)
		if artifact.Tag != "" {
			line += ", tag " + artifact.Tag
		}
		lines = append(lines, line)
	}
	return lines
}

// CheckOf returns what an error of PushResult is in a result.
func CheckOf(err error) *result.Check {
	if failure, ok := errors.AsType[*transport.Error](err); ok {
		return &result.Check{NotPublished: &result.NotPublished{Reason: failure.Reason, Message: failure.Error()}}
	}
	if _, ok := errors.AsType[*ocilayout.InvalidError](err); ok {
		return &result.Check{Invalid: err.Error()}
	}
	if err != nil {
		return &result.Check{NotStored: err.Error()}
	}
	return &result.Check{}
}
