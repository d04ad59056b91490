// SPDX-License-Identifier: Apache-2.0

package result

import (
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

const (
	// Version of the contract.
	Version = 1
	// MaxBytes is the maximum length of a message. The kubelet cuts a longer message.
	MaxBytes = 4096
	// ExitTempFail is the exit code with which a builder reports that another attempt may help (EX_TEMPFAIL of sysexits.h).
	ExitTempFail = 75

	// OutcomeSucceeded means that the builder made every artifact.
	OutcomeSucceeded = "Succeeded"
	// OutcomeFailed means that the builder failed.
	OutcomeFailed = "Failed"
)

// Result is the message that a builder writes, as JSON of at most MaxBytes, to the file that $GOLDSMITH_RESULT names.
type Result struct {
	// Version of the contract: 1.
	Version int `json:"version"`
	// Outcome is Succeeded or Failed.
	Outcome string `json:"outcome"`
	// Failure is why the outcome is Failed. It is nil if the outcome is Succeeded.
	Failure *Failure `json:"failure,omitempty"`
	// Artifacts are the artifacts, one for each target, if the outcome is Succeeded.
	Artifacts []Artifact `json:"artifacts,omitempty"`
	// Tests are the results of tests, one for each test of the input, if the outcome is Succeeded and the input has tests. A runner that leaves
	// them out has passed all of them with the outcome Succeeded, and failed all of them with Failed.
	Tests Tests `json:"tests,omitzero"`
	// Report is the file with a report about the tests, as JUnit XML. Optional.
	Report *Content `json:"report,omitempty"`
	// Probe is the answer about an archive, if the outcome is Succeeded and the input has a probe. Then there is nothing else.
	Probe *Probe `json:"probe,omitempty"`
	// Resolved is the answer which packages a build would install, if the outcome is Succeeded and the input has resolve. Then there is nothing else.
	Resolved *Resolved `json:"resolved,omitempty"`
	// Tagged are the tags that Goldsmith moved after the tests had passed, by target. It is not part of the contract: what a runner sets here is ignored.
	Tagged map[string]string `json:"tagged,omitempty"`
	// Check is what Goldsmith found when it read the files of the artifacts. It is not part of the contract: what a builder sets
	// here is ignored.
	Check *Check `json:"check,omitempty"`
	// Ignored names what the message has and the contract does not. It is not part of the contract: what a builder sets here is
	// ignored.
	Ignored string `json:"ignored,omitempty"`

	unknown string // what decode has found for Ignored
}

// Failure is why a builder failed.
type Failure struct {
	// Reason is a word that the builder chooses.
	Reason string `json:"reason,omitempty"`
	// Message for people.
	Message string `json:"message,omitempty"`
	// Class is who can correct the failure: User, Config or Infrastructure. Empty means Infrastructure if Retryable is set, and User
	// otherwise. Any other value is ignored, and named.
	Class v1alpha1.FailureClass `json:"class,omitempty"`
	// Retryable is whether another attempt may help. Then the class is Infrastructure, whatever Class is.
	Retryable bool `json:"retryable,omitempty"`
}

// ReasonDiskFull is the reason of a builder whose disk is full. `goldsmith up` then removes artifacts that are not needed. If that frees
// anything, the class of the failure is Infrastructure, whatever the builder set.
const ReasonDiskFull = "DiskFull"

// Artifact is the artifact of one target.
type Artifact struct {
	// Target is the target's name, as the input gives it: platform/format.
	Target string `json:"target"`
	Content
	// Annotations describe the artifact, by key. Optional.
	Annotations map[string]string `json:"annotations,omitempty"`
	// SBOM is the software bill of materials. Optional.
	SBOM *Content `json:"sbom,omitempty"`
	// Provenance tells how the artifact was built. Optional.
	Provenance *Content `json:"provenance,omitempty"`
	// Lock is the file with a v1alpha1.Lock. Its media type can be omitted. Optional.
	Lock *Content `json:"lock,omitempty"`
	// Packages is the number of packages in the lock. It is not part of the contract: what a builder sets here is ignored.
	Packages *int32 `json:"packages,omitempty"`
	// Made are the documents that Goldsmith made about the artifact. They are not part of the contract: what a builder sets here is ignored.
	Made []Document `json:"made,omitempty"`
	// Tag is the tag with which Goldsmith published the artifact. It is not part of the contract: what a builder sets here is ignored.
	Tag string `json:"tag,omitempty"`
}

// Document is a document about an artifact.
type Document struct {
	// Type is the kind of the document.
	Type v1alpha1.ArtifactDocumentType `json:"type"`
	Content
	// Write writes the document itself, until it is stored. Documents are large, so nobody keeps them in memory.
	Write func(io.Writer) error `json:"-"`
}

// Reported returns the documents that the builder made, in the order of the status. Changes of their contents change the artifact.
func (a *Artifact) Reported() iter.Seq2[v1alpha1.ArtifactDocumentType, *Content] {
	return func(yield func(v1alpha1.ArtifactDocumentType, *Content) bool) {
		_ = (a.Lock == nil || yield(v1alpha1.DocumentLock, a.Lock)) &&
			(a.SBOM == nil || yield(v1alpha1.DocumentSBOM, a.SBOM)) &&
			(a.Provenance == nil || yield(v1alpha1.DocumentProvenance, a.Provenance))
	}
}

// Documents returns all documents about the artifact, in the order of the status: those that the builder made, then those that Goldsmith made.
// Changes of their contents change the artifact.
func (a *Artifact) Documents() iter.Seq2[v1alpha1.ArtifactDocumentType, *Content] {
	return func(yield func(v1alpha1.ArtifactDocumentType, *Content) bool) {
		for of, content := range a.Reported() {
			if !yield(of, content) {
				return
			}
		}
		for i := range a.Made {
			if !yield(a.Made[i].Type, &a.Made[i].Content) {
				return
			}
		}
	}
}

// Content is where the content of an artifact, or of a document about it, is, and what the builder knows about it.
type Content struct {
	// File is the path of the file with the content, relative to the output directory. Optional if Location is set.
	File string `json:"file,omitempty"`
	// Location is where the content can be fetched: a URL or an OCI reference. Optional if File is set.
	Location string `json:"location,omitempty"`
	// Digest of the content: "sha256:" and 64 lower-case hex digits. Where Goldsmith reads File, Digest is optional, and
	// must be right.
	Digest string `json:"digest,omitempty"`
	// SizeBytes is the size of the content in bytes. Optional where Digest is.
	SizeBytes *int64 `json:"sizeBytes,omitempty"`
	// MediaType of the content. Required for documents. Defaults for an artifact to the media type of its target's format.
	MediaType string `json:"mediaType,omitempty"`
	// Verified is what Goldsmith checked. It is not part of the contract: what a builder sets here is ignored.
	Verified v1alpha1.ArtifactVerification `json:"verified,omitempty"`
}

// Check is what Goldsmith found when it read the files of the artifacts. At most one field is set.
type Check struct {
	// Invalid is why the result violates the contract.
	Invalid string `json:"invalid,omitempty"`
	// NotStored is why the files could not be stored, for a reason that is not the builder's fault.
	NotStored string `json:"notStored,omitempty"`
	// NotPublished is why the artifacts could not be published.
	NotPublished *NotPublished `json:"notPublished,omitempty"`
	// NotAttested is why nobody signs the artifacts.
	NotAttested *NotAttested `json:"notAttested,omitempty"`
}

// NotPublished is why a registry does not have the artifacts.
type NotPublished struct {
	// Reason is RegistryDenied, RegistryRefused or RegistryUnavailable.
	Reason  v1alpha1.FailureReason `json:"reason"`
	Message string                 `json:"message"`
}

// NotAttested is why nobody signs the artifacts, so that no tag was moved to them.
type NotAttested struct {
	// Reason is NoSigningKey, SigningKeyExpired or SigningKeyUnusable.
	Reason  v1alpha1.FailureReason `json:"reason"`
	Message string                 `json:"message"`
}

// Refusal reports whether a reason is one for which the server refuses to attest artifacts.
func Refusal(reason v1alpha1.FailureReason) bool {
	return slices.Contains([]v1alpha1.FailureReason{v1alpha1.ReasonNoSigningKey, v1alpha1.ReasonSigningKeyExpired, v1alpha1.ReasonSigningKeyUnusable}, reason)
}

// Confirm compares what the builder reported about a file, which the name tells, with what was read, and adds what it did not report.
func (c *Content) Confirm(name, digest string, sizeBytes int64) error {
	switch {
	case c.SizeBytes != nil && *c.SizeBytes != sizeBytes:
		return fmt.Errorf("sizeBytes of %s is %d, but file %q has %d bytes", name, *c.SizeBytes, c.File, sizeBytes)
	case c.Digest != "" && c.Digest != digest:
		return fmt.Errorf("digest of %s is %s, but file %q has %s", name, c.Digest, c.File, digest)
	}
	c.Digest, c.SizeBytes, c.Verified = digest, &sizeBytes, v1alpha1.ArtifactVerifiedContent
	return nil
}

// NamedContents returns the contents that the builder made, in the order of Contents, with their names in messages.
func (r *Result) NamedContents() iter.Seq2[string, *Content] {
	return func(yield func(string, *Content) bool) {
		for i := range r.Artifacts {
			artifact := &r.Artifacts[i]
			name := fmt.Sprintf("artifact %q", artifact.Target)
			if !yield(name, &artifact.Content) {
				return
			}
			for of, document := range artifact.Reported() {
				if !yield(strings.ToLower(string(of))+" of "+name, document) {
					return
				}
			}
		}
	}
}

// Policy is what the operator and the place where builders run require of a result.
type Policy struct {
	// AllowUnlocated accepts artifacts that have neither a file nor a location, so that nobody can fetch them.
	AllowUnlocated bool
	// RequireKept refuses artifacts without a location whose file nobody reads before it is deleted with its pod.
	RequireKept bool
	// Checked means that Goldsmith has read the files of every success before its message is judged, and has set Check and
	// Verified. Otherwise both are ignored.
	Checked bool
}

// Contents returns the content of each artifact and of the documents about it that the builder made.
func (r *Result) Contents() (contents []*Content) {
	for _, content := range r.NamedContents() {
		contents = append(contents, content)
	}
	return contents
}

// TargetName is the name of a target: its platform and its format, joined by a slash.
func TargetName(target v1alpha1.Target) string {
	return target.Platform + "/" + string(target.Format)
}

// MediaTypeLayout is the media type of the tar of an OCI image layout. It is published as its image, or its images.
const MediaTypeLayout = "application/vnd.oci.image.layout.v1+tar"

// IsLayout reports whether a media type is that of the tar of an OCI image layout, perhaps compressed.
func IsLayout(mediaType string) bool {
	return mediaType == MediaTypeLayout || mediaType == MediaTypeLayout+"+gzip" || mediaType == MediaTypeLayout+"+zstd"
}

// MediaType is the media type of artifacts of a format.
func MediaType(format v1alpha1.ArtifactFormat) string {
	switch format {
	case v1alpha1.ArtifactFormatRaw:
		return "application/x-raw-disk-image"
	case v1alpha1.ArtifactFormatQCOW2:
		return "application/x-qemu-disk"
	case v1alpha1.ArtifactFormatVMDK:
		return "application/x-vmdk"
	case v1alpha1.ArtifactFormatISO:
		return "application/x-iso9660-image"
	case v1alpha1.ArtifactFormatOCI:
		return "application/vnd.oci.image.manifest.v1+json"
	}
	return "application/octet-stream"
}
