// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ImageChannels are the names that an Image has for its successful builds. They are read and replaced as a whole at the
// Image's channels subresource. With metadata.resourceVersion they are replaced only if the Image is still that one.
type ImageChannels struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object's metadata: name, namespace, uid and resourceVersion of the Image.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`

	// channels by name, at most 16. In an update name and build are what counts; a channel that is left out is removed,
	// and one whose build stays keeps its time.
	// +optional
	// +listType=map
	// +listMapKey=name
	Channels []ImageChannel `json:"channels,omitempty" protobuf:"bytes,2,rep,name=channels"`
}
