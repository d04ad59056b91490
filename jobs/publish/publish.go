// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/opencontainers/image-spec/specs-go"
	ociv1 "github.com/opencontainers/image-spec/specs-go/v1"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/apis/contents"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/ocilayout"
	"goldsmith.dev/goldsmith/jobs/publish/transport"
)

// AnnotationTarget is the annotation with the artifact's target, on the entries of an index for a tag that several artifacts share.
const AnnotationTarget = "dev.goldsmith.target"

// Document is a document about an artifact.
type Document struct {
	transport.Content
	// MediaType is the media type of the document.
	MediaType string
	// Annotations are those of the referrer.
	Annotations map[string]string
}

// Artifact is an artifact to push.
type Artifact struct {
	// Target is the platform and the format that the artifact was built for, joined by a slash. It is unique in a push.
	Target string
	// Platform is operating system, architecture and perhaps a variant, joined by slashes.
	Platform string
	// MediaType is the media type of the content.
	MediaType string
	transport.Content
	// Annotations are those that the builder set. An image keeps only its own.
	Annotations map[string]string
	// Documents are pushed as referrers of the artifact.
	Documents []Document
	// ContainerDisk means that the artifact is pushed as a containerDisk of KubeVirt.
	ContainerDisk bool
	// Tag is moved to the artifact once all artifacts are pushed. With the empty tag the artifact is pushed by its digest only.
	Tag string
	// Attest returns the statements about the artifact, after the artifact and its documents were pushed, and before any tag is moved. Nil if there are
	// none.
	Attest func(ctx context.Context, pushed *Pushed) ([]v1alpha1.SignedStatement, error)
}

// describe describes a content in the log.
func describe(digest string, sizeBytes int64) string {
	return humanize.IBytes(uint64(max(sizeBytes, 0))) + ", " + contents.Abbreviate(digest)
}

// took is how long something took, for the log.
func took(c clock.PassiveClock, began time.Time) time.Duration {
	return c.Since(began).Round(time.Millisecond)
}

// Pushed is an artifact that was pushed.
type Pushed struct {
	// Target is Artifact.Target.
	Target string
	// Digest is the digest of the artifact's manifest.
	Digest string
	// Location is REPOSITORY@DIGEST.
	Location string
	// Documents are the locations of the artifact's documents, in their order.
	Documents []string
	// Tag is Artifact.Tag. The tag names the manifest, or an index of it if several artifacts share the tag.
	Tag string
	// Proofs are documents that were made of the statements about the artifact.
	Proofs []Proof
	// Image means that the artifact was pushed as the image, or the index, of its OCI image layout. Its tar cannot be fetched back.
	Image bool
}

// Push pushes artifacts to a repository, HOST[:PORT]/PATH, and returns them in the same order. What the repository has already is not
// sent again. A failure of the registry, or of a configuration for the registry, is a *transport.Error. An OCI image layout that cannot be published is an
// *ocilayout.InvalidError. Any other error is the context's, that of Artifact.Attest, or a content that cannot be read or is not what its digest says.
//
// After an error no tag has moved, or those that sort before the tag in the error. Push holds no content in memory.
func Push(ctx context.Context, repository string, artifacts []Artifact, o transport.Options) ([]Pushed, error) {
	p, err := newPusher(repository, nil, o)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	return p.push(ctx, artifacts)
}

// attestIndex returns the statements about the index that a tag will name, after all artifacts of the index were signed.
type attestIndex func(ctx context.Context, tag string, index []byte) ([]v1alpha1.SignedStatement, error)

// pusher pushes artifacts to one repository.
type pusher struct {
	*transport.Pusher
	repository string
	// attestIndex is nil if no index is attested.
	attestIndex attestIndex
	clock       clock.PassiveClock
	log         func(format string, args ...any)
}

// newPusher returns a pusher, which the caller closes.
func newPusher(repository string, attest attestIndex, o transport.Options) (*pusher, error) {
	o = o.WithDefaults()
	to, err := transport.NewPusher(repository, o)
	if err != nil {
		return nil, err
	}
	return &pusher{Pusher: to, repository: repository, attestIndex: attest, clock: o.Clock, log: o.Log}, nil
}

func (p *pusher) push(ctx context.Context, artifacts []Artifact) ([]Pushed, error) {
	if err := p.checkTags(artifacts); err != nil {
		return nil, err
	}
	var pushed []Pushed
	manifests := make([]manifest, len(artifacts))
	for i := range artifacts {
		artifact := &artifacts[i]
		began := p.clock.Now()
		p.log("pushing %s: %s", artifact.Target, describe(artifact.Digest, artifact.SizeBytes))
		var err error
		if manifests[i], err = p.pushArtifact(ctx, artifact); err != nil {
			return nil, err
		}
		p.log("pushed %s in %s", artifact.Target, took(p.clock, began))
		pushed = append(pushed, Pushed{
			Target: artifact.Target, Digest: manifests[i].Digest.String(), Tag: artifact.Tag,
			Location: p.location(manifests[i]), Image: manifests[i].ArtifactType == "" && !artifact.ContainerDisk,
		})
	}
	documents := make([][]transport.Referrer, len(artifacts))
	for i := range artifacts {
		for j := range artifacts[i].Documents {
			referrer, err := p.pushReferrer(ctx, &artifacts[i].Documents[j], manifests[i])
			if err != nil {
				return nil, err
			}
			documents[i] = append(documents[i], referrer.referrer())
			pushed[i].Documents = append(pushed[i].Documents, p.location(referrer))
		}
	}
	signed := make([]bool, len(artifacts))
	for i := range artifacts {
		var err error
		if signed[i], err = p.attest(ctx, &artifacts[i], manifests[i], &pushed[i], documents[i]); err != nil {
			return nil, err
		}
	}
	if err := p.moveTags(ctx, artifacts, manifests, signed); err != nil {
		return nil, err
	}
	return pushed, nil
}

// checkTags refuses tags of artifacts that cannot be tags.
func (p *pusher) checkTags(artifacts []Artifact) error {
	for i := range artifacts {
		if tag := artifacts[i].Tag; tag != "" {
			if err := p.CheckTag(tag); err != nil {
				return err
			}
		}
	}
	return nil
}

// moveTags moves the tags of artifacts to their manifests, which the repository has, or to indexes of them. signed are the artifacts that are signed.
func (p *pusher) moveTags(ctx context.Context, artifacts []Artifact, manifests []manifest, signed []bool) error {
	tags, err := tagged(artifacts, manifests)
	if err != nil {
		return err
	}
	names := slices.Sorted(maps.Keys(tags))
	for _, tag := range names { // all indexes before the first tag
		if err := p.pushIndex(ctx, tag, tags[tag], signed); err != nil {
			return err
		}
	}
	for _, tag := range names {
		if err := p.PushTag(ctx, tag, tags[tag].Descriptor, tags[tag].content); err != nil {
			return err
		}
	}
	return nil
}

func (p *pusher) location(m manifest) string { return p.repository + "@" + m.Digest.String() }

// named is what a tag names: the manifest of its artifact, or an index of the manifests of its artifacts.
type named struct {
	manifest
	artifacts []int // sorted by target
	// nested is the target of an artifact that is an index itself, whose entries the index has instead. Empty if there is none.
	nested string
}

// pushIndex pushes the index that a tag names, if it names one, and the statements about the index, if all its artifacts are signed.
func (p *pusher) pushIndex(ctx context.Context, tag string, of *named, signed []bool) error {
	if len(of.artifacts) == 1 {
		return nil
	}
	if err := p.PushManifest(ctx, "push "+indexOf(tag), of.Descriptor, of.content); err != nil {
		return err
	}
	if p.attestIndex == nil || slices.ContainsFunc(of.artifacts, func(i int) bool { return !signed[i] }) {
		return nil
	}
	switch {
	case of.nested != "":
		p.log("%s is not signed, because %s is an index itself, whose manifests are not signed one by one", indexOf(tag), of.nested)
		return nil
	case len(of.content) > v1alpha1.MaxIndexBytes:
		p.log("%s is not signed, because it has %d bytes, more than %d", indexOf(tag), len(of.content), v1alpha1.MaxIndexBytes)
		return nil
	}
	statements, err := p.attestIndex(ctx, tag, of.content)
	if err != nil {
		return err
	}
	_, err = p.pushStatements(ctx, indexOf(tag), of.manifest, statements, nil)
	return err
}

// indexOf names the index of a tag for people.
func indexOf(tag string) string { return "the index of tag " + tag }

// tagged returns what each tag names.
func tagged(artifacts []Artifact, manifests []manifest) (map[string]*named, error) {
	members := map[string][]int{}
	for i := range artifacts {
		if tag := artifacts[i].Tag; tag != "" {
			members[tag] = append(members[tag], i)
		}
	}
	tags := map[string]*named{}
	for tag, indices := range members {
		of := &named{manifest: manifests[indices[0]], artifacts: indices}
		tags[tag] = of
		if len(indices) == 1 {
			continue
		}
		slices.SortFunc(indices, func(a, b int) int { return cmp.Compare(artifacts[a].Target, artifacts[b].Target) })
		var entries []ociv1.Descriptor
		for _, i := range indices {
			its, err := entriesOf(manifests[i], &artifacts[i])
			if err != nil {
				return nil, err
			}
			if ocilayout.IsIndex(manifests[i].MediaType) {
				of.nested = artifacts[i].Target
			}
			entries = append(entries, its...)
		}
		var err error
		of.manifest, err = newManifest(ociv1.MediaTypeImageIndex, "", ociv1.Index{
			Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ociv1.MediaTypeImageIndex, Manifests: entries,
		})
		if err != nil {
			return nil, err
		}
	}
	return tags, nil
}
