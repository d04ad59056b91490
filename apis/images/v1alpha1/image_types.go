// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// +genclient
// +genclient:method=Instantiate,verb=create,subresource=instantiate,input=BuildRequest,result=ImageBuild
// +genclient:method=GetPlan,verb=get,subresource=plan,result=ImagePlan
// +genclient:method=GetChannels,verb=get,subresource=channels,result=ImageChannels
// +genclient:method=UpdateChannels,verb=update,subresource=channels,input=ImageChannels,result=ImageChannels
// +genclient:method=GetHistory,verb=get,subresource=history,result=ImageHistory
// +genclient:method=GetStats,verb=get,subresource=stats,result=ImageStats
// +genclient:method=GetChanges,verb=get,subresource=changes,result=ImageChanges
// +genclient:method=GetNotes,verb=get,subresource=notes,result=ImageNoteList
// +genclient:method=CreateNote,verb=create,subresource=notes,input=ImageNote,result=ImageNote
// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// Image declares a golden image that should exist. Goldsmith builds the image whenever its inputs change, and reports
// the result in status. The name is a DNS label of at most 45 characters, so that every name derived from it is a valid
// label value.
type Image struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object's metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`

	// spec describes the image that should exist.
	// +required
	Spec ImageSpec `json:"spec" protobuf:"bytes,2,opt,name=spec"`
	// status reports the observed state of the Image. The controller and the subresources set status. The server ignores
	// status in requests that create or update the Image.
	// +optional
	Status ImageStatus `json:"status,omitempty" protobuf:"bytes,3,opt,name=status"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ImageList is a list of Images.
type ImageList struct {
	metav1.TypeMeta `json:",inline"`
	// Standard list metadata.
	// +optional
	metav1.ListMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`

	// items lists the Images.
	Items []Image `json:"items" protobuf:"bytes,2,rep,name=items"`
}

// ImageSpec describes the image that should exist.
type ImageSpec struct {
	// The inputs of a build. By default, a build starts when an input, or an object that an input refers to, changes.
	BuildInputs `json:",inline" protobuf:"bytes,1,opt,name=buildInputs"`

	// triggers configures the events that start a build without a request. If triggers is empty, the defaults of its
	// fields apply.
	// +optional
	// +k8s:optional
	Triggers *Triggers `json:"triggers,omitempty" protobuf:"bytes,2,opt,name=triggers"`
	// runPolicy sets the order of the builds of this Image. Serial runs one build at a time, in the order of their
	// numbers. SerialLatestOnly also runs one build at a time. When a newer build waits, SerialLatestOnly cancels older
	// waiting builds with the reason Superseded. SerialLatestOnly ignores one-off builds: it does not cancel them, and
	// a waiting one-off build cancels no other build. Parallel runs builds at the same time. Defaults to Serial.
	// +optional
	// +k8s:optional
	RunPolicy RunPolicy `json:"runPolicy,omitempty" protobuf:"bytes,3,opt,name=runPolicy,casttype=RunPolicy"`
	// suspend stops all triggers while it is true. Existing builds continue, and users can still request builds.
	// Defaults to false.
	// +optional
	Suspend *bool `json:"suspend,omitempty" protobuf:"varint,4,opt,name=suspend"`
	// timeouts limits the wait, the start and the run of a build. If timeouts is empty, the defaults of its fields
	// apply.
	// +optional
	// +k8s:optional
	Timeouts *BuildTimeouts `json:"timeouts,omitempty" protobuf:"bytes,5,opt,name=timeouts"`
	// retry configures retries: the failure classes that are retried, the number of retries and the delay. If retry is
	// empty, the defaults of its fields apply.
	// +optional
	// +k8s:optional
	Retry *RetryPolicy `json:"retry,omitempty" protobuf:"bytes,6,opt,name=retry"`
	// history limits the number and the age of finished builds. If history is empty, the defaults of its fields apply.
	// +optional
	// +k8s:optional
	History *HistoryLimits `json:"history,omitempty" protobuf:"bytes,7,opt,name=history"`
	// tests lists the tests of the artifacts of each build. They run after the artifacts are made and, with output, published by
	// digest, and before a tag names them and the build succeeds. A change of the tests alone builds nothing: it tests the artifacts of
	// the last build again. At most 16. Defaults to none.
	// +optional
	// +patchMergeKey=name
	// +patchStrategy=merge
	// +listType=map
	// +listMapKey=name
	// +k8s:optional
	// +k8s:maxItems=16
	Tests []ImageTest `json:"tests,omitempty" patchStrategy:"merge" patchMergeKey:"name" protobuf:"bytes,8,rep,name=tests"`
	// channels lists the rules of channels: what a build needs, and whether the controller promotes builds by itself. A channel without a rule
	// takes each successful build that a user promotes. A change of channels starts no build. At most 16. Defaults to none.
	// +optional
	// +patchMergeKey=name
	// +patchStrategy=merge
	// +listType=map
	// +listMapKey=name
	// +k8s:optional
	// +k8s:maxItems=16
	Channels []ChannelRule `json:"channels,omitempty" patchStrategy:"merge" patchMergeKey:"name" protobuf:"bytes,9,rep,name=channels"`
}

// BuildInputs contains the inputs of a build.
type BuildInputs struct {
	// builder selects the builder of the image.
	// +required
	Builder BuilderReference `json:"builder" protobuf:"bytes,1,opt,name=builder"`
	// base selects the base of the image.
	// +required
	Base Base `json:"base" protobuf:"bytes,2,opt,name=base"`
	// source provides files for the builder. Inline files and those of a ConfigMap have at most 64 KiB in total: the JSON encoding of names and
	// contents, without HTML escaping. Defaults to no files.
	// +optional
	// +k8s:optional
	Source *Source `json:"source,omitempty" protobuf:"bytes,3,opt,name=source"`
	// parameters lists named values that Goldsmith passes to the builder unchanged. The builder defines their meaning.
	// At most 64 parameters, and 64 KiB in total. The limit of 64 KiB applies to the JSON encoding of names and values,
	// without HTML escaping. Defaults to none.
	// +optional
	// +patchMergeKey=name
	// +patchStrategy=merge
	// +listType=map
	// +listMapKey=name
	// +k8s:maxItems=64
	// +k8s:optional
	Parameters []Parameter `json:"parameters,omitempty" patchStrategy:"merge" patchMergeKey:"name" protobuf:"bytes,4,rep,name=parameters"`
	// targets lists the artifacts to build, one for each platform and format. 1 to 16 targets. Each combination of
	// platform and format is unique.
	// +listType=map
	// +listMapKey=platform
	// +listMapKey=format
	// +k8s:listType=map
	// +k8s:listMapKey=platform
	// +k8s:listMapKey=format
	// +k8s:maxItems=16
	// +required
	// +k8s:required
	Targets []Target `json:"targets" protobuf:"bytes,5,rep,name=targets"`
	// template configures the pods of builds: service account, resources, nodes and environment variables. A change of
	// any field except queueName changes the inputs. Defaults to none.
	// +optional
	// +k8s:optional
	Template *BuildTemplate `json:"template,omitempty" protobuf:"bytes,6,opt,name=template"`
	// output publishes the artifacts of each build in a registry. Without output the artifacts stay where the builder or the
	// server keeps them. Defaults to none.
	// +optional
	// +k8s:optional
	Output *Output `json:"output,omitempty" protobuf:"bytes,7,opt,name=output"`
}

// Output publishes the artifacts of a build in an OCI registry, after the builder has ended and before the build succeeds.
// The builder has no access to the Secret. Each artifact becomes a manifest of its own in the repository, and
// status.artifacts has its location, by digest. A build whose artifacts cannot be published fails with RegistryDenied,
// RegistryRefused or RegistryUnavailable.
type Output struct {
	// repository is the repository to publish in: HOST[:PORT]/PATH, such as registry.example.com/team/web, without a tag
	// or a digest. At most 255 characters. A repository on the host localhost, or on a loopback address, is reached over plain
	// HTTP. All others are reached over TLS, unless the operator allows otherwise.
	// +k8s:maxLength=255
	// +required
	// +k8s:required
	Repository string `json:"repository" protobuf:"bytes,1,opt,name=repository"`
	// tagTemplate is the tag of each artifact, with placeholders: {build} is the name of the build, {image} the name of
	// the Image, {number} the number of the build, {platform} the platform of the target with "-" for each "/", and
	// {format} its format. Artifacts with the same tag are published as one image index with this tag. A one-off build
	// moves no tag. If several builds publish the same tag, the tag has the artifacts of the build that published last.
	// At most 128 characters, also of the tag. Defaults to {build}.
	// +optional
	// +k8s:maxLength=128
	// +k8s:optional
	TagTemplate string `json:"tagTemplate,omitempty" protobuf:"bytes,2,opt,name=tagTemplate"`
	// secretRef selects a Secret of the namespace with the credentials of the registry. Its type is
	// kubernetes.io/dockerconfigjson. Its optional key ca.crt has certificate authorities in PEM that the registry's
	// certificate may be of, besides those of the system. The user who sets secretRef needs permission to get the
	// Secret. Without secretRef the registry is accessed without credentials. Defaults to none.
	// +optional
	// +k8s:optional
	SecretRef *SecretReference `json:"secretRef,omitempty" protobuf:"bytes,3,opt,name=secretRef"`
	// attest decides whether the artifacts are signed before a tag names them. Automatic signs them if a SigningKey selects the
	// namespace. Required fails the build if none does. Never leaves them unsigned. Without attest, as with Automatic.
	// +optional
	// +k8s:optional
	Attest AttestPolicy `json:"attest,omitempty" protobuf:"bytes,4,opt,name=attest,casttype=AttestPolicy"`
}

// SecretReference selects a Secret of the same namespace.
type SecretReference struct {
	// name is the name of the Secret, a DNS subdomain of at most 253 characters.
	// +required
	// +k8s:required
	// +k8s:format=k8s-long-name
	Name string `json:"name" protobuf:"bytes,1,opt,name=name"`
}

// BuilderReference selects the builder of an image. Exactly one of name and image is set.
type BuilderReference struct {
	// name selects a builder that the operator of the server registered. The name is a DNS label of at most 63
	// characters. The builder "mock" is always registered.
	// +optional
	// +k8s:optional
	// +k8s:format=k8s-short-name
	// +k8s:unionMember
	Name string `json:"name,omitempty" protobuf:"bytes,1,opt,name=name"`
	// image is the reference of a container image that follows the builder contract. 1 to 512 printable characters
	// without spaces.
	// If the operator has not enabled builders by image, builds fail with BuilderNotAllowed.
	// +optional
	// +k8s:maxLength=512
	// +k8s:optional
	// +k8s:unionMember
	Image string `json:"image,omitempty" protobuf:"bytes,2,opt,name=image"`
	// command replaces the entry point of image. A reference without image cannot set command. At most 64 elements.
	// Defaults to the entry point of image.
	// +optional
	// +listType=atomic
	// +k8s:maxItems=64
	// +k8s:optional
	Command []string `json:"command,omitempty" protobuf:"bytes,3,rep,name=command"`
}

// Base selects the base of an image. Exactly one of reference and imageRef is set.
type Base struct {
	// reference names the base in the terms of the builder, such as debian:bookworm. 1 to 512 printable characters
	// without spaces.
	// +optional
	// +k8s:maxLength=512
	// +k8s:optional
	// +k8s:unionMember
	Reference string `json:"reference,omitempty" protobuf:"bytes,1,opt,name=reference"`
	// imageRef selects another Image of the namespace as the base. The digest of that Image is an input: when the digest
	// changes, triggers.onBaseChange starts a build of this Image. The server refuses Images that are based on each
	// other in a cycle, and an Image that is based on more than 32 Images, directly and through each other.
	// +optional
	// +k8s:optional
	// +k8s:unionMember
	ImageRef *BaseImageReference `json:"imageRef,omitempty" protobuf:"bytes,2,opt,name=imageRef"`
}

// BaseImageReference selects a build of another Image.
type BaseImageReference struct {
	// name is the name of the Image.
	// +k8s:maxLength=45
	// +k8s:validation:pattern="^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
	// +required
	// +k8s:required
	Name string `json:"name" protobuf:"bytes,1,opt,name=name"`
	// channel is the name of a channel of the Image, and selects the build of that channel. The name is a DNS label of
	// at most 63 characters. Defaults to empty, which selects the latest successful build of the Image.
	// +optional
	// +k8s:optional
	// +k8s:format=k8s-short-name
	Channel string `json:"channel,omitempty" protobuf:"bytes,2,opt,name=channel"`
}

// Source provides files for the builder. At most one of its fields is set.
type Source struct {
	// inline contains the files.
	// +optional
	// +k8s:optional
	// +k8s:zeroOrOneOfMember
	Inline *InlineSource `json:"inline,omitempty" protobuf:"bytes,1,opt,name=inline"`
	// configMapRef selects a ConfigMap whose data are the files. The controller copies the files into each build.
	// +optional
	// +k8s:optional
	// +k8s:zeroOrOneOfMember
	ConfigMapRef *ConfigMapReference `json:"configMapRef,omitempty" protobuf:"bytes,2,opt,name=configMapRef"`
	// git selects a commit of a Git repository, whose files a build fetches.
	// +optional
	// +k8s:optional
	// +k8s:zeroOrOneOfMember
	Git *GitSource `json:"git,omitempty" protobuf:"bytes,3,opt,name=git"`
	// oci selects an artifact of an OCI registry that has files, such as that of a Flux OCIRepository, which a build fetches.
	// +optional
	// +k8s:optional
	// +k8s:zeroOrOneOfMember
	OCI *OCISource `json:"oci,omitempty" protobuf:"bytes,4,opt,name=oci"`
}

// GitSource selects a commit of a Git repository. The controller looks at an interval which commit ref names. The commit is an input: when ref
// names another commit, triggers.onSourceChange starts a build. A fetch has at most 1 GiB, 100,000 files, and no submodules.
type GitSource struct {
	// url is the address of the repository: https://HOST/PATH, ssh://USER@HOST[:PORT]/PATH or USER@HOST:PATH, and http://HOST/PATH without secretRef. It
	// has no password. At most 2048 characters.
	// +required
	// +k8s:required
	// +k8s:maxLength=2048
	URL string `json:"url" protobuf:"bytes,1,opt,name=url"`
	// ref is a branch, a tag, a full name such as refs/heads/main, or a commit as 40 hexadecimal digits. A short name must not be that of a
	// branch and of a tag. A build that belongs to no Image needs a commit. At most 255 characters. Without it, it is the default
	// branch of the repository.
	// +optional
	// +k8s:optional
	// +k8s:maxLength=255
	Ref string `json:"ref,omitempty" protobuf:"bytes,2,opt,name=ref"`
	// path is a directory of the repository, whose files the builder gets. At most 1024 characters. Without it, it is the whole repository.
	// +optional
	// +k8s:optional
	// +k8s:maxLength=1024
	Path string `json:"path,omitempty" protobuf:"bytes,3,opt,name=path"`
	// secretRef selects a Secret of the namespace with credentials. Its keys are username and password, bearerToken, or identity and known_hosts for
	// SSH, as in Secrets of Flux; the keys of the types kubernetes.io/basic-auth and kubernetes.io/ssh-auth, the latter with known_hosts; and ca.crt with
	// certificate authorities in PEM. The builder has no access to the Secret. The user who sets secretRef needs permission to get the Secret.
	// Defaults to none.
	// +optional
	// +k8s:optional
	SecretRef *SecretReference `json:"secretRef,omitempty" protobuf:"bytes,4,opt,name=secretRef"`
}

// OCISource selects an artifact of an OCI registry with one layer, a tar of files, as `flux push artifact` and `oras push` make it. Its digest is an
// input, as the commit of git is.
type OCISource struct {
	// repository is the repository: HOST[:PORT]/PATH, without a tag or a digest. At most 255 characters.
	// +required
	// +k8s:required
	// +k8s:maxLength=255
	Repository string `json:"repository" protobuf:"bytes,1,opt,name=repository"`
	// tag is the tag, or a digest: "sha256:" and 64 hex digits. A build that belongs to no Image needs a digest. At most 128 characters. Without it,
	// it is latest.
	// +optional
	// +k8s:optional
	// +k8s:maxLength=128
	Tag string `json:"tag,omitempty" protobuf:"bytes,2,opt,name=tag"`
	// secretRef selects a Secret of the namespace with the credentials of the registry, as output has. Defaults to none.
	// +optional
	// +k8s:optional
	SecretRef *SecretReference `json:"secretRef,omitempty" protobuf:"bytes,3,opt,name=secretRef"`
}

// SourceRevision is what a source was resolved to.
type SourceRevision struct {
	// revision is the commit or the digest of the artifact: "sha1:" and 40, or "sha256:" and 64 hex digits.
	// +required
	Revision string `json:"revision" protobuf:"bytes,1,opt,name=revision"`
	// ref is the full name of the branch or the tag of Git that named the commit, or the tag of the artifact. It is empty if the source itself names the
	// revision.
	// +optional
	Ref string `json:"ref,omitempty" protobuf:"bytes,2,opt,name=ref"`
	// summary is the first line of the commit, or the title of the artifact. At most 200 characters.
	// +optional
	Summary string `json:"summary,omitempty" protobuf:"bytes,3,opt,name=summary"`
	// time is the time of the commit, or of the creation of the artifact, as its author tells it.
	// +optional
	Time *metav1.Time `json:"time,omitempty" protobuf:"bytes,4,opt,name=time"`
}

// ImageSource reports the checks of the source of an Image.
type ImageSource struct {
	// question is the digest of the fields of the source that is checked. What was found for another source does not count.
	// +required
	Question string `json:"question" protobuf:"bytes,1,opt,name=question"`
	// checks is the number of the last check that was started. It is stored before the check starts.
	// +optional
	Checks int64 `json:"checks,omitempty" protobuf:"varint,2,opt,name=checks"`
	// startTime is when that check was started.
	// +optional
	StartTime *metav1.Time `json:"startTime,omitempty" protobuf:"bytes,3,opt,name=startTime"`
	// ended is the number of the last check that ended.
	// +optional
	Ended int64 `json:"ended,omitempty" protobuf:"varint,4,opt,name=ended"`
	// found is what the source was last resolved to. It stays if a later check fails.
	// +optional
	Found *SourceRevision `json:"found,omitempty" protobuf:"bytes,5,opt,name=found"`
	// foundBy is the number of the check that found it.
	// +optional
	FoundBy int64 `json:"foundBy,omitempty" protobuf:"varint,6,opt,name=foundBy"`
	// lastCheckTime is the end of the last check.
	// +optional
	LastCheckTime *metav1.Time `json:"lastCheckTime,omitempty" protobuf:"bytes,7,opt,name=lastCheckTime"`
	// failure is why the last check failed. It is empty after a success.
	// +optional
	Failure *BuildFailure `json:"failure,omitempty" protobuf:"bytes,8,opt,name=failure"`
	// consecutiveFailures is the number of checks that have failed since the last success.
	// +optional
	ConsecutiveFailures int32 `json:"consecutiveFailures,omitempty" protobuf:"varint,9,opt,name=consecutiveFailures"`
	// hintTime is when a webhook last told that the source may have changed. A check follows that starts later.
	// +optional
	HintTime *metav1.Time `json:"hintTime,omitempty" protobuf:"bytes,10,opt,name=hintTime"`
}

// InlineSource contains the files of a source.
type InlineSource struct {
	// files maps the name of each file to its text. A name is a relative path of at most 3071 bytes, in elements of 1
	// to 255 bytes. No element is "." or "..", and no file is a directory of another file. Names have only printable
	// characters. The JSON encoding of all names and texts has at most 64 KiB, without HTML escaping.
	// +optional
	Files map[string]string `json:"files,omitempty" protobuf:"bytes,1,rep,name=files"`
}

// ConfigMapReference selects a ConfigMap of the same namespace.
type ConfigMapReference struct {
	// name is the name of the ConfigMap, a DNS subdomain of at most 253 characters.
	// +required
	// +k8s:required
	// +k8s:format=k8s-long-name
	Name string `json:"name" protobuf:"bytes,1,opt,name=name"`
}

// Parameter is a named value for the builder.
type Parameter struct {
	// name is the name of the parameter. 1 to 63 letters, digits, '-', '_' and '.'.
	// +k8s:maxLength=63
	// +k8s:validation:pattern="^[A-Za-z0-9._-]+$"
	// +required
	// +k8s:required
	Name string `json:"name" protobuf:"bytes,1,opt,name=name"`
	// value is the value of the parameter, at most 4096 bytes. Defaults to the empty string.
	// +optional
	// +k8s:maxBytes=4096
	// +k8s:optional
	Value string `json:"value,omitempty" protobuf:"bytes,2,opt,name=value"`
}

// Target is one artifact to build.
type Target struct {
	// platform is os/architecture or os/architecture/variant, such as linux/amd64. Lower case, at most 63 characters.
	// +k8s:maxLength=63
	// +k8s:validation:pattern="^[a-z0-9]+/[a-z0-9_]+(/[a-z0-9._-]+)?$"
	// +required
	// +k8s:required
	Platform string `json:"platform" protobuf:"bytes,1,opt,name=platform"`
	// format is the file format of the artifact: raw, qcow2, vmdk, iso or oci.
	// +required
	// +k8s:required
	Format ArtifactFormat `json:"format" protobuf:"bytes,2,opt,name=format,casttype=ArtifactFormat"`
	// containerDisk publishes the artifact as a containerDisk of KubeVirt: an OCI image whose only layer has the file as
	// /disk/disk.qcow2. It needs output, and the format qcow2. The digest of the artifact stays that of the file.
	// +optional
	// +k8s:optional
	ContainerDisk bool `json:"containerDisk,omitempty" protobuf:"varint,3,opt,name=containerDisk"`
}

// ArtifactFormat is the file format of an artifact.
// +enum
// +k8s:enum
type ArtifactFormat string

const (
	// ArtifactFormatRaw is the bytes of a disk, without an image format.
	ArtifactFormatRaw ArtifactFormat = "raw"
	// ArtifactFormatQCOW2 is a QEMU copy-on-write disk image.
	ArtifactFormatQCOW2 ArtifactFormat = "qcow2"
	// ArtifactFormatVMDK is a VMware disk image.
	ArtifactFormatVMDK ArtifactFormat = "vmdk"
	// ArtifactFormatISO is an ISO 9660 image.
	ArtifactFormatISO ArtifactFormat = "iso"
	// ArtifactFormatOCI is an OCI image.
	ArtifactFormatOCI ArtifactFormat = "oci"
)

// Triggers configures the events that start a build without a request.
type Triggers struct {
	// onSpecChange starts the first build. After that, onSpecChange starts a build when the resolved inputs differ from
	// those of the last attempted build. If only the digest of the base differs, onBaseChange decides instead, and onSourceChange if only the commit of
	// the source does. Defaults to true.
	// +optional
	OnSpecChange *bool `json:"onSpecChange,omitempty" protobuf:"varint,1,opt,name=onSpecChange"`
	// onBaseChange starts a build when base.imageRef resolves to a new digest. Defaults to true.
	// +optional
	OnBaseChange *bool `json:"onBaseChange,omitempty" protobuf:"varint,2,opt,name=onBaseChange"`
	// schedule starts builds at fixed times. Defaults to none.
	// +optional
	// +k8s:optional
	Schedule *Schedule `json:"schedule,omitempty" protobuf:"bytes,3,opt,name=schedule"`
	// disableAfterFailures is the limit of consecutive failures. At this limit, schedule, onBaseChange and onPackageChange start no
	// more builds. A change of the spec, or a successful build that is not one-off, enables them again.
	// 0 to 1000; 0 disables the limit. Defaults to 5.
	// +optional
	// +k8s:minimum=0
	// +k8s:maximum=1000
	// +k8s:optional
	DisableAfterFailures *int32 `json:"disableAfterFailures,omitempty" protobuf:"varint,4,opt,name=disableAfterFailures"`
	// onPackageChange starts a build when an archive has a newer version of a package in the latest successful build. It needs a builder
	// that checks archives, and a lock of that build that the server can read. Packages that the base has are left to the base. Defaults to
	// none, which ignores archives.
	// +optional
	// +k8s:optional
	OnPackageChange *PackageTrigger `json:"onPackageChange,omitempty" protobuf:"bytes,5,opt,name=onPackageChange"`
	// onSourceChange starts a build when source.git or source.oci resolves to another commit or digest. Defaults to true.
	// +optional
	OnSourceChange *bool `json:"onSourceChange,omitempty" protobuf:"varint,6,opt,name=onSourceChange"`
}

// PackageTrigger selects the newer packages that start a build, and when. One build installs all of them.
type PackageTrigger struct {
	// mode is Security or Any. Security ignores versions that the archive does not publish for security. Defaults to Security.
	// +optional
	// +k8s:optional
	Mode PackageMode `json:"mode,omitempty" protobuf:"bytes,1,opt,name=mode,casttype=PackageMode"`
	// minimumAge is how long a version must have been in the archive before it starts a build. 0s to 30d. Defaults to 0s.
	// +optional
	MinimumAge *Duration `json:"minimumAge,omitempty" protobuf:"bytes,2,opt,name=minimumAge"`
	// window is when builds start. An update that comes outside of it waits for the next window. Defaults to any time.
	// +optional
	// +k8s:optional
	Window *TriggerWindow `json:"window,omitempty" protobuf:"bytes,3,opt,name=window"`
}

// PackageMode selects newer packages.
// +enum
// +k8s:enum
type PackageMode string

const (
	// PackagesSecurity selects versions that an archive publishes for security.
	PackagesSecurity PackageMode = "Security"
	// PackagesAny selects all newer versions.
	PackagesAny PackageMode = "Any"
)

// TriggerWindow is a window of time that opens again and again.
type TriggerWindow struct {
	// cron sets the times at which the window opens, in the form of schedule.cron.
	// +k8s:validation:minLength=1
	// +required
	Cron string `json:"cron" protobuf:"bytes,1,opt,name=cron"`
	// timeZone is the time zone of cron, a name of the IANA database such as Europe/Berlin. Defaults to UTC.
	// +optional
	TimeZone string `json:"timeZone,omitempty" protobuf:"bytes,2,opt,name=timeZone"`
	// duration is how long the window stays open. 1m to 7d.
	// +required
	Duration Duration `json:"duration" protobuf:"bytes,3,opt,name=duration"`
}

// Schedule sets the times at which builds start. If the controller has missed several of these times, the controller
// starts one build, for the last missed time.
type Schedule struct {
	// cron sets the times as five fields: minute, hour, day of the month, month, day of the week. Names, lists, ranges
	// and steps are allowed. cron also accepts @hourly, @daily, @midnight, @weekly, @monthly, @yearly and @annually. The
	// server refuses the prefixes TZ= and CRON_TZ=. The field timeZone sets the time zone.
	// +k8s:validation:minLength=1
	// +required
	Cron string `json:"cron" protobuf:"bytes,1,opt,name=cron"`
	// timeZone is the time zone of cron, a name of the IANA database such as Europe/Berlin. If the change to
	// daylight-saving time skips a scheduled time, that time starts no build. A scheduled time that occurs twice starts
	// one build. Defaults to UTC.
	// +optional
	TimeZone string `json:"timeZone,omitempty" protobuf:"bytes,2,opt,name=timeZone"`
	// mode is Always or IfChanged. Always starts a build at each scheduled time. IfChanged starts a build only if the
	// inputs differ from those of the last attempted build. New packages of a mirror are no inputs. Defaults to Always.
	// +optional
	// +k8s:optional
	Mode ScheduleMode `json:"mode,omitempty" protobuf:"bytes,3,opt,name=mode,casttype=ScheduleMode"`
	// jitter is the longest delay between a scheduled time and the start of its build. With the delay, Images with the
	// same schedule do not start together. The delay depends only on the Image and the scheduled time, and ends before
	// the next scheduled time. 0s to 24h. Defaults to 0s.
	// +optional
	Jitter *Duration `json:"jitter,omitempty" protobuf:"bytes,4,opt,name=jitter"`
	// startingDeadline limits how late a build of the schedule can start, counted from the scheduled time plus the
	// delay of jitter. After startingDeadline, the controller skips the missed build. 1s to 7d. Defaults to no limit.
	// +optional
	StartingDeadline *Duration `json:"startingDeadline,omitempty" protobuf:"bytes,5,opt,name=startingDeadline"`
}

// ScheduleMode sets whether each scheduled time starts a build.
// +enum
// +k8s:enum
type ScheduleMode string

const (
	// ScheduleAlways starts a build at each scheduled time.
	ScheduleAlways ScheduleMode = "Always"
	// ScheduleIfChanged starts a build only if the inputs differ from those of the last attempted build.
	ScheduleIfChanged ScheduleMode = "IfChanged"
)

// RunPolicy sets the order of the builds of one Image.
// +enum
// +k8s:enum
type RunPolicy string

const (
	// RunPolicySerial runs the builds of an Image one after the other, in the order of their numbers.
	RunPolicySerial RunPolicy = "Serial"
	// RunPolicySerialLatestOnly runs builds one after the other, and keeps only the newest waiting build. The controller
	// cancels the other waiting builds with the reason Superseded, except one-off builds.
	RunPolicySerialLatestOnly RunPolicy = "SerialLatestOnly"
	// RunPolicyParallel runs the builds of an Image at the same time.
	RunPolicyParallel RunPolicy = "Parallel"
)

// BuildTimeouts limits the time that a build waits in the queue, and the start and the run of each attempt.
type BuildTimeouts struct {
	// start is the longest time from the creation of an attempt's Job to the start of its container. For a
	// Job that Kueue admits, the limit is counted from the admission. The wait for a worker of goldsmith up does not
	// count: it is limited by timeouts.queue. The limit includes the wait for a ResourceQuota,
	// the scheduling of the pod, and the pull of the container image. An attempt that takes longer to start fails with StartTimeout or ImagePullFailed. 1s to 24h,
	// in whole seconds. Defaults to 10m.
	// +optional
	Start *Duration `json:"start,omitempty" protobuf:"bytes,1,opt,name=start"`
	// run is the longest time that the pod of an attempt can run, counted from the pod's start time. An attempt that
	// runs longer fails with RunTimeout. 1s to 7d, in whole seconds. Defaults to 1h.
	// +optional
	Run *Duration `json:"run,omitempty" protobuf:"bytes,2,opt,name=run"`
	// queue is the longest time that a build waits for its first attempt, including the wait for Kueue and for a worker of
	// goldsmith up. Each time Kueue suspends a running Job, or a later attempt waits for a worker, the build waits again,
	// and the limit is counted anew. A build that waits longer fails with QueueTimeout. 1s to 30d, in whole seconds.
	// Defaults to 24h.
	// +optional
	Queue *Duration `json:"queue,omitempty" protobuf:"bytes,3,opt,name=queue"`
}

// RetryPolicy configures the next attempt after a failure or a disruption. A disruption is the loss of the pod, its Job
// or its node, or another Job or pod in their place. After a disruption, the controller starts the next attempt without delay. The retries after disruptions
// do not depend on the fields limit and classes. The tenth disruption fails the build.
type RetryPolicy struct {
	// limit is the maximum number of retries after failures. 0 to 10; 0 disables retries. Defaults to 2.
	// +optional
	// +k8s:minimum=0
	// +k8s:maximum=10
	// +k8s:optional
	Limit *int32 `json:"limit,omitempty" protobuf:"varint,1,opt,name=limit"`
	// classes lists the failure classes that are retried: User, Config, Infrastructure, Registry or Timeout. Each class
	// appears at most once. An empty list selects the default. To disable retries, set limit to 0. Defaults to
	// Infrastructure and Registry.
	// +optional
	// +listType=set
	// +k8s:optional
	// +k8s:listType=set
	// +k8s:maxItems=16
	Classes []FailureClass `json:"classes,omitempty" protobuf:"bytes,2,rep,name=classes,casttype=FailureClass"`
	// backoff sets the delay between the end of a failed attempt and the start of the next attempt. If backoff is empty,
	// the defaults of its fields apply.
	// +optional
	Backoff *Backoff `json:"backoff,omitempty" protobuf:"bytes,3,opt,name=backoff"`
}

// Backoff sets a delay that doubles with each failure. The controller adds up to 20% to each delay, so that builds that
// failed together are not retried together. The added time depends only on the build and the attempt.
type Backoff struct {
	// initial is the delay after the first failure. 0s to 1h. Defaults to 10s.
	// +optional
	Initial *Duration `json:"initial,omitempty" protobuf:"bytes,1,opt,name=initial"`
	// max is the longest delay, without the added time. From the value of initial to 24h. Defaults to 5m, or to initial if
	// initial is longer.
	// +optional
	Max *Duration `json:"max,omitempty" protobuf:"bytes,2,opt,name=max"`
}

// HistoryLimits limits the number and the age of an Image's finished builds, with their Jobs, pods and logs. The
// controller deletes the oldest builds first. The controller always keeps the latest successful build, the builds of
// channels, and builds under legal hold. The label images.goldsmith.dev/legal-hold=true puts a build, or all builds of
// an Image, under legal hold.
type HistoryLimits struct {
	// succeeded is the number of successful builds to keep. Of the builds that reproduce a kept build, the newest is kept, too. 1 to 1000. Defaults to 3.
	// +optional
	// +k8s:minimum=1
	// +k8s:maximum=1000
	// +k8s:optional
	Succeeded *int32 `json:"succeeded,omitempty" protobuf:"varint,1,opt,name=succeeded"`
	// failed is the number of failed and cancelled builds to keep. 0 to 1000. Defaults to 3.
	// +optional
	// +k8s:minimum=0
	// +k8s:maximum=1000
	// +k8s:optional
	Failed *int32 `json:"failed,omitempty" protobuf:"varint,2,opt,name=failed"`
	// ttl limits the age of finished builds, counted from their completion. Defaults to no limit.
	// +optional
	TTL *HistoryTTL `json:"ttl,omitempty" protobuf:"bytes,3,opt,name=ttl"`
	// logRetention limits the age of the archived logs of finished builds, counted from the completion of the build. The
	// limit applies to the logs of existing and deleted builds. Without a log archive, logRetention has no effect.
	// Defaults to no limit.
	// +optional
	LogRetention *HistoryTTL `json:"logRetention,omitempty" protobuf:"bytes,4,opt,name=logRetention"`
	// logMaxBytes is the maximum size of the archived log of one attempt, in bytes that the builder wrote. The archive
	// cuts the middle of a longer log: it keeps the beginning and the end, half of the limit each. A line marks the cut.
	// 64Ki to 1Ti. Defaults to 1Gi.
	// +optional
	LogMaxBytes *Quantity `json:"logMaxBytes,omitempty" protobuf:"bytes,5,opt,name=logMaxBytes"`
	// recordRetention limits the age of the records of finished builds, counted from the completion of the build. The
	// record of an existing build is always kept. Without a records database, recordRetention has no effect. Defaults to
	// no limit.
	// +optional
	RecordRetention *HistoryTTL `json:"recordRetention,omitempty" protobuf:"bytes,6,opt,name=recordRetention"`
	// fileRetention is how long the record of a deleted build has the contents of its files, inline or from a ConfigMap,
	// counted from the completion of the build. Later the record only has the name, digest and size of each file, and the
	// build can no longer be rerun. Without a records database, fileRetention has no effect. 1m to 3650d. Defaults to 90d.
	// +optional
	FileRetention *Duration `json:"fileRetention,omitempty" protobuf:"bytes,7,opt,name=fileRetention"`
}

// HistoryTTL sets a maximum age for successful builds and one for other builds. The field ttl applies it to the builds,
// logRetention to their archived logs, and recordRetention to their records.
type HistoryTTL struct {
	// succeeded is the maximum age of successful builds, or of their logs or records. 1m to 3650d. Defaults to no
	// limit.
	// +optional
	Succeeded *Duration `json:"succeeded,omitempty" protobuf:"bytes,1,opt,name=succeeded"`
	// failed is the maximum age of failed and cancelled builds, or of their logs or records. 1m to 3650d. Defaults to
	// no limit.
	// +optional
	Failed *Duration `json:"failed,omitempty" protobuf:"bytes,2,opt,name=failed"`
}

// ImageStatus reports the observed state of an Image.
type ImageStatus struct {
	// observedGeneration is the generation of the Image that this status reports on. The controller sets it.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty" protobuf:"varint,1,opt,name=observedGeneration"`
	// buildCounter is the number of the newest build of this Image, even if that build is deleted. Only the subresources that create builds,
	// instantiate and rerun, set it.
	// +optional
	BuildCounter int64 `json:"buildCounter,omitempty" protobuf:"varint,2,opt,name=buildCounter"`
	// inputsDigest is the digest of the inputs as they resolve now: "sha256:" and 64 hex digits. The controller sets it.
	// inputsDigest is empty while the inputs cannot be resolved.
	// +optional
	InputsDigest string `json:"inputsDigest,omitempty" protobuf:"bytes,3,opt,name=inputsDigest"`
	// activeBuilds is the number of builds that are starting, running, retrying or being cancelled. Each of these builds
	// counts towards the limits on active builds. The controller sets it.
	// +optional
	ActiveBuilds int32 `json:"activeBuilds,omitempty" protobuf:"varint,4,opt,name=activeBuilds"`
	// queuedBuilds is the number of builds that wait to be admitted. The controller sets it.
	// +optional
	QueuedBuilds int32 `json:"queuedBuilds,omitempty" protobuf:"varint,5,opt,name=queuedBuilds"`
	// recentRequests lists the requests for a build of the last 24 hours, at most 500, and always the last 32. If a
	// request repeats a requestID of the list, the server returns the existing build. Only the subresources instantiate
	// and rerun add requests, and remove old ones when they add one. The uid of each request is set before its build is
	// deleted.
	// +optional
	// +patchMergeKey=requestID
	// +patchStrategy=merge
	// +listType=map
	// +listMapKey=requestID
	RecentRequests []BuildRequestRecord `json:"recentRequests,omitempty" patchStrategy:"merge" patchMergeKey:"requestID" protobuf:"bytes,6,rep,name=recentRequests"`
	// lastAttempted identifies the newest build that has resolved its inputs or has finished. One-off builds are
	// ignored. The controller compares the current inputs with those of this build to detect changes, even after the
	// build is deleted. The controller sets it.
	// +optional
	LastAttempted *AttemptedBuild `json:"lastAttempted,omitempty" protobuf:"bytes,7,opt,name=lastAttempted"`
	// latestBuild is the newest build that counts, or lastFinished if no newer build exists. One-off and cancelled builds
	// do not count. The controller sets it. latestBuild is empty if no build counts.
	// +optional
	LatestBuild *LatestBuild `json:"latestBuild,omitempty" protobuf:"bytes,8,opt,name=latestBuild"`
	// latestSuccessful is the newest successful build that is not one-off, with its artifacts. The controller sets it.
	// latestSuccessful is empty until such a build has succeeded.
	// +optional
	LatestSuccessful *SuccessfulBuild `json:"latestSuccessful,omitempty" protobuf:"bytes,9,opt,name=latestSuccessful"`
	// conditions contains the types Ready, UpToDate, Building, InputsResolved, Reconciling, Stalled and ScheduleActive and, with
	// triggers.onPackageChange, PackagesUpToDate and, if the server has advisories, Vulnerable. The server sets Ready and Reconciling when
	// the Image is created, and the controller sets all of them.
	// +optional
	// +patchMergeKey=type
	// +patchStrategy=merge
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty" patchStrategy:"merge" patchMergeKey:"type" protobuf:"bytes,10,rep,name=conditions"`
	// channels lists named successful builds, at most 16. Only the channels subresource sets them.
	// +optional
	// +patchMergeKey=name
	// +patchStrategy=merge
	// +listType=map
	// +listMapKey=name
	Channels []ImageChannel `json:"channels,omitempty" patchStrategy:"merge" patchMergeKey:"name" protobuf:"bytes,11,rep,name=channels"`
	// lastScheduleTime is the last scheduled time that the controller processed, with or without starting a build. The
	// controller sets it. lastScheduleTime is empty until the controller has processed a scheduled time.
	// +optional
	LastScheduleTime *metav1.Time `json:"lastScheduleTime,omitempty" protobuf:"bytes,12,opt,name=lastScheduleTime"`
	// nextScheduleTime is the time at which the schedule starts the next build, including the delay of jitter. The
	// controller sets it. nextScheduleTime is empty while the schedule is not active.
	// +optional
	NextScheduleTime *metav1.Time `json:"nextScheduleTime,omitempty" protobuf:"bytes,13,opt,name=nextScheduleTime"`
	// consecutiveFailures is the number of builds of the current spec that have failed since the last success. Cancelled
	// builds and one-off builds are ignored. The controller sets it.
	// +optional
	ConsecutiveFailures int32 `json:"consecutiveFailures,omitempty" protobuf:"varint,14,opt,name=consecutiveFailures"`
	// countedBuild is the number of the last finished build that the controller has considered for consecutiveFailures.
	// The controller sets it.
	// +optional
	CountedBuild int64 `json:"countedBuild,omitempty" protobuf:"varint,15,opt,name=countedBuild"`
	// lastFinished is the newest build that has succeeded or failed, even after that build is deleted. One-off builds are
	// ignored. The condition Ready reports how this build ended. The controller sets it. lastFinished is empty until a
	// build has succeeded or failed.
	// +optional
	LastFinished *FinishedBuild `json:"lastFinished,omitempty" protobuf:"bytes,16,opt,name=lastFinished"`
	// conformance reports what this Image of a kind of the catalog has that no object of its kind can have, because somebody has changed
	// the Image directly. The server sets it whenever the spec or the labels are written. It is empty for an Image that conforms, that is of
	// no kind, or that an earlier revision of its kind made.
	// +optional
	Conformance *ImageConformance `json:"conformance,omitempty" protobuf:"bytes,17,opt,name=conformance"`
	// packages reports newer versions of the packages in the latest successful build. The controller sets it. packages is empty without
	// triggers.onPackageChange, and until the archives are checked.
	// +optional
	Packages *ImagePackages `json:"packages,omitempty" protobuf:"bytes,18,opt,name=packages"`
	// fixes lists the builds that were the first to have newer versions of packages, which archives had published before, the newest build
	// first. At most 16. The controller sets it.
	// +optional
	// +patchMergeKey=build
	// +patchStrategy=merge
	// +listType=map
	// +listMapKey=build
	Fixes []PackageFix `json:"fixes,omitempty" patchStrategy:"merge" patchMergeKey:"build" protobuf:"bytes,19,rep,name=fixes"`
	// vulnerabilities counts the known vulnerabilities of the packages in the latest successful build. The controller sets it. It is empty if the
	// server has no advisories, or the build has no lock that the server can read.
	// +optional
	Vulnerabilities *ImageVulnerabilities `json:"vulnerabilities,omitempty" protobuf:"bytes,20,opt,name=vulnerabilities"`
	// source reports the checks of source.git or source.oci. The controller sets it. It is empty for other sources.
	// +optional
	Source *ImageSource `json:"source,omitempty" protobuf:"bytes,21,opt,name=source"`
}

// ImageConformance reports which fields of an Image no object of its kind can have.
type ImageConformance struct {
	// fields lists the paths of these fields in the Image, such as spec.builder.name and spec.parameters[disk]: the first 16, in
	// alphabetical order.
	// +optional
	// +listType=atomic
	Fields []string `json:"fields,omitempty" protobuf:"bytes,1,rep,name=fields"`
	// message tells what is wrong with the first of them. At most 200 characters.
	// +optional
	Message string `json:"message,omitempty" protobuf:"bytes,2,opt,name=message"`
}

// ImageChannel is a named successful build of an Image.
type ImageChannel struct {
	// name is the name of the channel, such as stable. The name is a DNS label of at most 63 characters.
	// +required
	// +k8s:required
	// +k8s:format=k8s-short-name
	Name string `json:"name" protobuf:"bytes,1,opt,name=name"`
	// build is the name of the build. The controller never prunes a build that a channel refers to.
	// +required
	// +k8s:required
	// +k8s:format=k8s-short-name
	Build string `json:"build" protobuf:"bytes,2,opt,name=build"`
	// digest identifies the artifacts of the build: the digest of its artifact, or one digest over all artifacts if
	// there are several. When digest changes, triggers.onBaseChange starts builds of the Images that are based on this
	// channel. The server sets it.
	// +optional
	Digest string `json:"digest,omitempty" protobuf:"bytes,3,opt,name=digest"`
	// time is the time at which the channel was moved to this build. The server sets it.
	// +optional
	Time metav1.Time `json:"time,omitempty" protobuf:"bytes,4,opt,name=time"`
	// by is the authenticated user who moved the channel. The server sets it.
	// +optional
	By string `json:"by,omitempty" protobuf:"bytes,5,opt,name=by"`
	// artifacts lists the artifacts of the build, one for each target, even after the build is deleted. The server sets it.
	// +optional
	// +patchMergeKey=target
	// +patchStrategy=merge
	// +listType=map
	// +listMapKey=target
	Artifacts []Artifact `json:"artifacts,omitempty" patchStrategy:"merge" patchMergeKey:"target" protobuf:"bytes,6,rep,name=artifacts"`
	// override moves the channel to a build that lacks what the rule of the channel requires. The user needs permission for the verb override
	// of images/channels. An override is ignored if the build lacks nothing, or if it is the override that the channel has already. It is
	// empty if the build met the rule.
	// +optional
	// +k8s:optional
	Override *ChannelOverride `json:"override,omitempty" protobuf:"bytes,7,opt,name=override"`
	// revoked is the revocation of the build, even after the build is deleted. No build uses the channel as its base while it is revoked. The
	// controller sets it. revoked is empty if the build is not revoked.
	// +optional
	Revoked *Revocation `json:"revoked,omitempty" protobuf:"bytes,8,opt,name=revoked"`
	// missing lists what the build lacks for the present rule of the channel, also if the channel was moved while its rule or a test was another one. Of
	// a deleted build it keeps what is known. At most 18 texts of at most 200 characters. The controller sets it. It is empty if the build meets
	// the rule, or if there is none.
	// +optional
	// +listType=atomic
	Missing []string `json:"missing,omitempty" protobuf:"bytes,9,rep,name=missing"`
}

// BuildRequestRecord is a processed request for a build.
type BuildRequestRecord struct {
	// requestID is the ID of the request.
	// +required
	RequestID string `json:"requestID" protobuf:"bytes,1,opt,name=requestID"`
	// number is the number of the build.
	// +required
	Number int64 `json:"number" protobuf:"varint,2,opt,name=number"`
	// uid is the UID of the build. The controller sets it after observing the build, or the server before it deletes
	// the build. If uid is set and no build has this UID, the build was deleted. If uid is empty, it is possible that
	// the server has not created the build yet.
	// +optional
	UID types.UID `json:"uid,omitempty" protobuf:"bytes,3,opt,name=uid,casttype=k8s.io/apimachinery/pkg/types.UID"`
	// requestTime is when the server recorded the request.
	// +optional
	RequestTime *metav1.Time `json:"requestTime,omitempty" protobuf:"bytes,4,opt,name=requestTime"`
}

// AttemptedBuild identifies a build that is not one-off, with the digest of its resolved inputs.
type AttemptedBuild struct {
	// number is the number of the build.
	// +required
	Number int64 `json:"number" protobuf:"varint,1,opt,name=number"`
	// inputsDigest is the digest of the resolved inputs of the build. For a build that was cancelled in the queue, the
	// controller resolves the inputs at that time. inputsDigest is empty if the build attempted nothing: its inputs could
	// not be resolved, or the server no longer had their builder. The inputs are then built once they can be resolved.
	// +optional
	InputsDigest string `json:"inputsDigest,omitempty" protobuf:"bytes,2,opt,name=inputsDigest"`
	// baseDigest is the digest that base.imageRef resolved to. baseDigest is empty if the base is not an Image, or if
	// inputsDigest is empty.
	// +optional
	BaseDigest string `json:"baseDigest,omitempty" protobuf:"bytes,3,opt,name=baseDigest"`
	// testsDigest is the digest of the tests of the build: "sha256:" and 64 hex digits. testsDigest is empty if the build has no tests.
	// +optional
	TestsDigest string `json:"testsDigest,omitempty" protobuf:"bytes,4,opt,name=testsDigest"`
	// sourceRevision is what source.git or source.oci resolved to. It is empty for other sources, or if inputsDigest is empty.
	// +optional
	SourceRevision string `json:"sourceRevision,omitempty" protobuf:"bytes,5,opt,name=sourceRevision"`
}

// LatestBuild identifies the newest build of an Image that counts: it is neither one-off nor cancelled.
type LatestBuild struct {
	// name is the name of the build.
	// +required
	Name string `json:"name" protobuf:"bytes,1,opt,name=name"`
	// number is the number of the build.
	// +required
	Number int64 `json:"number" protobuf:"varint,2,opt,name=number"`
	// phase is the phase of the build at the time of the last status update.
	// +optional
	Phase BuildPhase `json:"phase,omitempty" protobuf:"bytes,3,opt,name=phase,casttype=BuildPhase"`
	// deleted is true if the build was deleted after it had finished.
	// +optional
	Deleted bool `json:"deleted,omitempty" protobuf:"varint,4,opt,name=deleted"`
}

// FinishedBuild identifies a build that has succeeded or failed, and is not one-off.
type FinishedBuild struct {
	// name is the name of the build.
	// +required
	Name string `json:"name" protobuf:"bytes,1,opt,name=name"`
	// number is the number of the build.
	// +required
	Number int64 `json:"number" protobuf:"varint,2,opt,name=number"`
	// phase is Succeeded or Failed.
	// +required
	Phase BuildPhase `json:"phase" protobuf:"bytes,3,opt,name=phase,casttype=BuildPhase"`
	// reason is the reason of the failure. reason is empty if the build succeeded.
	// +optional
	Reason FailureReason `json:"reason,omitempty" protobuf:"bytes,4,opt,name=reason,casttype=FailureReason"`
	// inputsDigest is the digest of the resolved inputs of the build. inputsDigest is empty if the inputs could not be
	// resolved.
	// +optional
	InputsDigest string `json:"inputsDigest,omitempty" protobuf:"bytes,5,opt,name=inputsDigest"`
}

// SuccessfulBuild is a successful build with its artifacts.
type SuccessfulBuild struct {
	// name is the name of the build.
	// +required
	Name string `json:"name" protobuf:"bytes,1,opt,name=name"`
	// number is the number of the build.
	// +required
	Number int64 `json:"number" protobuf:"varint,2,opt,name=number"`
	// inputsDigest is the digest of the resolved inputs of the build.
	// +required
	InputsDigest string `json:"inputsDigest" protobuf:"bytes,3,opt,name=inputsDigest"`
	// completionTime is the time at which the build finished.
	// +required
	CompletionTime metav1.Time `json:"completionTime" protobuf:"bytes,4,opt,name=completionTime"`
	// artifacts lists the artifacts of the build, one for each target.
	// +patchMergeKey=target
	// +patchStrategy=merge
	// +listType=map
	// +listMapKey=target
	// +required
	Artifacts []Artifact `json:"artifacts" patchStrategy:"merge" patchMergeKey:"target" protobuf:"bytes,5,rep,name=artifacts"`
	// testsDigest is the digest of the tests of the build: "sha256:" and 64 hex digits. testsDigest is empty if the build has no tests.
	// +optional
	TestsDigest string `json:"testsDigest,omitempty" protobuf:"bytes,6,opt,name=testsDigest"`
	// revoked is the revocation of the build, even after the build is deleted. The controller sets it. revoked is empty if the build is not
	// revoked.
	// +optional
	Revoked *Revocation `json:"revoked,omitempty" protobuf:"bytes,7,opt,name=revoked"`
	// revokedBase is the nearest revoked build that the build is based on, directly or through other builds, even after that is deleted. The
	// controller sets it. revokedBase is empty if no such build is revoked.
	// +optional
	RevokedBase *RevokedBase `json:"revokedBase,omitempty" protobuf:"bytes,8,opt,name=revokedBase"`
}

// RevokedBase is a revoked build on which another build is based.
type RevokedBase struct {
	// name is the name of the revoked build.
	// +required
	Name string `json:"name" protobuf:"bytes,1,opt,name=name"`
	// revocation tells who revoked the build, and why.
	// +required
	Revocation Revocation `json:"revocation" protobuf:"bytes,2,opt,name=revocation"`
}

// Artifact is an output of a build for one target.
type Artifact struct {
	// target is the platform and the format, joined by a slash, such as linux/amd64/raw.
	// +required
	Target string `json:"target" protobuf:"bytes,1,opt,name=target"`
	// digest is the digest of the artifact's content: "sha256:" and 64 hex digits.
	// +required
	Digest string `json:"digest" protobuf:"bytes,2,opt,name=digest"`
	// sizeBytes is the size of the artifact in bytes.
	// +required
	SizeBytes int64 `json:"sizeBytes" protobuf:"varint,3,opt,name=sizeBytes"`
	// mediaType is the media type of the artifact: the one that the builder reported, or that of the target's format.
	// +required
	MediaType string `json:"mediaType" protobuf:"bytes,4,opt,name=mediaType"`
	// location is where the artifact can be fetched: a URL, an OCI reference, or a path of this API server, which
	// `kubectl get --raw` accepts. For an artifact that the build published it is the repository of output and the digest of the
	// manifest there. location is empty if the builder reported none and Goldsmith does not keep the artifact.
	// +optional
	Location string `json:"location,omitempty" protobuf:"bytes,5,opt,name=location"`
	// verified reports what Goldsmith checked itself. Content: Goldsmith read the artifact, and digest and sizeBytes are
	// those of its content. verified is empty if digest and sizeBytes are only what the builder reported.
	// +optional
	Verified ArtifactVerification `json:"verified,omitempty" protobuf:"bytes,6,opt,name=verified,casttype=ArtifactVerification"`
	// annotations are what the builder reported about the artifact, by key.
	// +optional
	Annotations map[string]string `json:"annotations,omitempty" protobuf:"bytes,7,rep,name=annotations"`
	// documents lists the documents about the artifact: those that its builder made, and those that Goldsmith made. At most one
	// document of each type and media type.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +listMapKey=mediaType
	Documents []ArtifactDocument `json:"documents,omitempty" protobuf:"bytes,11,rep,name=documents"`
	// packages is the number of packages in the lock of the artifact. packages is empty if the artifact has no lock that Goldsmith read.
	// The packages subresource of the build lists the packages.
	// +optional
	Packages *int32 `json:"packages,omitempty" protobuf:"varint,12,opt,name=packages"`
	// tag is the tag that the build gave the artifact in the repository of output. The tag may name the artifact of a later
	// build by now. tag is empty if the build published nothing, and for one-off builds.
	// +optional
	Tag string `json:"tag,omitempty" protobuf:"bytes,10,opt,name=tag"`
}

// ArtifactVerification is what Goldsmith checked itself about an artifact.
// +enum
type ArtifactVerification string

// ArtifactVerifiedContent means that Goldsmith read the artifact: its digest and its size are those of its content.
const ArtifactVerifiedContent ArtifactVerification = "Content"

// ArtifactDocument is a document about an artifact.
type ArtifactDocument struct {
	// type is the kind of the document: Lock, SBOM, Provenance or TestReport.
	// +required
	Type ArtifactDocumentType `json:"type" protobuf:"bytes,6,opt,name=type,casttype=ArtifactDocumentType"`
	// digest is the digest of the document: "sha256:" and 64 hex digits.
	// +required
	Digest string `json:"digest" protobuf:"bytes,1,opt,name=digest"`
	// sizeBytes is the size of the document in bytes.
	// +required
	SizeBytes int64 `json:"sizeBytes" protobuf:"varint,2,opt,name=sizeBytes"`
	// mediaType is the media type of the document, such as application/vnd.cyclonedx+json.
	// +required
	MediaType string `json:"mediaType" protobuf:"bytes,3,opt,name=mediaType"`
	// location is where the document can be fetched, as location of the artifact.
	// +optional
	Location string `json:"location,omitempty" protobuf:"bytes,4,opt,name=location"`
	// verified reports what Goldsmith checked itself, as verified of the artifact.
	// +optional
	Verified ArtifactVerification `json:"verified,omitempty" protobuf:"bytes,5,opt,name=verified,casttype=ArtifactVerification"`
	// madeBy is Goldsmith if Goldsmith made the document. madeBy is empty if the builder of the artifact made it, and reports about
	// itself.
	// +optional
	MadeBy ArtifactDocumentMaker `json:"madeBy,omitempty" protobuf:"bytes,7,opt,name=madeBy,casttype=ArtifactDocumentMaker"`
}

// ArtifactDocumentType is the kind of a document about an artifact.
// +enum
type ArtifactDocumentType string

const (
	// DocumentLock lists the sources and the packages that the artifact was made of.
	DocumentLock ArtifactDocumentType = "Lock"
	// DocumentSBOM is a software bill of materials.
	DocumentSBOM ArtifactDocumentType = "SBOM"
	// DocumentProvenance tells how the artifact was built.
	DocumentProvenance ArtifactDocumentType = "Provenance"
	// DocumentTestReport has the results of tests. Only the status of a test has it.
	DocumentTestReport ArtifactDocumentType = "TestReport"
)

// ArtifactDocumentMaker is who made a document about an artifact, if that is not the builder.
// +enum
type ArtifactDocumentMaker string

// DocumentMadeByGoldsmith means that Goldsmith made the document.
const DocumentMadeByGoldsmith ArtifactDocumentMaker = "Goldsmith"

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// BuildRequest requests a build of an Image. Users create a BuildRequest at the instantiate subresource of the Image,
// which returns the new ImageBuild.
type BuildRequest struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object's metadata. The name is optional. If it is set, it must be the name of the Image.
	// +optional
	// +k8s:opaqueType
	metav1.ObjectMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`

	// requestID is the requester's ID for this request, at most 128 printable characters. If an earlier request for a
	// build or a rerun of the Image had the same ID, the server returns the build of that request. If that build was
	// deleted, the server answers 410. The server remembers IDs for 24 hours, but at most the last 500 of an Image.
	// Triggers use the IDs schedule:<time>, sha256:<digest>:<number>, tests:<digest>:<number> and packages:<digest>:<number>. The server refuses IDs of these
	// forms in reruns, in requests for tests and in requests with parameters. In other requests, it answers 409 unless a trigger of the
	// Image requests a build with this ID at that time. Defaults to a random ID. A repeated request without an ID creates a second build.
	// +optional
	// +k8s:optional
	// +k8s:maxLength=128
	RequestID string `json:"requestID,omitempty" protobuf:"bytes,2,opt,name=requestID"`
	// reason sets the trigger reason of the build: Created, SpecChange, BaseChange, Schedule, Manual or, with a requestID
	// tests:<digest>:<number>, TestsChange, or, with packages:<digest>:<number>, PackageChange. The server refuses Rerun. Defaults to Manual.
	// +optional
	// +k8s:optional
	Reason TriggerReason `json:"reason,omitempty" protobuf:"bytes,3,opt,name=reason,casttype=TriggerReason"`
	// message explains the request for a human reader. One line of at most 1024 printable characters.
	// +optional
	// +k8s:optional
	// +k8s:maxLength=1024
	Message string `json:"message,omitempty" protobuf:"bytes,4,opt,name=message"`
	// changes lists the inputs that differ from those of the last attempted build, at most 32.
	// +optional
	// +listType=atomic
	// +k8s:optional
	// +k8s:maxItems=32
	Changes []InputChange `json:"changes,omitempty" protobuf:"bytes,5,rep,name=changes"`
	// parameters lists parameters for this build only. Each parameter replaces the Image's parameter of the same name,
	// or is added to the Image's parameters. The resulting parameters have the limits of spec.parameters of an Image. If the resulting
	// parameters differ from the Image's parameters, the build is one-off. A one-off build does not change
	// latestSuccessful, lastAttempted and consecutiveFailures in the status of the Image.
	// +optional
	// +patchMergeKey=name
	// +patchStrategy=merge
	// +listType=map
	// +listMapKey=name
	// +k8s:optional
	// +k8s:maxItems=64
	Parameters []Parameter `json:"parameters,omitempty" patchStrategy:"merge" patchMergeKey:"name" protobuf:"bytes,6,rep,name=parameters"`
}
