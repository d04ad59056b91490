// SPDX-License-Identifier: Apache-2.0

package typemeta

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// +genclient

type Widget struct { // want `^Widget: an object kind has a kind and an apiVersion: embed metav1.TypeMeta .* first$`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              Spec `json:"spec"`
}

type WidgetList struct {
	metav1.TypeMeta `json:"type"` // want `^WidgetList.type.TypeMeta: kind and apiVersion lie in the object itself: tag it`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Widget `json:"items"`
}

type Gadget struct {
	metav1.TypeMeta   `protobuf:"bytes,1"` // want `^Gadget.TypeMeta: kind and apiVersion lie in the object itself`
	metav1.ObjectMeta `json:"metadata,omitempty"`
}

type Fine struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
}

type Spec struct {
	Template Template `json:"template"`
}

// Template has metadata, and is not an object of its own.
type Template struct {
	metav1.ObjectMeta `json:"metadata,omitempty"`
}
