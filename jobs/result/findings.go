// SPDX-License-Identifier: Apache-2.0

package result

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
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
}

// finding is a content that was read. It is empty for a content without a file.
type finding struct {
	// Digest is the digest of the content.
	Digest string `json:"d,omitempty"`
	// SizeBytes is its size.
	SizeBytes int64 `json:"s,omitempty"`
	// Manifest is the digest of the manifest in the repository. Empty if the content was not published.
	Manifest string `json:"m,omitempty"`
}

// notTheResult is why nothing is published if a user has set the annotation from which the publisher knows the result.
const notTheResult = "the publisher read another result than that of the builder"

// digestPrefix is the algorithm of all digests.
const digestPrefix = "sha256:"

// Findings returns the message of a publisher about a result that it has checked and published, or about nil for a result that it cannot
// read. It has at most MaxBytes. Only WithFindings reads it.
func Findings(checked *Result) (string, error) {
	found := findings{}
	if checked != nil {
		found.Check, found.Of = checked.Check, checked.outputDigest()
		for _, content := range checked.Contents() {
			if content.Verified == "" {
				found.Contents = append(found.Contents, finding{})
				continue
			}
			_, manifest, _ := strings.Cut(content.Location, "@")
			found.Contents = append(found.Contents, finding{Digest: packed(content.Digest), SizeBytes: ptr.Deref(content.SizeBytes, 0), Manifest: packed(manifest)})
		}
	}
	text, err := json.Marshal(found)
	if err == nil && len(text) > MaxBytes {
		text, err = json.Marshal(findings{Check: &Check{
			Invalid: fmt.Sprintf("%d contents are more than a pod can report: leave out documents, or make fewer targets", len(found.Contents)),
		}})
	}
	return string(text), err
}

// WithFindings returns the message of a builder, completed with the message of the publisher of its pod, for Parse with Policy.Checked.
// repository and tags, by target, are what the publisher was told.
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

// outputDigest returns a digest of what decides what is published: the targets, their files and what the builder tells about them.
func (r *Result) outputDigest() string {
	hash := sha256.New()
	for name, content := range r.NamedContents() {
		_, _ = fmt.Fprintf(hash, "%q %q %q\n", name, content.File, content.MediaType)
	}
	for i := range r.Artifacts {
		_, _ = fmt.Fprintf(hash, "%q\n", r.Artifacts[i].Annotations) // in the order of the keys
	}
	return base64.RawURLEncoding.EncodeToString(hash.Sum(nil))
}

func (r *Result) complete(all *findings, repository string, tags map[string]string) {
	contents, found := r.Contents(), all.Contents
	if len(contents) != len(found) || all.Of != r.outputDigest() {
		r.Check = &Check{NotStored: notTheResult}
		return
	}
	for i, content := range contents {
		if found[i].Digest == "" {
			continue
		}
		content.Digest, content.SizeBytes, content.Verified = unpacked(found[i].Digest), &found[i].SizeBytes, v1alpha1.ArtifactVerifiedContent
		if found[i].Manifest != "" {
			content.Location = repository + "@" + unpacked(found[i].Manifest)
		}
	}
	for i := range r.Artifacts {
		if r.Artifacts[i].Verified != "" {
			r.Artifacts[i].Tag = tags[r.Artifacts[i].Target]
		}
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
