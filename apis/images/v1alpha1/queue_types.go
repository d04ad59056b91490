// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// +genclient
// +genclient:onlyVerbs=get,list
// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// QueuedBuild is an ImageBuild of the same name that waits for its turn, with its place in the order. It is computed
// when it is asked for, and stored nowhere.
type QueuedBuild struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object's metadata. Name, namespace, uid and labels are those of the build.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`

	// status is where the build stands in the queue.
	// +optional
	Status QueuedBuildStatus `json:"status,omitempty" protobuf:"bytes,2,opt,name=status"`
}

// QueuedBuildStatus is where a build stands in the queue.
type QueuedBuildStatus struct {
	// position in the order in which builds of all namespaces would be admitted, from 1, as things are now. 0 for a build that waits
	// for Kueue, which decides its order.
	Position int32 `json:"position" protobuf:"varint,1,opt,name=position"`
	// imageName is the name of the Image that it is a build of. Empty for a build created directly.
	// +optional
	ImageName string `json:"imageName,omitempty" protobuf:"bytes,2,opt,name=imageName"`
	// priority among the builds of the namespace.
	// +optional
	Priority int32 `json:"priority,omitempty" protobuf:"varint,3,opt,name=priority"`
	// message says what the build waits for.
	// +optional
	Message string `json:"message,omitempty" protobuf:"bytes,4,opt,name=message"`
	// queuedTime is when it began to wait.
	// +optional
	QueuedTime *metav1.Time `json:"queuedTime,omitempty" protobuf:"bytes,5,opt,name=queuedTime"`
	// estimatedStartTime is when it would start if the builds before it took as long as the last successful builds of
	// their Images. Empty where nothing is known.
	// +optional
	EstimatedStartTime *metav1.Time `json:"estimatedStartTime,omitempty" protobuf:"bytes,6,opt,name=estimatedStartTime"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// QueuedBuildList is a list of builds that wait.
type QueuedBuildList struct {
	metav1.TypeMeta `json:",inline"`
	// Standard list metadata.
	// +optional
	metav1.ListMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`

	// items is the list of builds, by namespace and name.
	Items []QueuedBuild `json:"items" protobuf:"bytes,2,rep,name=items"`
}
