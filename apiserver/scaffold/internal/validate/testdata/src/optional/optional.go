// SPDX-License-Identifier: Apache-2.0

package optional

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

type Widget struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec Spec `json:"spec"`
	// +optional
	Status Status `json:"status"`
}

type Spec struct {
	// size is a pointer.
	Size *int32 `json:"size" protobuf:"bytes,1"` // want `^Widget.spec.size: is a pointer, which is how optional fields are told: add // \+optional and omitempty`
	// +optional
	Always string `json:"always"` // want `^Widget.spec.always: is optional but always written: add omitempty to its JSON tag$`
	// maybe is not marked.
	Maybe string `json:"maybe,omitempty"` // want `^Widget.spec.maybe: may be absent but is not marked so: add // \+optional, or remove omitempty$`
	// +optional
	// +required
	Both string `json:"both,omitempty"` // want `^Widget.spec.both: is marked both required and optional`

	// +required
	Zero *int32 `json:"zero"`
	// +required
	Name string `json:"name,omitempty"`
	// +optional
	Note string `json:"note,omitempty"`
	// +kubebuilder:validation:Optional
	Other *string `json:"other,omitzero"`
}

type Status struct{}
