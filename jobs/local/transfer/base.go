// SPDX-License-Identifier: Apache-2.0

package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/jobs/local/artifacts"
	"goldsmith.dev/goldsmith/jobs/publish"
	"goldsmith.dev/goldsmith/jobs/render"
)

// Provide gives the builder the files of its source, and the artifacts of its base, each at the path that the input names. It fetches those that the
// store does not have. It provides nothing for a pod that no controller wants. A confined builder cannot write to the files, so it may get the store's
// own. Artifacts that only builds of other namespaces made are not its base, whatever its input names. fetching is called before anything is fetched.
func (t *Transfer) Provide(ctx context.Context, of Pod, confined bool, fetching func()) error {
	p := &pod{t, of}
	if err := p.mayFetch(ctx); err != nil {
		return err
	}
	if err := p.provideSource(ctx, fetching); err != nil {
		return err
	}
	base, store := &p.Input.Base, p.options.Store
	for i := range base.Artifacts {
		artifact := &base.Artifacts[i]
		if artifact.Path == "" {
			continue
		}
		if !filepath.IsLocal(artifact.Path) || filepath.Base(artifact.Path) != artifact.Path {
			return fmt.Errorf("the path %q of a base leaves its directory", artifact.Path)
		}
		if err := os.MkdirAll(p.Base, 0o700); err != nil {
			return err
		}
		provide := func() error {
			return store.Provide(ctx, p.Ref.Namespace, artifact.Digest, filepath.Join(p.Base, artifact.Path), confined)
		}
		err := provide()
		if errors.Is(err, fs.ErrNotExist) {
			err = p.fetch(ctx, artifact, fetching, provide)
		}
		if err == nil && p.Input.Build.Reproduces {
			err = p.compare(ctx, artifact)
		}
		if err != nil {
			return fmt.Errorf("artifact %s: %w", p.Input.BaseName(artifact), err)
		}
	}
	return nil
}

// compare compares an artifact that was provided with its digest. The store did so when it got the artifact. A rebuild does it again, because it
// relies on nothing that was kept.
func (p *pod) compare(ctx context.Context, artifact *render.InputArtifact) error {
	directory, err := os.OpenRoot(p.Base)
	if err != nil {
		return err
	}
	defer func() { _ = directory.Close() }() // only read from
	found, err := artifacts.Identify(ctx, directory, artifact.Path)
	if err == nil && found.Digest != artifact.Digest {
		err = &publish.MissingError{Text: fmt.Sprintf("the file that the server keeps has %s, not %s: restore a backup with artifacts", found.Digest, artifact.Digest)}
	}
	return err
}

// fetch fetches an artifact of the base into the store, for this build and later ones, and then provides it.
func (p *pod) fetch(ctx context.Context, artifact *render.InputArtifact, fetching func(), provide func() error) error {
	base, store := &p.Input.Base, p.options.Store
	if !artifact.Published() {
		again := "build image " + base.Image + " again"
		if base.Image == "" { // a build under test can be one without an Image
			again = "create the build again"
		}
		return &publish.MissingError{Text: "it is lost, and no registry has its file: " + again}
	}
	fetching()
	done, err := p.beginFetch(ctx, p.Ref.Namespace+"/"+artifact.Digest)
	if err != nil {
		return err
	}
	defer done()
	if err := provide(); !errors.Is(err, fs.ErrNotExist) {
		return err // another build has fetched it meanwhile
	}
	p.Say("fetching %s: %s", p.Input.BaseName(artifact), artifact.Location)
	output, err := p.output()
	if err != nil {
		return err
	}
	if output == nil {
		output = &render.Output{} // without credentials
	}
	options, err := p.registryOptions(ctx, output.Secret)
	if err != nil {
		return err
	}
	content := artifacts.Content{Digest: artifact.Digest, SizeBytes: artifact.SizeBytes}
	err = store.Add(content, func(file io.Writer) error {
		return publish.FetchFile(ctx, artifact.Location, artifact.Digest, artifact.SizeBytes, file, options)
	})
	if err != nil {
		return err
	}
	defer store.Release(content)
	if err := p.fit(ctx); err != nil {
		return err
	}
	fetched := artifacts.Build{UID: types.UID(artifact.Digest), Namespace: p.Ref.Namespace, Image: base.Image}
	if err := store.Record(fetched, []artifacts.Artifact{{Target: artifact.Target, Content: content, MediaType: artifact.MediaType}}); err != nil {
		return err
	}
	return provide()
}

// beginFetch waits until nobody else fetches the same. The caller calls done in the end.
func (t *Transfer) beginFetch(ctx context.Context, what string) (done func(), err error) {
	mine := make(chan struct{})
	for {
		t.mu.Lock()
		other, busy := t.fetches[what]
		if !busy {
			t.fetches[what] = mine
		}
		t.mu.Unlock()
		if !busy {
			return func() {
				t.mu.Lock()
				defer t.mu.Unlock()
				delete(t.fetches, what)
				close(mine)
			}, nil
		}
		select {
		case <-other:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
