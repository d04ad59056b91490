// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"

	ociv1 "github.com/opencontainers/image-spec/specs-go/v1"

	"goldsmith.dev/goldsmith/apis/contents"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/attestation"
	"goldsmith.dev/goldsmith/jobs/ocilayout"
	"goldsmith.dev/goldsmith/jobs/publish/transport"
)

// maxAttached is the maximum number of statements about a manifest that are read from referrers, and from each of the tags of cosign. The same content that
// is built again and again gets more statements each time.
const maxAttached = 256

// Reader reads the manifests of a repository, and the signed statements about them. Strangers can have attached statements.
type Reader struct{ from *transport.Fetcher }

// NewReader returns a reader of a repository, HOST[:PORT]/PATH. The error is a *transport.Error. The caller closes the reader.
func NewReader(repository string, o transport.Options) (*Reader, error) {
	from, err := transport.NewFetcher(repository, o)
	if err != nil {
		return nil, err
	}
	return &Reader{from}, nil
}

// Close closes the connections.
func (r *Reader) Close() { r.from.Close() }

// Manifest is a manifest or an index, whose digest was verified.
type Manifest struct {
	ociv1.Descriptor
	// Layers are the layers of a manifest.
	Layers []ociv1.Descriptor
	// Members are the manifests of an index.
	Members []ociv1.Descriptor
	// Image means that the layers are those of an image, and not the content of an artifact.
	Image bool
}

// Find returns the manifest or the index that a tag or a digest names. The error is a *transport.Error or the context's.
func (r *Reader) Find(ctx context.Context, reference string) (*Manifest, error) {
	found, raw, err := r.from.Find(ctx, reference)
	if err != nil {
		return nil, err
	}
	read := &Manifest{Descriptor: found}
	if ocilayout.IsIndex(found.MediaType) {
		var index ociv1.Index
		if err := json.Unmarshal(raw, &index); err != nil {
			return nil, fmt.Errorf("read index %s: %w", contents.Abbreviate(found.Digest.String()), err)
		}
		read.Members = index.Manifests
		return read, nil
	}
	var manifest ociv1.Manifest
	if err := json.Unmarshal(raw, &manifest); err != nil {
		return nil, fmt.Errorf("read manifest %s: %w", contents.Abbreviate(found.Digest.String()), err)
	}
	read.Layers, read.Image = manifest.Layers, ocilayout.IsConfig(manifest.Config.MediaType)
	return read, nil
}

// Visit is called with each statement, or with the error of one that cannot be read. The source names where it is.
type Visit func(source string, signed *attestation.Signed, err error)

// Bundles visits the statements in the bundles that are referrers of a manifest, the last of the registry's list first. The error is a *transport.Error or the context's.
func (r *Reader) Bundles(ctx context.Context, of ociv1.Descriptor, visit Visit) error {
	referrers, err := r.from.Referrers(ctx, of)
	if err != nil {
		return err
	}
	referrers = slices.DeleteFunc(referrers, func(referrer ociv1.Descriptor) bool { return !mayHaveBundle(referrer.ArtifactType) })
	slices.Reverse(referrers) // most registries list the newest last
	for i := range referrers[:min(len(referrers), maxAttached)] {
		source := "referrer " + referrers[i].Digest.String()
		if referrers[i].Digest.Validate() != nil || referrers[i].Size > ocilayout.MaxDocument {
			visit("a referrer", nil, fmt.Errorf("its digest is not valid, or its manifest has more than %d bytes", ocilayout.MaxDocument))
			continue
		}
		manifest, err := r.Find(ctx, referrers[i].Digest.String())
		if of := faultOf(err); of != nil {
			visit(source, nil, of)
			continue
		}
		if err != nil {
			return err
		}
		for j := range manifest.Layers {
			if manifest.Layers[j].MediaType != v1alpha1.MediaTypeBundle || j == maxAttached {
				continue
			}
			if err := r.visit(ctx, source, &manifest.Layers[j], attestation.ReadBundle, visit); err != nil {
				return err
			}
		}
	}
	return nil
}

// mayHaveBundle reports whether a referrer may have a bundle. Some registries tell the type of the configuration as the type of the artifact, or none.
func mayHaveBundle(artifactType string) bool {
	return slices.Contains([]string{v1alpha1.MediaTypeBundle, ociv1.MediaTypeEmptyJSON, ""}, artifactType)
}

// Tagged visits the statements in the tags in which cosign before version 3 stores signatures and envelopes. The error is a *transport.Error or the
// context's.
func (r *Reader) Tagged(ctx context.Context, of ociv1.Descriptor, visit Visit) error {
	for _, form := range []struct{ suffix, mediaType string }{
		{statementTag, attestation.EnvelopeMediaType}, {signatureTag, attestation.TypeSimpleSigning},
	} {
		manifest, err := r.Find(ctx, attachedTag(of.Digest, form.suffix))
		if failure, ok := errors.AsType[*transport.Error](err); ok && failure.Status == http.StatusNotFound {
			continue
		}
		if of := faultOf(err); of != nil {
			visit("tag "+form.suffix[1:], nil, of)
			continue
		}
		if err != nil {
			return err
		}
		layers := slices.DeleteFunc(manifest.Layers, func(layer ociv1.Descriptor) bool { return layer.MediaType != form.mediaType })
		layers = layers[max(0, len(layers)-maxAttached):] // the newest are last
		for i := range layers {
			read := attestation.ReadEnvelope
			if form.suffix == signatureTag {
				signature := layers[i].Annotations[attestation.AnnotationSignature]
				read = func(payload []byte) (*attestation.Signed, error) {
					return attestation.ReadSimpleSigning(payload, signature)
				}
			}
			if err := r.visit(ctx, "tag "+form.suffix[1:], &layers[i], read, visit); err != nil {
				return err
			}
		}
	}
	return nil
}

// visit fetches and reads a statement.
func (r *Reader) visit(ctx context.Context, source string, layer *ociv1.Descriptor, read func([]byte) (*attestation.Signed, error), visit Visit) error {
	if valid := layer.Digest.Validate() == nil; !valid || layer.Size < 0 || layer.Size > attestation.MaxBytes {
		visit(source, nil, fmt.Errorf("it has %d bytes, at most %d are read, or its digest is not valid", layer.Size, attestation.MaxBytes))
		return nil
	}
	var text bytes.Buffer
	err := r.from.Copy(ctx, transport.Whole(layer.Digest.String(), layer.Size), &text)
	if of := faultOf(err); of != nil {
		visit(source, nil, of)
		return nil
	}
	if err != nil {
		return err
	}
	signed, err := read(text.Bytes())
	visit(source, signed, err)
	return nil
}

// faultOf returns the error of one content, beside which others can be read: the registry does not have it, or it is malformed. It returns nil for any other
// error, and for none.
func faultOf(err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	failure, ok := errors.AsType[*transport.Error](err)
	switch {
	case ok && failure.Status == http.StatusNotFound:
		return errors.New("the registry does not have it")
	case ok:
		return nil
	}
	return err
}
