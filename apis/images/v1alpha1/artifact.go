// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"path"
	"regexp"
	"strings"
	"unicode"
)

// MaxLocationBytes is the maximum length of an artifact's location.
const MaxLocationBytes = 2048

var mediaTypePattern = regexp.MustCompile(`\A[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}\z`)

// ValidMediaType reports whether a text is a media type without parameters, as RFC 6838 defines it.
func ValidMediaType(text string) bool { return mediaTypePattern.MatchString(text) }

// ValidLocation reports whether a text can be the location of an artifact: at most MaxLocationBytes, printable, without white
// space. Goldsmith does not interpret locations. An empty text is valid.
func ValidLocation(text string) bool {
	return len(text) <= MaxLocationBytes && Printable(text) && !strings.ContainsFunc(text, unicode.IsSpace)
}

// ArtifactPath returns the path of the API server from which the content with a digest can be fetched, if the server keeps it: the
// subresource artifacts of a build.
func ArtifactPath(namespace, build, digest string) string {
	return path.Join("/apis", SchemeGroupVersion.String(), "namespaces", namespace, "imagebuilds", build, "artifacts", digest)
}

// FileName returns the name of the file in which a client stores an artifact of a build: the name of the build, the platform and the
// format, such as debian-7-linux-amd64.raw. It is safe as a name in any directory.
func (a *Artifact) FileName(build string) string {
	platform, format := a.Target, ""
	if at := strings.LastIndexByte(a.Target, '/'); at >= 0 {
		platform, format = a.Target[:at], "."+a.Target[at+1:]
	}
	return strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '.', r == '_', r == '-':
			return r
		}
		return '-'
	}, build+"-"+platform+format)
}

// ArtifactDocumentTypes returns all types of documents, sorted.
func ArtifactDocumentTypes() []ArtifactDocumentType {
	return []ArtifactDocumentType{DocumentLock, DocumentProvenance, DocumentSBOM}
}

// ReadLock returns the lock of the artifact, or nil. It ignores a lock that Goldsmith has not read itself: a builder can report the digest of a lock
// that its users are not allowed to read.
func (a *Artifact) ReadLock() *ArtifactDocument {
	if document := a.Document(DocumentLock); document != nil && document.Verified == ArtifactVerifiedContent {
		return document
	}
	return nil
}

// Document returns the first document of a type about an artifact, or nil.
func (a *Artifact) Document(of ArtifactDocumentType) *ArtifactDocument {
	for i := range a.Documents {
		if a.Documents[i].Type == of {
			return &a.Documents[i]
		}
	}
	return nil
}

// The media types of software bills of materials that Goldsmith makes.
const (
	MediaTypeCycloneDX = "application/vnd.cyclonedx+json"
	MediaTypeSPDX      = "application/spdx+json"
)

// The media types of provenance that only Goldsmith makes.
const (
	// MediaTypeProvenance is that of an in-toto statement with the provenance, without a signature.
	MediaTypeProvenance = "application/vnd.in-toto.provenance+json"
	// MediaTypeBundle is that of a Sigstore bundle with a statement and its signature.
	MediaTypeBundle = "application/vnd.dev.sigstore.bundle.v0.3+json"
)

// OnlyByGoldsmith reports whether only Goldsmith makes documents of a media type, so that no builder can report one.
func OnlyByGoldsmith(mediaType string) bool {
	return strings.EqualFold(mediaType, MediaTypeProvenance) || strings.EqualFold(mediaType, MediaTypeBundle)
}

// Name returns the name by which users ask for the document: lock, cyclonedx, spdx, sbom for any other bill of materials, provenance for what
// Goldsmith states, bundle for that with its signature, or self-reported for the provenance that a builder made.
func (d *ArtifactDocument) Name() string {
	switch {
	case d.Type == DocumentProvenance && strings.EqualFold(d.MediaType, MediaTypeBundle):
		return "bundle"
	case d.Type == DocumentProvenance && !strings.EqualFold(d.MediaType, MediaTypeProvenance):
		return "self-reported"
	case d.Type == DocumentSBOM && strings.EqualFold(d.MediaType, MediaTypeCycloneDX):
		return "cyclonedx"
	case d.Type == DocumentSBOM && strings.EqualFold(d.MediaType, MediaTypeSPDX):
		return "spdx"
	}
	return strings.ToLower(string(d.Type))
}

// RecordedArtifacts returns the artifacts that the status of an Image has of a build, even after the build is deleted: of the latest
// successful build, and of the builds that channels name. It returns nil for every other build.
func (status *ImageStatus) RecordedArtifacts(build string) []Artifact {
	if latest := status.LatestSuccessful; latest != nil && latest.Name == build {
		return latest.Artifacts
	}
	for i := range status.Channels {
		if channel := &status.Channels[i]; channel.Build == build {
			return channel.Artifacts
		}
	}
	return nil
}
