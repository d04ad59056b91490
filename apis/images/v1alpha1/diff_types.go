// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ImageBuildDiff lists the differences between two builds of a namespace: their inputs and their artifacts. The diff
// subresource of a build returns the ImageBuildDiff. The server does not store an ImageBuildDiff.
type ImageBuildDiff struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object's metadata. The name is the name of the build in the field "to".
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`

	// from describes the build to compare with. The query parameter "with" sets the name of that build.
	// +required
	From ComparedBuild `json:"from" protobuf:"bytes,2,opt,name=from"`
	// to describes the build whose diff subresource returned this ImageBuildDiff.
	// +required
	To ComparedBuild `json:"to" protobuf:"bytes,3,opt,name=to"`
	// inputs lists the inputs that differ, sorted by path. If the inputs of a build were not resolved, the server
	// compares the build as if its ConfigMap files and base digest were empty. The list has at most 32 items. If there
	// are more differences, the last item reports the number of omitted differences. Values are shortened to 128
	// characters that contain the difference. The value of a file is its digest and size.
	// +optional
	// +listType=atomic
	Inputs []InputChange `json:"inputs,omitempty" protobuf:"bytes,4,rep,name=inputs"`
	// artifacts lists the artifacts that differ, sorted by target.
	// +optional
	// +patchMergeKey=target
	// +patchStrategy=merge
	// +listType=map
	// +listMapKey=target
	Artifacts []ArtifactChange `json:"artifacts,omitempty" patchStrategy:"merge" patchMergeKey:"target" protobuf:"bytes,5,rep,name=artifacts"`
	// packages compares the packages of the artifacts that have a lock in both builds. Artifacts with the same two locks share an item.
	// If an item has no changes, the packages are the same.
	// +optional
	// +listType=atomic
	Packages []PackageChanges `json:"packages,omitempty" protobuf:"bytes,6,rep,name=packages"`
	// packagesMessage explains why packages is incomplete: only one of the builds has a lock of an artifact, or the records database does
	// not have the lock, or is unavailable. packagesMessage is empty if every lock was compared.
	// +optional
	PackagesMessage string `json:"packagesMessage,omitempty" protobuf:"bytes,7,opt,name=packagesMessage"`
	// tests lists the tests whose outcomes differ, sorted by name.
	// +optional
	// +patchMergeKey=name
	// +patchStrategy=merge
	// +listType=map
	// +listMapKey=name
	Tests []TestChange `json:"tests,omitempty" patchStrategy:"merge" patchMergeKey:"name" protobuf:"bytes,8,rep,name=tests"`
}

// ComparedBuild describes one of the two compared builds.
type ComparedBuild struct {
	// name is the name of the build.
	// +required
	Name string `json:"name" protobuf:"bytes,1,opt,name=name"`
	// uid is the UID of the build.
	// +required
	UID types.UID `json:"uid" protobuf:"bytes,2,opt,name=uid,casttype=k8s.io/apimachinery/pkg/types.UID"`
	// phase is the phase of the build.
	// +optional
	Phase BuildPhase `json:"phase,omitempty" protobuf:"bytes,3,opt,name=phase,casttype=BuildPhase"`
	// inputsDigest is the digest of the resolved inputs of the build. inputsDigest is empty if the inputs were not
	// resolved.
	// +optional
	InputsDigest string `json:"inputsDigest,omitempty" protobuf:"bytes,4,opt,name=inputsDigest"`
	// attempts is the number of attempts at the build.
	// +optional
	Attempts int32 `json:"attempts,omitempty" protobuf:"varint,5,opt,name=attempts"`
	// failure is the reason for which the build failed or was cancelled. failure is empty for any other build.
	// +optional
	Failure FailureReason `json:"failure,omitempty" protobuf:"bytes,6,opt,name=failure,casttype=FailureReason"`
	// duration is the time from the start of the build to its completion, without the time that the build was queued
	// again. duration is empty if the build has not finished, or never started.
	// +optional
	Duration *metav1.Duration `json:"duration,omitempty" protobuf:"bytes,7,opt,name=duration"`
	// revoked is the revocation of the build, in effect or scheduled. revoked is empty if the build is not revoked.
	// +optional
	Revoked *Revocation `json:"revoked,omitempty" protobuf:"bytes,8,opt,name=revoked"`
}

// TestChange is a test whose outcome differs between two builds.
type TestChange struct {
	// name is the name of the test.
	// +required
	Name string `json:"name" protobuf:"bytes,1,opt,name=name"`
	// from is the outcome in the build that ImageBuildDiff.from describes. from is empty if the test has not ended in that build.
	// +optional
	From TestOutcome `json:"from,omitempty" protobuf:"bytes,2,opt,name=from,casttype=TestOutcome"`
	// to is the outcome in the build that ImageBuildDiff.to describes. to is empty if the test has not ended in that build.
	// +optional
	To TestOutcome `json:"to,omitempty" protobuf:"bytes,3,opt,name=to,casttype=TestOutcome"`
}

// ArtifactChange is the difference of one artifact between two builds.
type ArtifactChange struct {
	// target is the platform and the format of the artifact, joined by a slash.
	// +required
	Target string `json:"target" protobuf:"bytes,1,opt,name=target"`
	// from is the digest of the artifact in the build that ImageBuildDiff.from describes. from is empty if that build
	// has no such artifact.
	// +optional
	From string `json:"from,omitempty" protobuf:"bytes,2,opt,name=from"`
	// to is the digest of the artifact in the build that ImageBuildDiff.to describes. to is empty if that build has no
	// such artifact.
	// +optional
	To string `json:"to,omitempty" protobuf:"bytes,3,opt,name=to"`
}

// PackageChanges are the packages that differ between two builds, for artifacts that have the same two locks.
type PackageChanges struct {
	// targets lists the platforms and formats of the artifacts, each joined by a slash.
	// +required
	// +listType=set
	Targets []string `json:"targets" protobuf:"bytes,1,rep,name=targets"`
	// changes lists the packages, sorted by name, architecture and version.
	// +optional
	// +listType=atomic
	Changes []PackageChange `json:"changes,omitempty" protobuf:"bytes,2,rep,name=changes"`
	// unchanged is the number of packages that both builds have in the same version.
	// +optional
	Unchanged int32 `json:"unchanged,omitempty" protobuf:"varint,3,opt,name=unchanged"`
}

// PackageChange is the difference of one package between two builds.
type PackageChange struct {
	// name is the name of the package.
	// +required
	Name string `json:"name" protobuf:"bytes,1,opt,name=name"`
	// architecture is the architecture of the package.
	// +required
	Architecture string `json:"architecture" protobuf:"bytes,2,opt,name=architecture"`
	// from is the version of the package in the build that ImageBuildDiff.from describes. from is empty if the package was added.
	// from and to are equal if only the SHA-256 of the package differs.
	// +optional
	From string `json:"from,omitempty" protobuf:"bytes,3,opt,name=from"`
	// to is the version of the package in the build that ImageBuildDiff.to describes. to is empty if the package was removed.
	// +optional
	To string `json:"to,omitempty" protobuf:"bytes,4,opt,name=to"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ImageBuildDiffOptions are the query parameters of a build's diff subresource.
type ImageBuildDiffOptions struct {
	metav1.TypeMeta `json:",inline"`

	// with is the name of the build to compare with, in the same namespace. Required.
	// +required
	// +k8s:required
	// +k8s:format=k8s-short-name
	With string `json:"with" protobuf:"bytes,1,opt,name=with"`
	// uid is the UID of the build whose diff subresource is requested, at most 63 letters, digits and hyphens. With a
	// records database, name and UID also find a deleted build. With a UID, the server never uses another build of the
	// same name. Defaults to the UID of the existing build of this name.
	// +optional
	UID string `json:"uid,omitempty" protobuf:"bytes,2,opt,name=uid"`
	// withUID is the UID of the build to compare with, in the same form as uid. Defaults to the UID of the existing
	// build of that name.
	// +optional
	WithUID string `json:"withUID,omitempty" protobuf:"bytes,3,opt,name=withUID"`
}
