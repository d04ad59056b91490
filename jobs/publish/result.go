// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"

	"goldsmith.dev/goldsmith/apis/contents"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/ocilayout"
	"goldsmith.dev/goldsmith/jobs/publish/transport"
	"goldsmith.dev/goldsmith/jobs/render"
	"goldsmith.dev/goldsmith/jobs/result"
)

// Opener opens the file of a content.
type Opener func(*result.Content) (transport.File, error)

// Statements gets what is stated, with the signatures.
type Statements interface {
	// Attest returns the statements about an artifact of a result. manifest is the digest of its manifest.
	Attest(ctx context.Context, artifact *result.Artifact, manifest string) ([]v1alpha1.SignedStatement, error)
	// AttestIndex returns the statements about the index that a tag will name.
	AttestIndex(ctx context.Context, tag string, index []byte) ([]v1alpha1.SignedStatement, error)
}

// file is an artifact of a result whose file was read, and how it is published.
type file struct {
	*result.Artifact
	published Artifact
	documents []*result.Content // those of published.Documents
}

// filesOf returns the artifacts of a result whose files were read.
func filesOf(reported *result.Result, open Opener) (files []file) {
	for i := range reported.Artifacts {
		artifact := &reported.Artifacts[i]
		if artifact.Verified == "" {
			continue
		}
		platform, format := path.Split(artifact.Target)
		one := file{Artifact: artifact, published: Artifact{
			Target: artifact.Target, Platform: path.Clean(platform),
			MediaType: cmp.Or(artifact.MediaType, result.MediaType(v1alpha1.ArtifactFormat(format))),
			Content:   contentOfFile(&artifact.Content, open), Annotations: artifact.Annotations,
		}}
		for _, document := range artifact.Documents() {
			if document.Verified != "" {
				one.documents = append(one.documents, document)
				one.published.Documents = append(one.published.Documents,
					Document{Content: contentOfFile(document, openMade(artifact, open)), MediaType: document.MediaType})
			}
		}
		files = append(files, one)
	}
	return files
}

// NoFileError reports a target whose artifact has to be published, and has no file.
type NoFileError struct {
	// Target is the platform and the format.
	Target string
}

func (e *NoFileError) Error() string {
	return fmt.Sprintf("artifact %s has no file, and containerDisk needs one: let the builder report its file, or remove containerDisk from the target", e.Target)
}

// PushResult pushes the artifacts of a result whose files were read to the repository of an output, and sets their locations and tags.
// Artifacts that the builder published itself, without a file, stay where they are; for a containerDisk this is a *NoFileError. If statements is not nil, the statements that it gets are pushed
// before any tag is moved, and the result gets the documents that are made of them. The errors are those of Push.
func PushResult(ctx context.Context, output *render.Output, reported *result.Result, open Opener, statements Statements, o transport.Options) error {
	files := filesOf(reported, open)
	for _, target := range output.ContainerDisks {
		if !slices.ContainsFunc(files, func(f file) bool { return f.Target == target }) {
			return &NoFileError{target}
		}
	}
	if len(files) == 0 {
		return nil
	}
	p, err := newPusher(output.Repository, indexesFrom(statements), o)
	if err != nil {
		return err
	}
	defer p.Close()
	artifacts := make([]Artifact, len(files))
	for i := range files {
		artifacts[i] = files[i].published
		artifacts[i].Tag = output.Tags[files[i].Target]
		artifacts[i].ContainerDisk = slices.Contains(output.ContainerDisks, files[i].Target)
		if statements != nil {
			artifacts[i].Attest = func(ctx context.Context, pushed *Pushed) ([]v1alpha1.SignedStatement, error) {
				files[i].locate(pushed)
				return statements.Attest(ctx, files[i].Artifact, pushed.Digest)
			}
		}
	}
	pushed, err := p.push(ctx, artifacts)
	if err != nil {
		return err
	}
	for i := range files {
		files[i].locate(&pushed[i])
		files[i].describe(pushed[i].Proofs)
	}
	return nil
}

// indexesFrom returns what gets the statements about indexes, or nil if there are no statements.
func indexesFrom(statements Statements) attestIndex {
	if statements == nil {
		return nil
	}
	return statements.AttestIndex
}

// locate sets the locations of an artifact that was pushed, and of its documents.
func (f *file) locate(pushed *Pushed) {
	f.Location, f.Tag = pushed.Location, pushed.Tag
	if pushed.Image && !result.IsLayout(f.MediaType) {
		f.MediaType = result.MediaTypeLayout // so that nobody looks for the tar in the registry
	}
	for i, document := range f.documents {
		document.Location = pushed.Documents[i]
	}
}

// describe adds the documents that were made of statements to an artifact.
func (f *file) describe(proofs []Proof) {
	for i := range proofs {
		proof := &proofs[i]
		size := int64(len(proof.Content))
		f.Made = append(f.Made, result.Document{
			Type: v1alpha1.DocumentProvenance,
			Content: result.Content{
				Digest: contents.Digest(proof.Content), SizeBytes: &size, MediaType: proof.MediaType, Location: proof.Location,
				Verified: v1alpha1.ArtifactVerifiedContent,
			},
			Write: func(to io.Writer) error {
				_, err := to.Write(proof.Content)
				return err
			},
		})
	}
}

// AttestResult gets the statements about the artifacts of a result whose files were read, and that no registry has. The result gets the
// documents that are made of them. The errors are those of Statements, and an *ocilayout.InvalidError.
func AttestResult(ctx context.Context, reported *result.Result, open Opener, from Statements, log func(format string, args ...any)) error {
	local := &pusher{log: log}
	files := filesOf(reported, open)
	for i := range files {
		manifest, err := local.manifestOf(ctx, &files[i].published)
		if err != nil {
			return err
		}
		statements, err := from.Attest(ctx, files[i].Artifact, manifest.Digest.String())
		if err != nil {
			return err
		}
		proofs, err := proofsOf(statements)
		if err != nil {
			return err
		}
		files[i].describe(proofs)
	}
	return nil
}

// openMade opens documents about an artifact that were made and not stored yet, and with open everything else.
func openMade(artifact *result.Artifact, open Opener) Opener {
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

func contentOfFile(content *result.Content, open Opener) transport.Content {
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

// CheckOf returns what an error of PushResult or AttestResult is in a result.
func CheckOf(err error) *result.Check {
	if refused, ok := errors.AsType[*NotAttestedError](err); ok {
		return &result.Check{NotAttested: &result.NotAttested{Reason: refused.Reason, Message: refused.Message}}
	}
	if failure, ok := errors.AsType[*transport.Error](err); ok {
		return &result.Check{NotPublished: &result.NotPublished{Reason: failure.Reason, Message: failure.Error()}}
	}
	_, noLayout := errors.AsType[*ocilayout.InvalidError](err)
	if _, noFile := errors.AsType[*NoFileError](err); noLayout || noFile {
		return &result.Check{Invalid: err.Error()}
	}
	if err != nil {
		return &result.Check{NotStored: err.Error()}
	}
	return &result.Check{}
}
