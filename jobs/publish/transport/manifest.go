// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	ociv1 "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/errdef"

	"goldsmith.dev/goldsmith/apis/contents"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/ocilayout"
)

// Manifest fetches a manifest or an index, and verifies its digest. The error is an *Error or the context's.
func (f *Fetcher) Manifest(ctx context.Context, digest string) (ociv1.Manifest, error) {
	read, err := f.manifest(ctx, digest)
	return read, f.wrapError("fetch manifest", err)
}

// Tagged fetches the manifest or the index that a tag names. It returns nil if the repository has no such tag.
func (p *Pusher) Tagged(ctx context.Context, tag string) (*ociv1.Manifest, error) {
	read, err := p.manifest(ctx, tag)
	if errors.Is(err, errdef.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, p.wrapError("fetch tag "+tag, err)
	}
	return &read, nil
}

// Pushed fetches a manifest or an index that was pushed by its digest, and verifies its digest. The error is an *Error or the context's.
func (p *Pusher) Pushed(ctx context.Context, digest string) (ociv1.Descriptor, []byte, error) {
	found, raw, err := p.find(ctx, digest)
	if errors.Is(err, errdef.ErrNotFound) {
		err = p.fault(v1alpha1.ReasonRegistryRefused, "the registry does not have it any more", "build the image again", err)
	}
	return found, raw, p.wrapError("fetch manifest "+contents.Abbreviate(digest), err)
}

func (c *client) manifest(ctx context.Context, reference string) (read ociv1.Manifest, err error) {
	found, raw, err := c.find(ctx, reference)
	if err != nil {
		return read, err
	}
	err = json.Unmarshal(raw, &read)
	read.MediaType = found.MediaType // an index of OCI can leave its own out
	return read, err
}

// find fetches a manifest or an index, and verifies its digest.
func (c *client) find(ctx context.Context, reference string) (found ociv1.Descriptor, raw []byte, err error) {
	found, body, err := c.remote.Manifests().FetchReference(ctx, reference)
	if err != nil {
		return found, nil, err
	}
	defer func() { _ = body.Close() }() // only read from
	if found.Size > ocilayout.MaxDocument {
		return found, nil, fmt.Errorf("the manifest has %d bytes", found.Size)
	}
	raw, err = content.ReadAll(body, found)
	return found, raw, err
}

// PushManifest pushes a manifest or an index by its digest, unless the repository has it. The operation is for errors. The error is an *Error or
// the context's, as is that of the other methods for manifests.
func (p *Pusher) PushManifest(ctx context.Context, operation string, of ociv1.Descriptor, raw []byte) error {
	exists, err := p.remote.Manifests().Exists(ctx, of)
	if exists || err != nil {
		return p.wrapError(operation, err)
	}
	return p.PushReferrer(ctx, operation, of, raw)
}

// PushReferrer pushes a manifest that can have a subject, even if the repository has it. Without the referrers API, ListReferrers lists it.
func (p *Pusher) PushReferrer(ctx context.Context, operation string, of ociv1.Descriptor, raw []byte) error {
	unlisted, err := p.withReferrersAPI(true) // the library would write the tag of the fallback for each referrer
	if err == nil {
		err = unlisted.Manifests().Push(ctx, of, bytes.NewReader(raw))
	}
	return p.wrapError(operation, err)
}

// CheckTag refuses what cannot be a tag.
func (p *Pusher) CheckTag(tag string) error {
	tagged := p.reference
	if tagged.Reference = tag; tagged.ValidateReferenceAsTag() != nil {
		return p.fault(v1alpha1.ReasonRegistryRefused, fmt.Sprintf("%q is not a tag", p.scrub(tag)), "correct spec.output.tagTemplate", nil)
	}
	return nil
}

// PushTag moves a tag to a manifest that the registry has. It leaves a tag that names the manifest alone: a registry can refuse to
// write a tag again. A registry that does not tell what the tag names gets it written.
func (p *Pusher) PushTag(ctx context.Context, tag string, of ociv1.Descriptor, raw []byte) error {
	operation := "push tag " + tag
	current, err := p.remote.Manifests().Resolve(ctx, tag)
	if _, fatal := errors.AsType[*Error](err); fatal || ctx.Err() != nil {
		return p.wrapError(operation, err)
	}
	if err == nil && current.Digest == of.Digest {
		return nil
	}
	return p.wrapError(operation, p.remote.Manifests().PushReference(ctx, of, bytes.NewReader(raw), tag))
}
