// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ociv1 "github.com/opencontainers/image-spec/specs-go/v1"

	"goldsmith.dev/goldsmith/apis/contents"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/attestation"
	"goldsmith.dev/goldsmith/jobs/publish/transport"
)

// The tags of an artifact's manifest in which cosign before version 3 finds signatures and statements.
const (
	signatureTag = ".sig"
	statementTag = ".att"
	// maxTagLayers is the maximum number of layers of such a tag. The oldest layers are left out first: the same content that is built again and again
	// gets another provenance each time, and the referrers still have the former ones.
	maxTagLayers = 64
)

// attachedTag returns the tag of a manifest with one of these suffixes.
func attachedTag(of digest.Digest, suffix string) string {
	return strings.Replace(of.String(), ":", "-", 1) + suffix
}

// Proof is a document that was made of the statements about an artifact.
type Proof struct {
	// MediaType is MediaTypeProvenance, or MediaTypeBundle for the provenance with its first signature.
	MediaType string
	// Content is the document.
	Content []byte
	// Location is REPOSITORY@DIGEST. Empty if the artifact was not published.
	Location string
}

// proofsOf returns the documents that are made of the statements about an artifact.
func proofsOf(statements []v1alpha1.SignedStatement) ([]Proof, error) {
	var proofs []Proof
	for i := range statements {
		if statements[i].Type != attestation.TypeProvenance {
			continue
		}
		signed, err := attestation.ReadAnswer(&statements[i])
		if err != nil {
			return nil, err
		}
		proofs = append(proofs, Proof{MediaType: v1alpha1.MediaTypeProvenance, Content: signed.Payload})
		if len(signed.Signatures) > 0 {
			bundle, err := signed.Bundle(signed.Signatures[0])
			if err != nil {
				return nil, err
			}
			proofs = append(proofs, Proof{MediaType: v1alpha1.MediaTypeBundle, Content: bundle})
		}
	}
	return proofs, nil
}

// attest pushes the statements about an artifact that was pushed, and lists them and its documents. It returns whether they are signed.
func (p *pusher) attest(ctx context.Context, artifact *Artifact, of manifest, pushed *Pushed, documents []transport.Referrer) (signed bool, err error) {
	var statements []v1alpha1.SignedStatement
	if artifact.Attest != nil {
		if statements, err = artifact.Attest(ctx, pushed); err != nil {
			return false, err
		}
	}
	about, err := p.pushStatements(ctx, artifact.Target, of, statements, documents)
	if err != nil {
		return false, err
	}
	pushed.Proofs = about.proofs
	return len(about.bundles) > 0, nil
}

// pushStatements pushes statements about a manifest or an index, and lists them and documents that were pushed. The name is for people.
func (p *pusher) pushStatements(ctx context.Context, name string, of manifest, statements []v1alpha1.SignedStatement, documents []transport.Referrer) (*proof, error) {
	about := &proof{pusher: p, name: name, subject: of, documents: documents}
	for i := range statements { // one by one, because bills of materials are large
		if err := about.push(ctx, &statements[i]); err != nil {
			return nil, err
		}
	}
	if len(about.documents)+len(about.bundles) == 0 {
		return about, nil
	}
	err := p.Settle(ctx, "list the referrers of "+contents.Abbreviate(of.Digest.String()), func() (string, error) { return about.list(ctx) })
	if err != nil {
		return nil, err
	}
	if len(about.bundles) > 0 {
		p.log("pushed the signatures of %s", name)
	}
	return about, nil
}

// proof is what is pushed of the statements about an artifact or an index.
type proof struct {
	*pusher
	name    string
	subject manifest
	proofs  []Proof
	// bundles are the referrers with signatures, and documents all others.
	bundles, documents []transport.Referrer
	// signatures and envelopes are the layers of the tags.
	signatures, envelopes []ociv1.Descriptor
	// kept are the tags that the registry does not let the user change.
	kept map[string]bool
}

// list lists referrers for clients, in the tags that they read: those of cosign before version 3 and, without the referrers API, that of the fallback. It
// returns what a list lacked. Whatever the registry does later, clients must find signatures. A document that is in no list is named by the build.
func (p *proof) list(ctx context.Context) (missing string, err error) {
	listed, served, err := p.Referrers(ctx, p.subject.plain())
	if err != nil {
		return "", err
	}
	unlisted := func(all []transport.Referrer) []transport.Referrer {
		return slices.DeleteFunc(slices.Clone(all), func(one transport.Referrer) bool { return one.Lists(listed) })
	}
	documents, bundles := unlisted(p.documents), unlisted(p.bundles)
	fallback := attachedTag(p.subject.Digest, "")
	expected := len(p.documents) + len(p.bundles)
	switch added := slices.Concat(documents, bundles); {
	case served || len(added) == 0:
		documents, expected = nil, len(p.bundles) // a registry may list documents later
	case p.kept[fallback] && len(bundles) == 0:
		documents = nil
	default:
		err := p.ListReferrers(ctx, p.subject.plain(), listed, added)
		if err = p.keepTag(fallback, len(listed) > 0 && len(bundles) == 0, err); err != nil {
			return "", err
		}
	}
	if n := len(documents) + len(bundles); n > 0 {
		missing = fmt.Sprintf("the registry accepted %d referrers and does not list %d of them", expected, n)
	}
	for _, tag := range []struct {
		suffix string
		layers []ociv1.Descriptor
	}{{signatureTag, p.signatures}, {statementTag, p.envelopes}} {
		wrote, err := p.addToTag(ctx, tag.suffix, tag.layers, served)
		if err != nil {
			return "", err
		}
		if wrote {
			missing = cmp.Or(missing, "the registry does not keep signatures in tag "+attachedTag(p.subject.Digest, tag.suffix))
		}
	}
	return missing, nil
}

// keepTag returns the error of a change of a tag, unless the registry refuses the change, and clients find all without it.
func (p *proof) keepTag(tag string, spare bool, err error) error {
	if !transport.RefusesTag(err) {
		return err
	}
	if !spare {
		return p.RefusedTag(err)
	}
	if p.kept == nil {
		p.kept = map[string]bool{}
	}
	p.kept[tag] = true
	p.log("tag %s stays as it is, because the registry refuses to change it", tag)
	return nil
}

// push pushes the forms of a statement, except its tags.
func (p *proof) push(ctx context.Context, statement *v1alpha1.SignedStatement) error {
	signed, err := attestation.ReadAnswer(statement)
	if err != nil {
		return err
	}
	if signed.Type == attestation.TypeSimpleSigning {
		return p.pushSignatures(ctx, signed)
	}
	if signed.Type == attestation.TypeProvenance {
		referrer, err := p.pushReferrer(ctx, &Document{Content: inMemory(signed.Payload), MediaType: v1alpha1.MediaTypeProvenance}, p.subject)
		if err != nil {
			return err
		}
		p.documents = append(p.documents, referrer.referrer())
		p.proofs = append(p.proofs, Proof{v1alpha1.MediaTypeProvenance, signed.Payload, p.location(referrer)})
	}
	for i, signature := range signed.Signatures {
		if err := p.pushBundle(ctx, signed, signature, i == 0); err != nil {
			return err
		}
		if signed.Type == attestation.TypeSignature {
			continue // the tag has simple signatures instead
		}
		if err := p.pushEnvelope(ctx, signed, signature); err != nil {
			return err
		}
	}
	return nil
}

// pushBundle pushes a statement with one of its signatures as a referrer.
func (p *proof) pushBundle(ctx context.Context, signed *attestation.Signed, signature v1alpha1.StatementSignature, first bool) error {
	bundle, err := signed.Bundle(signature)
	if err != nil {
		return err
	}
	referrer, err := p.pushReferrer(ctx, &Document{
		Content: inMemory(bundle), MediaType: v1alpha1.MediaTypeBundle,
		Annotations: map[string]string{
			attestation.AnnotationBundleContent: attestation.BundleContent, attestation.AnnotationBundlePredicateType: signed.Type,
		},
	}, p.subject)
	if err != nil {
		return err
	}
	p.bundles = append(p.bundles, referrer.referrer())
	if first && signed.Type == attestation.TypeProvenance {
		p.proofs = append(p.proofs, Proof{v1alpha1.MediaTypeBundle, bundle, p.location(referrer)})
	}
	return nil
}

// pushEnvelope pushes a statement with one of its signatures as a layer of a tag.
func (p *proof) pushEnvelope(ctx context.Context, signed *attestation.Signed, signature v1alpha1.StatementSignature) error {
	layer, err := p.pushLayer(ctx, signed.Envelope(signature), attestation.EnvelopeMediaType, map[string]string{
		attestation.AnnotationSignature: "", attestation.AnnotationPredicateType: signed.Type,
	})
	p.envelopes = append(p.envelopes, layer)
	return err
}

// pushSignatures pushes the payload of simple signatures, and makes a layer of each signature.
func (p *proof) pushSignatures(ctx context.Context, signed *attestation.Signed) error {
	for _, signature := range signed.Signatures {
		layer, err := p.pushLayer(ctx, signed.Payload, attestation.TypeSimpleSigning, map[string]string{
			attestation.AnnotationSignature: base64.StdEncoding.EncodeToString(signature.Signature),
		})
		if err != nil {
			return err
		}
		p.signatures = append(p.signatures, layer)
	}
	return nil
}

func (p *proof) pushLayer(ctx context.Context, raw []byte, mediaType string, annotations map[string]string) (ociv1.Descriptor, error) {
	content := inMemory(raw)
	layer := layerOf(content, mediaType)
	layer.Annotations = annotations
	return layer, p.PushBlob(ctx, "push signatures of "+p.name, content)
}

// addToTag adds layers to a tag of the subject. The tag keeps the layers that it has: those of other keys, and those of other
// builds of the same content. It returns whether it wrote the tag. Where the referrers API is served, the registry may refuse to change the tag.
func (p *proof) addToTag(ctx context.Context, suffix string, layers []ociv1.Descriptor, served bool) (wrote bool, err error) {
	tag := attachedTag(p.subject.Digest, suffix)
	if len(layers) == 0 || p.kept[tag] {
		return false, nil
	}
	former, err := p.Tagged(ctx, tag)
	if err != nil {
		return false, err
	}
	made := ociv1.Manifest{}
	if former != nil {
		made.Layers, made.Annotations = former.Layers, former.Annotations
	}
	had := len(made.Layers)
	for _, layer := range layers {
		if !slices.ContainsFunc(made.Layers, func(other ociv1.Descriptor) bool { return sameLayer(&other, &layer) }) {
			made.Layers = append(made.Layers, layer)
		}
	}
	if len(made.Layers) == had {
		return false, nil
	}
	made.Layers = made.Layers[max(0, len(made.Layers)-max(maxTagLayers, len(layers))):]
	operation := "push signatures of " + p.name
	configuration, err := newManifest(ociv1.MediaTypeImageConfig, "", configurationOf(made.Layers))
	if err != nil {
		return false, err
	}
	if err := p.PushBlob(ctx, operation, inMemory(configuration.content)); err != nil {
		return false, err
	}
	made.Versioned, made.MediaType, made.Config = specs.Versioned{SchemaVersion: 2}, ociv1.MediaTypeImageManifest, configuration.Descriptor
	written, err := newManifest(ociv1.MediaTypeImageManifest, "", made)
	if err != nil {
		return false, err
	}
	err = p.keepTag(tag, served && former != nil, p.PushTag(ctx, tag, written.Descriptor, written.content))
	return !p.kept[tag], err
}

// sameLayer reports whether two layers have the same content and the same signature.
func sameLayer(a, b *ociv1.Descriptor) bool {
	return a.Digest == b.Digest && a.Annotations[attestation.AnnotationSignature] == b.Annotations[attestation.AnnotationSignature]
}

// configurationOf returns the configuration of the image that a tag names: clients expect that of an image, which names its layers.
func configurationOf(layers []ociv1.Descriptor) *ociv1.Image {
	configuration := &ociv1.Image{RootFS: ociv1.RootFS{Type: "layers", DiffIDs: []digest.Digest{}}}
	for i := range layers {
		configuration.RootFS.DiffIDs = append(configuration.RootFS.DiffIDs, layers[i].Digest)
	}
	return configuration
}
