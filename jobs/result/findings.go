// SPDX-License-Identifier: Apache-2.0

package result

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/utils/ptr"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// findings are what the publisher in a pod found and did, as the message of its container. A message has room for at most MaxBytes, so
// digests are in base64, and what the controller knows is left out.
type findings struct {
	// Check is what the publisher found. Nil if it read no file, because the result violates the contract.
	Check *Check `json:"check,omitempty"`
	// Of identifies what the result names, which a user may have changed on its way to the publisher.
	Of string `json:"of,omitempty"`
	// Contents are the contents that it read, in the order of Result.Contents.
	Contents []finding `json:"contents,omitempty"`
	// About is what it found out about each artifact, in the order of the artifacts. A publisher of an earlier version leaves it out.
	About []about `json:"about,omitempty"`
	// Undocumented means that Contents has only the artifacts, because their documents have no room. The repository has the documents.
	Undocumented bool `json:"undocumented,omitempty"`
	// Report is the report about tests that it read. Nil if it read none.
	Report *finding `json:"report,omitempty"`
	// Tagged are the targets whose tags it moved after the tests had passed.
	Tagged []string `json:"tagged,omitempty"`
}

// about is what a publisher found out about an artifact.
type about struct {
	// Packages is the number of packages in the lock.
	Packages *int32 `json:"p,omitempty"`
	// Made are the documents that the publisher made. They are left out if they have no room: the repository has them.
	Made []finding `json:"m,omitempty"`
}

// finding is a content that was read. It is empty for a content without a file.
type finding struct {
	// Digest is the digest of the content.
	Digest string `json:"d,omitempty"`
	// SizeBytes is its size.
	SizeBytes int64 `json:"s,omitempty"`
	// Manifest is the digest of the manifest in the repository. Empty if the content was not published.
	Manifest string `json:"m,omitempty"`
	// Kind is that of a document that the publisher made, as its index in kinds.
	Kind int `json:"k,omitempty"`
}

// documentKind is a type of documents in a format.
type documentKind struct {
	of        v1alpha1.ArtifactDocumentType
	mediaType string
}

// kinds are the kinds of documents that a publisher makes.
var kinds = []documentKind{
	{v1alpha1.DocumentSBOM, v1alpha1.MediaTypeCycloneDX}, {v1alpha1.DocumentSBOM, v1alpha1.MediaTypeSPDX}, {v1alpha1.DocumentProvenance, v1alpha1.MediaTypeProvenance},
}

// notTheResult is why nothing is published if a user has set the annotation from which the publisher knows the result.
const notTheResult = "the publisher read another result than that of the builder"

// digestPrefix is the algorithm of all digests.
const digestPrefix = "sha256:"

// Findings returns the message of a publisher about a result that it has checked and published, or about nil for a result that it cannot
// read. It has at most MaxBytes. Only WithFindings reads it. documented is whether all documents about artifacts have room in it: the bills of
// materials that Goldsmith made are left out first, then the provenance, then all.
func Findings(checked *Result) (message string, documented bool, err error) {
	found := findings{}
	if checked != nil {
		found.Check, found.Of = checked.Check, checked.outputDigest()
		for _, content := range checked.Contents() {
			found.Contents = append(found.Contents, findingOf(content))
		}
		for i := range checked.Artifacts {
			found.About = append(found.About, about{checked.Artifacts[i].Packages, madeFindings(&checked.Artifacts[i])})
		}
		if report := checked.Report; report != nil && report.Verified != "" {
			found.Report = new(findingOf(report))
		}
		found.Tagged = slices.Sorted(maps.Keys(checked.Tagged))
	}
	text, err := json.Marshal(found)
	if err != nil || len(text) <= MaxBytes {
		return string(text), true, err
	}
	for _, least := range []func(finding) bool{bill, func(finding) bool { return true }} {
		for i := range found.About {
			found.About[i].Made = slices.DeleteFunc(found.About[i].Made, least)
		}
		if text, err = json.Marshal(found); err != nil || len(text) <= MaxBytes {
			return string(text), false, err
		}
	}
	found.Contents, found.Undocumented = nil, true
	for i := range checked.Artifacts {
		found.Contents = append(found.Contents, findingOf(&checked.Artifacts[i].Content))
	}
	if text, err = json.Marshal(found); err != nil || len(text) <= MaxBytes {
		return string(text), false, err
	}
	text, err = json.Marshal(findings{Check: &Check{
		Invalid: fmt.Sprintf("%d artifacts are more than a pod can report: make fewer targets", len(found.Contents)),
	}})
	return string(text), false, err
}

// bill reports whether a document that a publisher made is a bill of materials.
func bill(made finding) bool { return kinds[made.Kind].of == v1alpha1.DocumentSBOM }

func findingOf(content *Content) finding {
	if content.Verified == "" {
		return finding{}
	}
	_, manifest, _ := strings.Cut(content.Location, "@")
	return finding{Digest: packed(content.Digest), SizeBytes: ptr.Deref(content.SizeBytes, 0), Manifest: packed(manifest)}
}

func madeFindings(artifact *Artifact) (all []finding) {
	for i := range artifact.Made {
		made := &artifact.Made[i]
		one := findingOf(&made.Content)
		one.Kind = slices.IndexFunc(kinds, func(kind documentKind) bool { return kind == documentKind{made.Type, made.MediaType} })
		if one.Kind >= 0 {
			all = append(all, one)
		}
	}
	return all
}

// WithFindings returns the message of a builder, completed with the message of the publisher of its pod, for Parse with Policy.Checked.
// repository and tags, by target, are what the publisher was told. The message of a runner of tests gets the report that the publisher read, and in
// Tagged the tags that it moved.
func WithFindings(message, publisher, repository string, tags map[string]string) string {
	reported, err := decode(message, MaxBytes)
	if err != nil {
		return message // a violation, whatever the publisher found
	}
	found := findings{}
	if err := json.Unmarshal([]byte(publisher), &found); err != nil {
		found.Check = &Check{NotStored: fmt.Sprintf("the publisher ended with a message that cannot be read: %.100q", publisher)}
	}
	reported.forgetCheck()
	reported.Check = found.Check
	switch {
	case found.Check == nil: // Parse tells first how the result violates the contract
		reported.Check = &Check{NotStored: notTheResult}
	case *found.Check == (Check{}):
		reported.complete(&found, repository, tags)
	}
	completed, err := reported.Message()
	if err != nil { // it was decoded from JSON
		return message
	}
	return completed
}

// outputDigest returns a digest of what decides what is published: the targets, their files and what the builder tells about them, the report, and the
// outcomes of tests.
func (r *Result) outputDigest() string {
	hash := sha256.New()
	for name, content := range r.NamedContents() {
		_, _ = fmt.Fprintf(hash, "%q %q %q\n", name, content.File, content.MediaType)
	}
	for i := range r.Artifacts {
		_, _ = fmt.Fprintf(hash, "%q\n", r.Artifacts[i].Annotations) // in the order of the keys
	}
	for i := range r.Tests {
		_, _ = fmt.Fprintf(hash, "test %q %q\n", r.Tests[i].Name, r.Tests[i].Outcome)
	}
	if r.Report != nil {
		_, _ = fmt.Fprintf(hash, "report %q %q\n", r.Report.File, r.Report.MediaType)
	}
	return base64.RawURLEncoding.EncodeToString(hash.Sum(nil))
}

func (r *Result) complete(all *findings, repository string, tags map[string]string) {
	of := r.outputDigest()
	if all.Undocumented {
		for i := range r.Artifacts {
			artifact := &r.Artifacts[i]
			artifact.Lock, artifact.SBOM, artifact.Provenance = nil, nil, nil
		}
	}
	contents, found := r.Contents(), all.Contents
	if len(contents) != len(found) || all.Of != of || all.About != nil && len(all.About) != len(r.Artifacts) {
		r.Check = &Check{NotStored: notTheResult}
		return
	}
	for i, content := range contents {
		found[i].complete(content, repository)
	}
	if all.Report != nil && r.Report != nil {
		r.Report.Location = "" // the runner published nothing
		all.Report.complete(r.Report, repository)
	}
	for _, target := range all.Tagged {
		if tag := tags[target]; tag != "" {
			if r.Tagged == nil {
				r.Tagged = map[string]string{}
			}
			r.Tagged[target] = tag
		}
	}
	for i := range r.Artifacts {
		artifact := &r.Artifacts[i]
		if artifact.Verified != "" {
			artifact.Tag = tags[artifact.Target]
		}
		artifact.forgetUnpublished()
		if all.About == nil {
			continue
		}
		artifact.Packages = all.About[i].Packages
		for _, made := range all.About[i].Made {
			if made.Kind < 0 || made.Kind >= len(kinds) {
				continue // of another version of the publisher
			}
			document := Document{Type: kinds[made.Kind].of, Content: Content{MediaType: kinds[made.Kind].mediaType}}
			if made.complete(&document.Content, repository); document.Location != "" {
				artifact.Made = append(artifact.Made, document)
			}
		}
	}
}

// forgetUnpublished removes the documents whose files were read and not published, because the builder itself published their artifact. They
// are deleted with the pod.
func (a *Artifact) forgetUnpublished() {
	for _, document := range []**Content{&a.Lock, &a.SBOM, &a.Provenance} {
		if of := *document; of != nil && of.Verified != "" && of.Location == "" {
			*document = nil
		}
	}
}

// complete adds what was found to a content.
func (f *finding) complete(content *Content, repository string) {
	if f.Digest == "" {
		return
	}
	content.Digest, content.SizeBytes, content.Verified = unpacked(f.Digest), &f.SizeBytes, v1alpha1.ArtifactVerifiedContent
	if f.Manifest != "" {
		content.Location = repository + "@" + unpacked(f.Manifest)
	}
}

// packed returns a digest in base64, without its algorithm.
func packed(digest string) string {
	raw, err := hex.DecodeString(strings.TrimPrefix(digest, digestPrefix))
	if err != nil || !ValidDigest(digest) {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

// unpacked returns the digest that packed got. Parse refuses what it makes of any other text.
func unpacked(text string) string {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return text
	}
	return fmt.Sprintf("%s%x", digestPrefix, raw)
}
