// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ImageChannels is the list of an Image's channels, which name successful builds. The channels subresource of an Image
// reads it, and replaces it as a whole. An update with metadata.resourceVersion fails with a conflict if the Image has
// changed since.
type ImageChannels struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object's metadata: name, namespace, uid, resourceVersion and creationTimestamp of the Image.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`

	// channels lists the channels, at most 16. An update sets name and build of each; the server sets the other fields.
	// The server removes every channel that an update omits. A channel whose build is unchanged keeps its time.
	// +optional
	// +listType=map
	// +listMapKey=name
	Channels []ImageChannel `json:"channels,omitempty" protobuf:"bytes,2,rep,name=channels"`
}
