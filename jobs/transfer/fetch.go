// SPDX-License-Identifier: Apache-2.0

package transfer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"goldsmith.dev/goldsmith/jobs/publish"
	"goldsmith.dev/goldsmith/jobs/publish/transport"
	"goldsmith.dev/goldsmith/jobs/render"
)

// Fetch fetches the files of the source, and the artifacts of the base, each to its path. If one of them cannot be fetched, it writes why as the message
// of the container, and returns an error.
func Fetch(ctx context.Context, o Options) error {
	p, err := start(o)
	if err != nil {
		return err
	}
	if err := p.read(render.PublishOutput, &p.output); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err = p.fetchSource(ctx); err == nil {
		err = p.fetchBase(ctx)
	}
	if err == nil {
		return nil
	}
	p.Log("%v", err)
	notFetched := NotFetchedOf(err)
	if notFetched == nil {
		return err // a fault of the pod
	}
	return errors.Join(err, os.WriteFile(p.at(render.FetchMessage), []byte(notFetched.Text()), 0o600))
}

func (p *program) fetchBase(ctx context.Context) error {
	options, err := p.registry()
	if err != nil {
		return err
	}
	for i := range p.input.Base.Artifacts {
		artifact := &p.input.Base.Artifacts[i]
		if artifact.Path == "" {
			continue
		}
		p.Log("fetching %s: %s", p.input.BaseName(artifact), artifact.Location)
		if err := p.fetch(ctx, artifact, options); err != nil {
			return fmt.Errorf("artifact %s: %w", p.input.BaseName(artifact), err)
		}
	}
	return nil
}

// fetch fetches an artifact. Its file can be read, and not written to.
func (p *program) fetch(ctx context.Context, artifact *render.InputArtifact, options transport.Options) error {
	files, err := os.OpenRoot(p.at(render.FetchFiles))
	if err != nil {
		return err
	}
	defer func() { _ = files.Close() }() // nothing is written by it
	file, err := files.OpenFile(artifact.Path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o444)
	if err != nil {
		return err
	}
	err = publish.FetchFile(ctx, artifact.Location, artifact.Digest, artifact.SizeBytes, file, options)
	return errors.Join(err, file.Close())
}
