// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ImageBuildDiff says how two builds of a namespace differ: what went in, and what came out. It is what the diff
// subresource of a build answers, and is stored nowhere.
type ImageBuildDiff struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object's metadata. The name is that of the build.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`

	// from is the build that this one is compared with.
	From ComparedBuild `json:"from" protobuf:"bytes,2,opt,name=from"`
	// to is the build itself.
	To ComparedBuild `json:"to" protobuf:"bytes,3,opt,name=to"`
	// inputs that differ, by path, as far as they were resolved. At most 32: the last then says how many more there are.
	// Values are shortened to 128 characters, and files are shown as a digest and a size.
	// +optional
	// +listType=atomic
	Inputs []InputChange `json:"inputs,omitempty" protobuf:"bytes,4,rep,name=inputs"`
	// artifacts that differ, by target.
	// +optional
	// +listType=map
	// +listMapKey=target
	Artifacts []ArtifactChange `json:"artifacts,omitempty" protobuf:"bytes,5,rep,name=artifacts"`
}

// ComparedBuild is one of two builds that are compared.
type ComparedBuild struct {
	// name of the build.
	Name string `json:"name" protobuf:"bytes,1,opt,name=name"`
	// uid of the build.
	UID types.UID `json:"uid" protobuf:"bytes,2,opt,name=uid,casttype=k8s.io/apimachinery/pkg/types.UID"`
	// phase of the build.
	// +optional
	Phase BuildPhase `json:"phase,omitempty" protobuf:"bytes,3,opt,name=phase,casttype=BuildPhase"`
	// inputsDigest of what its inputs resolved to. Empty if they were not resolved.
	// +optional
	InputsDigest string `json:"inputsDigest,omitempty" protobuf:"bytes,4,opt,name=inputsDigest"`
	// attempts is how many it has had.
	// +optional
	Attempts int32 `json:"attempts,omitempty" protobuf:"varint,5,opt,name=attempts"`
	// failure is why it failed.
	// +optional
	Failure FailureReason `json:"failure,omitempty" protobuf:"bytes,6,opt,name=failure,casttype=FailureReason"`
	// duration from its start to its completion. None while it has not finished, or if it never started.
	// +optional
	Duration *metav1.Duration `json:"duration,omitempty" protobuf:"bytes,7,opt,name=duration"`
}

// ArtifactChange is how an artifact differs between two builds.
type ArtifactChange struct {
	// target is platform and format of the artifact, with a slash between them.
	Target string `json:"target" protobuf:"bytes,1,opt,name=target"`
	// from is the digest that it had. Empty if there was none.
	// +optional
	From string `json:"from,omitempty" protobuf:"bytes,2,opt,name=from"`
	// to is the digest that it has. Empty if there is none.
	// +optional
	To string `json:"to,omitempty" protobuf:"bytes,3,opt,name=to"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object
// +k8s:conversion-gen:explicit-from=net/url.Values

// ImageBuildDiffOptions are the query parameters of a build's diff subresource.
type ImageBuildDiffOptions struct {
	metav1.TypeMeta `json:",inline"`

	// with is the name of the build, of the same namespace, to compare with. Required.
	With string `json:"with" protobuf:"bytes,1,opt,name=with"`
	// uid of the build itself, at most 63 letters, digits and hyphens. Where there is a database of records, a build that is
	// there no more is compared by its name together with this. A build of the same name and another uid is not the one that
	// is meant. Defaults to the build of this name that is there now.
	// +optional
	UID string `json:"uid,omitempty" protobuf:"bytes,2,opt,name=uid"`
	// withUID is the uid of the build to compare with, in the same way.
	// +optional
	WithUID string `json:"withUID,omitempty" protobuf:"bytes,3,opt,name=withUID"`
}
