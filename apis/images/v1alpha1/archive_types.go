// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	// MaxArchiveUpdates is the maximum number of updates that the status of an Archive lists.
	MaxArchiveUpdates = 5000
	// MaxImageUpdates is the maximum number of updates that the status of an Image lists.
	MaxImageUpdates = 64
	// MaxAdvisories is the maximum number of advisories of an update.
	MaxAdvisories = 32
	// MaxImageFixes is the maximum number of fixes in the status of an Image.
	MaxImageFixes = 16
)

// +genclient
// +genclient:nonNamespaced
// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// Archive is a source of packages that images are made of: a suite of a mirror. The controller creates an Archive for each source in the
// locks of Images with triggers.onPackageChange, asks it for newer packages at an interval, and deletes it once no Image needs it. All Images
// of all namespaces share it.
type Archive struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object's metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`

	// spec identifies the archive.
	// +required
	Spec ArchiveSpec `json:"spec" protobuf:"bytes,2,opt,name=spec"`
	// status reports the last check of the archive. The server ignores status in requests that create or update the Archive.
	// +optional
	Status ArchiveStatus `json:"status,omitempty" protobuf:"bytes,3,opt,name=status"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ArchiveList is a list of Archives.
type ArchiveList struct {
	metav1.TypeMeta `json:",inline"`
	// Standard list metadata.
	// +optional
	metav1.ListMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`

	// items lists the Archives.
	Items []Archive `json:"items" protobuf:"bytes,2,rep,name=items"`
}

// ArchiveSpec identifies an archive. It is immutable: another archive is another Archive.
// +k8s:validation-gen=true
type ArchiveSpec struct {
	// builder is the name of the registered builder that checks the archive.
	// +required
	// +k8s:required
	// +k8s:format=k8s-short-name
	Builder string `json:"builder" protobuf:"bytes,1,opt,name=builder"`
	// uri is the address of the archive, without credentials, and without a slash at its end. At most 2048 characters.
	// +required
	// +k8s:required
	// +k8s:maxLength=2048
	URI string `json:"uri" protobuf:"bytes,2,opt,name=uri"`
	// suite is the suite, such as trixie-security. At most 256 characters. Defaults to none, for an archive without suites.
	// +optional
	// +k8s:optional
	// +k8s:maxLength=256
	Suite string `json:"suite,omitempty" protobuf:"bytes,3,opt,name=suite"`
}

// ArchiveStatus reports the last check of an archive. The controller sets each field.
type ArchiveStatus struct {
	// checks is the number of the last check that was started. It is stored before the check starts.
	// +optional
	Checks int64 `json:"checks,omitempty" protobuf:"varint,1,opt,name=checks"`
	// images is the number of Images that need the archive.
	// +optional
	Images int32 `json:"images,omitempty" protobuf:"varint,2,opt,name=images"`
	// packages is the number of packages that the check asks for: each name, version and architecture in the locks of these Images counts.
	// +optional
	Packages int32 `json:"packages,omitempty" protobuf:"varint,3,opt,name=packages"`
	// packagesDigest is the digest of these packages.
	// +optional
	PackagesDigest string `json:"packagesDigest,omitempty" protobuf:"bytes,4,opt,name=packagesDigest"`
	// release is the state of the archive in the last check that succeeded.
	// +optional
	Release *ArchiveRelease `json:"release,omitempty" protobuf:"bytes,5,opt,name=release"`
	// lastCheckTime is the end of the last check that succeeded.
	// +optional
	LastCheckTime *metav1.Time `json:"lastCheckTime,omitempty" protobuf:"bytes,6,opt,name=lastCheckTime"`
	// lastAttemptTime is the end of the last check.
	// +optional
	LastAttemptTime *metav1.Time `json:"lastAttemptTime,omitempty" protobuf:"bytes,7,opt,name=lastAttemptTime"`
	// consecutiveFailures is the number of checks that have failed since the last success.
	// +optional
	ConsecutiveFailures int32 `json:"consecutiveFailures,omitempty" protobuf:"varint,8,opt,name=consecutiveFailures"`
	// updates lists newer versions of these packages, the security updates first. At most 5,000 updates.
	// +optional
	// +listType=atomic
	Updates []PackageUpdate `json:"updates,omitempty" protobuf:"bytes,9,rep,name=updates"`
	// updateCount is the number of updates, including those that updates does not list.
	// +optional
	UpdateCount int32 `json:"updateCount,omitempty" protobuf:"varint,10,opt,name=updateCount"`
	// conditions contains the type Ready.
	// +optional
	// +patchMergeKey=type
	// +patchStrategy=merge
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty" patchStrategy:"merge" patchMergeKey:"type" protobuf:"bytes,11,rep,name=conditions"`
}

// ArchiveRelease is the state of an archive, as its builder reports it.
type ArchiveRelease struct {
	// date is the date in the signed release file. An archive never goes back to an earlier date.
	// +required
	Date metav1.Time `json:"date" protobuf:"bytes,1,opt,name=date"`
	// sha256 is the SHA-256 of the release file, as 64 lower-case hex digits.
	// +required
	SHA256 string `json:"sha256" protobuf:"bytes,2,opt,name=sha256"`
	// etag is the validator with which the next check asks for a changed release file. At most 256 characters.
	// +optional
	ETag string `json:"etag,omitempty" protobuf:"bytes,3,opt,name=etag"`
	// lastModified is another such validator: the header Last-Modified. At most 64 characters.
	// +optional
	LastModified string `json:"lastModified,omitempty" protobuf:"bytes,4,opt,name=lastModified"`
}

// PackageUpdate is a newer version of a package, or, in the status of an Image, a package that a build would add or remove.
type PackageUpdate struct {
	// name is the name of the package.
	// +required
	Name string `json:"name" protobuf:"bytes,1,opt,name=name"`
	// architecture is the architecture of the package.
	// +required
	Architecture string `json:"architecture" protobuf:"bytes,2,opt,name=architecture"`
	// from is the version in an image. It is empty for a package that a build would add.
	// +optional
	From string `json:"from,omitempty" protobuf:"bytes,3,opt,name=from"`
	// to is the version in the archive. It is empty for a package that a build would remove.
	// +optional
	To string `json:"to,omitempty" protobuf:"bytes,4,opt,name=to"`
	// security is whether the archive publishes the version for security.
	// +optional
	Security bool `json:"security,omitempty" protobuf:"varint,5,opt,name=security"`
	// advisories lists what the newer versions fix, such as CVE-2026-1234, the newest first. At most 32.
	// +optional
	// +listType=atomic
	Advisories []string `json:"advisories,omitempty" protobuf:"bytes,6,rep,name=advisories"`
	// since is the date of the first known release file of the archive with this version.
	// +required
	Since metav1.Time `json:"since" protobuf:"bytes,7,opt,name=since"`
	// archive is the name of the Archive. It is empty in the status of an Archive.
	// +optional
	Archive string `json:"archive,omitempty" protobuf:"bytes,8,opt,name=archive"`
}

// ArchiveState is the date of the release file of an archive at some time.
type ArchiveState struct {
	// name is the name of the Archive.
	// +required
	Name string `json:"name" protobuf:"bytes,1,opt,name=name"`
	// date is the date of its release file.
	// +required
	Date metav1.Time `json:"date" protobuf:"bytes,2,opt,name=date"`
}

// ImagePackages reports newer versions of packages in the latest successful build of an Image with triggers.onPackageChange.
type ImagePackages struct {
	// build is the name of the build whose packages are compared.
	// +required
	Build string `json:"build" protobuf:"bytes,1,opt,name=build"`
	// archives lists the states of the archives with which the packages are compared.
	// +optional
	// +patchMergeKey=name
	// +patchStrategy=merge
	// +listType=map
	// +listMapKey=name
	Archives []ArchiveState `json:"archives,omitempty" patchStrategy:"merge" patchMergeKey:"name" protobuf:"bytes,2,rep,name=archives"`
	// attempted lists the states of the archives for which the last build with the reason PackageChange was started. An update that was
	// there then starts no other build.
	// +optional
	// +patchMergeKey=name
	// +patchStrategy=merge
	// +listType=map
	// +listMapKey=name
	Attempted []ArchiveState `json:"attempted,omitempty" patchStrategy:"merge" patchMergeKey:"name" protobuf:"bytes,3,rep,name=attempted"`
	// updates lists the updates that start a build, the oldest first: those of triggers.onPackageChange.mode that are not attempted. At most 64.
	// +optional
	// +listType=atomic
	Updates []PackageUpdate `json:"updates,omitempty" protobuf:"bytes,4,rep,name=updates"`
	// updateCount is the number of these updates, including those that updates does not list.
	// +optional
	UpdateCount int32 `json:"updateCount,omitempty" protobuf:"varint,5,opt,name=updateCount"`
	// otherCount is the number of other updates: those that mode excludes, and those that a build was started for and did not install.
	// +optional
	OtherCount int32 `json:"otherCount,omitempty" protobuf:"varint,6,opt,name=otherCount"`
	// resolved reports the last resolve of the inputs of the build: which packages a build of them would add and remove. updates lists them. It is
	// empty before the first resolve, which follows a week after the build if an archive has changed.
	// +optional
	Resolved *PackageResolve `json:"resolved,omitempty" protobuf:"bytes,7,opt,name=resolved"`
	// outdated tells since when a build lacks newer versions that triggers.onPackageChange.mode selects, whether or not a build was started for
	// them. It is empty if the latest successful build lacks none.
	// +optional
	Outdated *OutdatedPackages `json:"outdated,omitempty" protobuf:"bytes,8,opt,name=outdated"`
}

// OutdatedPackages tells since when a build lacks newer versions of its packages.
type OutdatedPackages struct {
	// since is the date of the first known release file of an archive with such a version: that of the oldest of them.
	// +required
	Since metav1.Time `json:"since" protobuf:"bytes,1,opt,name=since"`
	// build is the name of the build.
	// +required
	Build string `json:"build" protobuf:"bytes,2,opt,name=build"`
}

// PackageFix is a build that was the first of its Image to have newer versions of packages, which archives had published before.
type PackageFix struct {
	// build is the name of the build.
	// +required
	Build string `json:"build" protobuf:"bytes,1,opt,name=build"`
	// number is the number of the build.
	// +required
	Number int64 `json:"number" protobuf:"varint,2,opt,name=number"`
	// since is the date of the first known release file of an archive with one of these versions: that of the oldest of them. For packages of a
	// base, it is that of the fix of the base.
	// +required
	Since metav1.Time `json:"since" protobuf:"bytes,3,opt,name=since"`
	// readyTime is when the build succeeded.
	// +required
	ReadyTime metav1.Time `json:"readyTime" protobuf:"bytes,4,opt,name=readyTime"`
	// channels lists the channels that have named the build, or a later one that is not one-off, and since when. A channel without an earlier fix gets only the newest. At most 16.
	// +optional
	// +patchMergeKey=name
	// +patchStrategy=merge
	// +listType=map
	// +listMapKey=name
	Channels []FixedChannel `json:"channels,omitempty" patchStrategy:"merge" patchMergeKey:"name" protobuf:"bytes,5,rep,name=channels"`
}

// FixedChannel is a channel that has a fix.
type FixedChannel struct {
	// name is the name of the channel.
	// +required
	Name string `json:"name" protobuf:"bytes,1,opt,name=name"`
	// time is when the channel was first moved to a build with the fix.
	// +required
	Time metav1.Time `json:"time" protobuf:"bytes,2,opt,name=time"`
}

// PackageResolve reports a resolve: a builder computes, without a build, which packages a build would install.
type PackageResolve struct {
	// time is the end of the resolve.
	// +required
	Time metav1.Time `json:"time" protobuf:"bytes,1,opt,name=time"`
	// message is why the resolve failed. It is empty after a success. At most 1024 bytes.
	// +optional
	Message string `json:"message,omitempty" protobuf:"bytes,2,opt,name=message"`
}
