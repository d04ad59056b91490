// SPDX-License-Identifier: Apache-2.0

package artifacts

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"

	"goldsmith.dev/goldsmith/apis/contents"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/attestation"
)

// attached is a content that was read from a referrer of an artifact.
type attached struct{ *content }

// String implements source.
func (a *attached) String() string { return a.Location }

// open implements source.
func (a *attached) open(_ context.Context, at int64) (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(a.read[at:])), nil
}

// findBundle returns the bundle with the provenance of an artifact that is a referrer of the artifact in its registry: that of the build, or else that of
// another build of the same content. Nobody has verified it.
func (o *options) findBundle(ctx context.Context, build *v1alpha1.ImageBuild, artifact *content) (*content, error) {
	none := &missingError{artifact, bundle}
	location, repository, published := ManifestAt(artifact.Location)
	if !published {
		return nil, none
	}
	reader, err := OpenRepository(repository, o.plainHTTP, o.clock)
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	_, digest, _ := strings.Cut(location, "@")
	manifest, err := reader.Find(ctx, digest)
	if err != nil {
		return nil, err
	}
	var found *attestation.Signed
	ours := false
	err = reader.Bundles(ctx, manifest.Descriptor, func(_ string, signed *attestation.Signed, err error) {
		if err != nil || signed.Type != attestation.TypeProvenance || ours {
			return
		}
		about, err := signed.Content()
		if err != nil || !about.About(digest) {
			return
		}
		made, err := about.Provenance()
		ours = err == nil && build.UID != "" && made.InvocationID == string(build.UID)
		if found == nil || ours {
			found = signed
		}
	})
	if err != nil {
		return nil, err
	}
	if found == nil {
		return nil, fmt.Errorf("%w: %s has no signed provenance about it", none, repository.Name())
	}
	text, err := found.Bundle(found.Signatures[0])
	if err != nil {
		return nil, err
	}
	its := *artifact
	its.ArtifactDocument = v1alpha1.ArtifactDocument{
		Type: v1alpha1.DocumentProvenance, MediaType: v1alpha1.MediaTypeBundle, Digest: contents.Digest(text), SizeBytes: int64(len(text)), Location: repository.Name(),
	}
	its.document, its.fileName, its.tag, its.read = bundle, artifact.fileName+"."+bundle, "", text
	return &its, nil
}
