// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// +genclient
// +genclient:nonNamespaced
// +genclient:onlyVerbs=get,list
// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// Builder describes a builder that the operator registered. Images select it by spec.builder.name.
//
// The server computes Builders from the configuration of the operator. The server does not store them, and they cannot be
// changed or watched. A Builder has no spec and no status, because no client writes one and no controller acts on one: its
// fields are top-level, as those of a StorageClass. They have the names that they have in the document of builders.
// No field has variables of the builder, because their values can be secret.
type Builder struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object's metadata, of which only name is set: the name under which the builder is registered.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`

	// description is a line of at most 120 characters for users. description is empty if the operator set none.
	// +optional
	Description string `json:"description,omitempty" protobuf:"bytes,2,opt,name=description"`
	// image is the reference of the container image of the builder. image is empty if executable is set.
	// +optional
	Image string `json:"image,omitempty" protobuf:"bytes,3,opt,name=image"`
	// executable is the program of the builder. Only goldsmith up has such builders; executable is empty if image is set.
	// +optional
	Executable *BuilderExecutable `json:"executable,omitempty" protobuf:"bytes,4,opt,name=executable"`
	// reports is whether the builder gets a token with which it can report the progress of builds.
	// +optional
	Reports bool `json:"reports,omitempty" protobuf:"varint,5,opt,name=reports"`
	// targets lists the targets that the builder makes. An Image with another target is refused. If targets is empty, the
	// server accepts all targets.
	// +optional
	// +listType=atomic
	Targets []BuilderTarget `json:"targets,omitempty" protobuf:"bytes,6,rep,name=targets"`
	// parameters is a JSON schema, draft 2020-12, of the object that maps the names of spec.parameters of an Image to their
	// values. The text of a value whose type is integer, number or boolean is its JSON. An Image with other parameters is
	// refused. If parameters is empty, the server accepts all parameters.
	// +optional
	Parameters *runtime.RawExtension `json:"parameters,omitempty" protobuf:"bytes,7,opt,name=parameters"`
	// base is a JSON schema, draft 2020-12, of the text of spec.base.reference of an Image. An Image with another reference is
	// refused. If base is empty, the server accepts all references.
	// +optional
	Base *runtime.RawExtension `json:"base,omitempty" protobuf:"bytes,8,opt,name=base"`
	// fileNames is a JSON schema, draft 2020-12, of the name of a file of spec.source.inline of an Image. An Image with a file
	// of another name is refused. If fileNames is empty, the server accepts all names.
	// +optional
	FileNames *runtime.RawExtension `json:"fileNames,omitempty" protobuf:"bytes,9,opt,name=fileNames"`
	// reasons lists the reasons with which the builder explains its failures, at most 64. The message of a build that failed
	// with BuilderFailed, BuilderMisconfigured or BuilderTempFail begins with the reason, if the builder gave one. reasons is
	// empty if the operator described none.
	// +optional
	// +patchMergeKey=reason
	// +patchStrategy=merge
	// +listType=map
	// +listMapKey=reason
	Reasons []BuilderReason `json:"reasons,omitempty" patchStrategy:"merge" patchMergeKey:"reason" protobuf:"bytes,10,rep,name=reasons"`
	// probe is whether the builder checks archives, which triggers.onPackageChange of an Image needs.
	// +optional
	Probe bool `json:"probe,omitempty" protobuf:"varint,11,opt,name=probe"`
}

// BuilderExecutable is a program that runs as a process of the server's machine.
type BuilderExecutable struct {
	// path is the absolute path of the program.
	// +required
	Path string `json:"path" protobuf:"bytes,1,opt,name=path"`
	// args lists the arguments of the program.
	// +optional
	// +listType=atomic
	Args []string `json:"args,omitempty" protobuf:"bytes,2,rep,name=args"`
	// workers is the maximum number of attempts with this builder that run at a time. workers is empty if only --workers
	// of the server limits them.
	// +optional
	Workers *int32 `json:"workers,omitempty" protobuf:"varint,3,opt,name=workers"`
	// problem explains why the program cannot run. The server checks at each request that the program is an executable
	// file, and that the files with values of its variables can be read. problem is empty if no problem was found.
	// +optional
	Problem string `json:"problem,omitempty" protobuf:"bytes,4,opt,name=problem"`
}

// BuilderTarget describes targets that a builder makes. At least one of platform and format is set.
type BuilderTarget struct {
	// platform is the platform of the targets, os/architecture or os/architecture/variant. If platform is empty, the builder
	// makes the format for all platforms.
	// +optional
	Platform string `json:"platform,omitempty" protobuf:"bytes,1,opt,name=platform"`
	// format is the format of the targets. If format is empty, the builder makes all formats for the platform.
	// +optional
	Format ArtifactFormat `json:"format,omitempty" protobuf:"bytes,2,opt,name=format,casttype=ArtifactFormat"`
}

// BuilderReason describes a reason with which a builder explains its failures.
type BuilderReason struct {
	// reason is the word that the builder writes to failure.reason of its result: 1 to 64 letters and digits that begin with
	// an upper-case letter. It is none of the reasons of status.failure of a build.
	// +required
	Reason string `json:"reason" protobuf:"bytes,1,opt,name=reason"`
	// class tells who can correct the failure: User, Config or Infrastructure.
	// +required
	Class FailureClass `json:"class" protobuf:"bytes,2,opt,name=class,casttype=FailureClass"`
	// meaning is a phrase that tells what is wrong. 1 to 512 printable characters.
	// +required
	Meaning string `json:"meaning" protobuf:"bytes,3,opt,name=meaning"`
	// remedy is a phrase that tells what to do. At most 512 printable characters. remedy is empty if there is nothing to do.
	// +optional
	Remedy string `json:"remedy,omitempty" protobuf:"bytes,4,opt,name=remedy"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// BuilderList is a list of builders.
type BuilderList struct {
	metav1.TypeMeta `json:",inline"`
	// Standard list metadata.
	// +optional
	metav1.ListMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`

	// items lists the builders, sorted by name.
	Items []Builder `json:"items" protobuf:"bytes,2,rep,name=items"`
}
