// SPDX-License-Identifier: Apache-2.0

package objectmeta

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

type Widget struct { // want `^Widget: an object kind has metadata: embed metav1.ObjectMeta`
	metav1.TypeMeta `json:",inline"`

	Spec Spec `json:"spec"`
}

type Gadget struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"meta,omitempty" protobuf:"bytes,1"` // want `^Gadget.meta.ObjectMeta: it is called metadata: tag it .json:"metadata,omitempty".$`
}

type Thing struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"` // want `^Thing.metadata.ObjectMeta: it is called metadata`
}

type Fine struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitzero"`

	Spec Spec `json:"spec"`
}

// LogOptions are no objects: they have no names.
type LogOptions struct {
	metav1.TypeMeta `json:",inline"`

	Follow bool `json:"follow"`
}

type Spec struct {
	Size int32 `json:"size"`
}
