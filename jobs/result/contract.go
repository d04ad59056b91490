// SPDX-License-Identifier: Apache-2.0

package result

import (
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
}

// Failure is why a builder failed.
type Failure struct {
	// Reason is a word that the builder chooses.
	Reason string `json:"reason,omitempty"`
	// Message for people.
	Message string `json:"message,omitempty"`
	// Retryable is whether another attempt may help.
	Retryable bool `json:"retryable,omitempty"`
}

// Artifact is the artifact of one target.
type Artifact struct {
	// Target is the target's name, as the input gives it: platform/format.
	Target string `json:"target"`
	// Digest of the artifact's content: "sha256:" and 64 lower-case hex digits.
	Digest string `json:"digest"`
	// SizeBytes is the size of the artifact in bytes.
	SizeBytes int64 `json:"sizeBytes"`
}

// TargetName is the name of a target: its platform and its format, joined by a slash.
func TargetName(target v1alpha1.Target) string {
	return target.Platform + "/" + string(target.Format)
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
