// SPDX-License-Identifier: Apache-2.0

// Package deepcopy has a comment.
package deepcopy // want `^package deepcopy: asks for no deep copies: mark it // \+k8s:deepcopy-gen=package$`

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// +genclient

// Widget has a marker above its comment.
type Widget struct { // want `^Widget: is no runtime.Object: mark it // \+k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object$`
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
}

// Gadget has none.
type Gadget struct { // want `^Gadget: is no runtime.Object`
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// Fine is marked.
type Fine struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
}

// +kubebuilder:object:root=true

// Other is marked for another generator.
type Other struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
}

// Own copies itself.
type Own struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
}

// DeepCopyObject returns a copy.
func (o *Own) DeepCopyObject() any { return &Own{ObjectMeta: o.ObjectMeta} }
