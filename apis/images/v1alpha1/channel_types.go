// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ImageChannels lists the channels of an Image. A channel refers to a successful build. The channels subresource of an
// Image returns the list, and replaces it as a whole. An update with metadata.resourceVersion fails with a conflict if
// the Image has changed since that version.
// +k8s:validation-gen=true
type ImageChannels struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object's metadata: name, namespace, uid, resourceVersion and creationTimestamp of the Image.
	// +optional
	// +k8s:opaqueType
	metav1.ObjectMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`

	// channels lists the channels, at most 16. An update sets name and build of each channel, and the server sets the
	// other fields. The server removes every channel that an update omits. If an update does not change the build of a
	// channel, the channel keeps its other fields.
	// +optional
	// +patchMergeKey=name
	// +patchStrategy=merge
	// +listType=map
	// +listMapKey=name
	// +k8s:optional
	// +k8s:maxItems=16
	Channels []ImageChannel `json:"channels,omitempty" patchStrategy:"merge" patchMergeKey:"name" protobuf:"bytes,2,rep,name=channels"`
}
