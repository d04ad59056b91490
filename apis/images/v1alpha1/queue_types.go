// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// +genclient
// +genclient:onlyVerbs=get,list
// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// QueuedBuild reports the queue position of the ImageBuild of the same name. The server computes a QueuedBuild from the
// stored builds, and does not store it. Position, message and estimate may be one second old.
type QueuedBuild struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object's metadata: name, namespace, uid and labels of the build.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`

	// status reports the position of the build in the queue.
	// +optional
	Status QueuedBuildStatus `json:"status,omitempty" protobuf:"bytes,2,opt,name=status"`
}

// QueuedBuildStatus reports the position of a build in the queue.
type QueuedBuildStatus struct {
	// position is the current position of the build in the queue of all namespaces, starting at 1. position is 0 for a
	// build whose Job is suspended, because Kueue decides the order of such builds.
	// +required
	Position int32 `json:"position" protobuf:"varint,1,opt,name=position"`
	// imageName is the name of the Image that the build belongs to. imageName is empty for a build that was created
	// directly.
	// +optional
	ImageName string `json:"imageName,omitempty" protobuf:"bytes,2,opt,name=imageName"`
	// priority ranks the build among the waiting builds of its namespace; higher values go first.
	// +optional
	Priority int32 `json:"priority,omitempty" protobuf:"varint,3,opt,name=priority"`
	// message explains for a human reader why the build waits.
	// +optional
	Message string `json:"message,omitempty" protobuf:"bytes,4,opt,name=message"`
	// queuedTime is the time at which the build began to wait.
	// +optional
	QueuedTime *metav1.Time `json:"queuedTime,omitempty" protobuf:"bytes,5,opt,name=queuedTime"`
	// estimatedStartTime is the estimated start of the build. The estimate assumes that each build that runs or
	// is earlier in the queue takes as long as the last successful build of its Image. estimatedStartTime is empty if there is no estimate.
	// +optional
	EstimatedStartTime *metav1.Time `json:"estimatedStartTime,omitempty" protobuf:"bytes,6,opt,name=estimatedStartTime"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// QueuedBuildList is a list of waiting builds.
type QueuedBuildList struct {
	metav1.TypeMeta `json:",inline"`
	// Standard list metadata.
	// +optional
	metav1.ListMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`

	// items lists the builds, sorted by namespace and name.
	Items []QueuedBuild `json:"items" protobuf:"bytes,2,rep,name=items"`
}
