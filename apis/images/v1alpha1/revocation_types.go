// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Revocation records that the artifacts of a build must not be used any more, or from a time on.
type Revocation struct {
	// time is the time at which the server received the request.
	// +required
	Time metav1.Time `json:"time" protobuf:"bytes,1,opt,name=time"`
	// by is the authenticated user who made the request.
	// +optional
	By string `json:"by,omitempty" protobuf:"bytes,2,opt,name=by"`
	// reason is the reason that this user gave.
	// +required
	Reason string `json:"reason" protobuf:"bytes,3,opt,name=reason"`
	// effectiveTime is the time from which the build is revoked. If effectiveTime is empty, the build is revoked since time.
	// +optional
	EffectiveTime *metav1.Time `json:"effectiveTime,omitempty" protobuf:"bytes,4,opt,name=effectiveTime"`
	// origin is the name of the build that was revoked together with this build, because this build is based on it, or shares an artifact with it.
	// origin is empty if this build was revoked by itself.
	// +optional
	Origin string `json:"origin,omitempty" protobuf:"bytes,5,opt,name=origin"`
}

// +genclient
// +genclient:onlyVerbs=get,list,watch,delete
// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// RevokedArtifact records that a content is revoked in a namespace, also once the builds that have made it, and their Image, are deleted. A build that
// makes the content again does not succeed. Only the subresources revoke and restore of builds make and change RevokedArtifacts. A user deletes one
// to take a revocation back whose builds are all deleted. Builds that exist stay revoked by their own status. The name is sha256-<hex> of the digest.
type RevokedArtifact struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object's metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`

	// spec describes the content and its revocation.
	// +required
	Spec RevokedArtifactSpec `json:"spec" protobuf:"bytes,2,opt,name=spec"`
}

// RevokedArtifactSpec describes a content and its revocation.
type RevokedArtifactSpec struct {
	// digest is the digest of the content: "sha256:" and 64 hex digits.
	// +required
	Digest string `json:"digest" protobuf:"bytes,1,opt,name=digest"`
	// build is the name of the build with which the content was revoked, even after the build is deleted.
	// +required
	Build string `json:"build" protobuf:"bytes,2,opt,name=build"`
	// image is the name of the Image of that build. It is empty if the build belongs to no Image.
	// +optional
	Image string `json:"image,omitempty" protobuf:"bytes,3,opt,name=image"`
	// revocation tells who revoked the content, why, and from when on.
	// +required
	Revocation Revocation `json:"revocation" protobuf:"bytes,4,opt,name=revocation"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// RevokedArtifactList is a list of RevokedArtifacts.
type RevokedArtifactList struct {
	metav1.TypeMeta `json:",inline"`
	// Standard list metadata.
	// +optional
	metav1.ListMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`

	// items lists the RevokedArtifacts.
	Items []RevokedArtifact `json:"items" protobuf:"bytes,2,rep,name=items"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// RevokeRequest revokes a build: no channel and no other build uses its artifacts from then on, and clients refuse them. Users create a
// RevokeRequest at the revoke subresource of the build, which returns the ImageBuild. Other builds of its namespace that share an artifact with it
// are revoked, too. A build that has not finished is cancelled. The request replaces a revocation that is scheduled, or that came with another
// build. Otherwise it does not change a build that is revoked already.
type RevokeRequest struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object's metadata. The name is optional. If it is set, it must be the name of the build.
	// +optional
	// +k8s:opaqueType
	metav1.ObjectMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`

	// reason explains the revocation for a human reader. One line of 1 to 1024 printable characters.
	// +required
	// +k8s:required
	// +k8s:maxLength=1024
	Reason string `json:"reason" protobuf:"bytes,2,opt,name=reason"`
	// effectiveTime schedules the revocation: the build is revoked from this RFC 3339 time on. It must be in the future. Defaults to now.
	// +optional
	EffectiveTime *metav1.Time `json:"effectiveTime,omitempty" protobuf:"bytes,3,opt,name=effectiveTime"`
	// descendants also revokes each build of the namespace that is based on the build, directly and through other builds. The user needs
	// permission to create at the revoke subresource of all of them. Defaults to false.
	// +optional
	Descendants bool `json:"descendants,omitempty" protobuf:"varint,4,opt,name=descendants"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// RestoreRequest removes the revocation of a build. Users create a RestoreRequest at the restore subresource of the build, which returns the
// ImageBuild. Other builds of its namespace that share an artifact with it are restored, too. The request does not change a build that is not
// revoked. A build that was cancelled by its revocation stays cancelled.
type RestoreRequest struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object's metadata. The name is optional. If it is set, it must be the name of the build.
	// +optional
	// +k8s:opaqueType
	metav1.ObjectMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`

	// reason explains the request for a human reader. One line of at most 1024 printable characters.
	// +optional
	// +k8s:optional
	// +k8s:maxLength=1024
	Reason string `json:"reason,omitempty" protobuf:"bytes,2,opt,name=reason"`
	// descendants also restores each build that was revoked together with this build, because it is based on this build. Defaults to false.
	// +optional
	Descendants bool `json:"descendants,omitempty" protobuf:"varint,3,opt,name=descendants"`
}

// Since returns the time from which the build is revoked.
func (r *Revocation) Since() time.Time {
	if r.EffectiveTime != nil {
		return r.EffectiveTime.Time
	}
	return r.Time.Time
}

// InEffect reports whether a build with this revocation, which may be nil, is revoked at a time. Without effectiveTime it is revoked at any
// time, because the clock of the server that recorded the revocation may be ahead.
func (r *Revocation) InEffect(now time.Time) bool {
	return r != nil && (r.EffectiveTime == nil || !now.Before(r.EffectiveTime.Time))
}

// Pending returns the time at which a revocation, which may be nil, takes effect. It is zero if the revocation has taken effect.
func (r *Revocation) Pending(now time.Time) time.Time {
	if r == nil || r.InEffect(now) {
		return time.Time{}
	}
	return r.Since()
}

// Explain tells who revoked a build, and why, for the end of a message.
func (r *Revocation) Explain() string {
	text := "revoked"
	if r.By != "" {
		text += " by " + r.By
	}
	if r.Origin != "" {
		text += " with " + r.Origin
	}
	return fmt.Sprintf("%s: %s", text, r.Reason)
}

// RevokedArtifactName returns the name of the RevokedArtifact of a digest.
func RevokedArtifactName(digest string) string { return strings.ReplaceAll(digest, ":", "-") }

// Revoked reports whether a build is revoked at a time.
func Revoked(build *ImageBuild, now time.Time) bool {
	return build.Status.Revoked.InEffect(now)
}
