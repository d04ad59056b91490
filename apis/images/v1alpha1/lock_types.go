// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

const (
	// LockMediaType is the media type of a lock.
	LockMediaType = "application/vnd.goldsmith.lock.v1+json"
	// LockVersion is the version of locks.
	LockVersion = 1
	// MaxLockBytes is the maximum size of a lock in bytes.
	MaxLockBytes = 8 << 20
	// MaxLockPackages is the maximum number of packages in a lock.
	MaxLockPackages = 20_000
	// MaxLockSources is the maximum number of sources in a lock.
	MaxLockSources = 1000
)

// Lock lists what an artifact was made of: the sources that packages came from, and the packages. A builder writes a lock as a JSON file
// beside the artifact, of at most 8 MiB, and of 2 MiB compressed by gzip. Goldsmith lists the packages, compares builds, and writes software
// bills of materials from it.
type Lock struct {
	// version is the version of the format: 1.
	// +required
	Version int32 `json:"version" protobuf:"varint,1,opt,name=version"`
	// tools is a digest of the tools of the builder, which can make other bytes of the same packages.
	// +optional
	Tools string `json:"tools,omitempty" protobuf:"bytes,2,opt,name=tools"`
	// distribution is the distribution that the packages belong to. distribution is empty if they belong to none.
	// +optional
	Distribution *Distribution `json:"distribution,omitempty" protobuf:"bytes,3,opt,name=distribution"`
	// sources lists where packages came from. At most 1,000 sources.
	// +optional
	// +listType=atomic
	Sources []PackageSource `json:"sources,omitempty" protobuf:"bytes,4,rep,name=sources"`
	// packages lists the packages in the artifact, including those of the base. At most 20,000 packages, without duplicates.
	// +required
	// +listType=atomic
	Packages []Package `json:"packages" protobuf:"bytes,5,rep,name=packages"`
}

// Distribution identifies a distribution of packages, in the terms of `os-release(5)`.
type Distribution struct {
	// id is the ID of the distribution, such as `debian`.
	// +required
	ID string `json:"id" protobuf:"bytes,1,opt,name=id"`
	// version is the `VERSION_ID` of the distribution, such as 13.
	// +optional
	Version string `json:"version,omitempty" protobuf:"bytes,2,opt,name=version"`
}

// PackageSource is a place that packages came from, such as a component of a suite of a mirror.
type PackageSource struct {
	// uri is the address of the source, without credentials.
	// +required
	URI string `json:"uri" protobuf:"bytes,1,opt,name=uri"`
	// suite is the suite, such as trixie-security.
	// +optional
	Suite string `json:"suite,omitempty" protobuf:"bytes,2,opt,name=suite"`
	// component is the component, such as main.
	// +optional
	Component string `json:"component,omitempty" protobuf:"bytes,3,opt,name=component"`
	// release is the state of the source: its signed release file.
	// +optional
	Release *ReleaseFile `json:"release,omitempty" protobuf:"bytes,4,opt,name=release"`
}

// ReleaseFile identifies a release file of a source of packages.
type ReleaseFile struct {
	// date is the date in the release file, from 1970 to 9999.
	// +optional
	Date *metav1.Time `json:"date,omitempty" protobuf:"bytes,1,opt,name=date"`
	// sha256 is the SHA-256 of the release file, as 64 lower-case hex digits.
	// +optional
	SHA256 string `json:"sha256,omitempty" protobuf:"bytes,2,opt,name=sha256"`
}

// Package is a package in an artifact.
type Package struct {
	// name is the name of the package.
	// +required
	Name string `json:"name" protobuf:"bytes,1,opt,name=name"`
	// version is the version of the package, as the distribution writes it.
	// +required
	Version string `json:"version" protobuf:"bytes,2,opt,name=version"`
	// architecture is the architecture of the package, as the distribution writes it, such as amd64, or all.
	// +required
	Architecture string `json:"architecture" protobuf:"bytes,3,opt,name=architecture"`
	// source is the source package that the package was built from.
	// +optional
	Source *SourcePackage `json:"source,omitempty" protobuf:"bytes,4,opt,name=source"`
	// sha256 is the SHA-256 of the file of the package, as 64 lower-case hex digits.
	// +optional
	SHA256 string `json:"sha256,omitempty" protobuf:"bytes,5,opt,name=sha256"`
	// licence is the licence of the package, as its archive writes it.
	// +optional
	Licence string `json:"licence,omitempty" protobuf:"bytes,6,opt,name=licence"`
	// purl is the package URL of the package, without credentials, for a package that does not belong to the distribution. Defaults to a package URL of the
	// distribution. See https://github.com/package-url/purl-spec.
	// +optional
	PURL string `json:"purl,omitempty" protobuf:"bytes,7,opt,name=purl"`
}

// SourcePackage is a source package.
type SourcePackage struct {
	// name is the name of the source package.
	// +required
	Name string `json:"name" protobuf:"bytes,1,opt,name=name"`
	// version is the version of the source package.
	// +optional
	Version string `json:"version,omitempty" protobuf:"bytes,2,opt,name=version"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ImageBuildPackages lists the packages in the artifacts of a build. The packages subresource of a build returns the ImageBuildPackages,
// including that of a deleted build. The server keeps locks in its records database.
type ImageBuildPackages struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object's metadata. The name is the name of the build.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`

	// buildUID is the UID of the build.
	// +required
	BuildUID types.UID `json:"buildUID" protobuf:"bytes,2,opt,name=buildUID,casttype=k8s.io/apimachinery/pkg/types.UID"`
	// locks lists the locks of the artifacts, in the order of the artifacts. Artifacts that have the same lock share an item.
	// +optional
	// +listType=atomic
	Locks []ArtifactLock `json:"locks,omitempty" protobuf:"bytes,3,rep,name=locks"`
}

// ArtifactLock is the lock of artifacts.
type ArtifactLock struct {
	// targets lists the platforms and formats of the artifacts, each joined by a slash.
	// +required
	// +listType=set
	Targets []string `json:"targets" protobuf:"bytes,1,rep,name=targets"`
	// digest is the digest of the lock: "sha256:" and 64 hex digits.
	// +required
	Digest string `json:"digest" protobuf:"bytes,2,opt,name=digest"`
	// lock is the lock.
	// +required
	Lock Lock `json:"lock" protobuf:"bytes,3,opt,name=lock"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ImageBuildPackagesOptions are the query parameters of a build's packages subresource.
type ImageBuildPackagesOptions struct {
	metav1.TypeMeta `json:",inline"`

	// uid is the UID of the build, at most 63 letters, digits and hyphens. Name and UID also find a deleted build. With a UID, the server
	// never uses another build of the same name. Defaults to the UID of the existing build of this name.
	// +optional
	UID string `json:"uid,omitempty" protobuf:"bytes,1,opt,name=uid"`
	// target selects the artifact of a platform and format, joined by a slash. Defaults to all artifacts.
	// +optional
	Target string `json:"target,omitempty" protobuf:"bytes,2,opt,name=target"`
}
