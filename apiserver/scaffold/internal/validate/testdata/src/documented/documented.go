// SPDX-License-Identifier: Apache-2.0

package documented

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Widget is documented.
type Widget struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is documented.
	Spec Spec `json:"spec"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

type WidgetList struct { // want `^WidgetList: is not documented: say in a comment above it what it is$`
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []Widget `json:"items"`
}

type Spec struct { // want `^Spec: is not documented`
	Common `json:",inline"`

	Size int32 `json:"size"` // want `^Widget.spec.size: is not documented: say in a comment above it what it means`
	// +optional
	Mode Mode `json:"mode,omitempty"` // want `^Widget.spec.mode: is not documented`
	// parts are documented.
	Parts []Part `json:"parts"`
}

// Common is documented.
type Common struct {
	// name is documented.
	Name string `json:"name"`
}

// Part is documented.
type Part struct {
	Number int64 `json:"number"` // want `^Widget.spec.parts\[\].number: is not documented`
}

type Mode string // want `^Mode: is not documented: say in a comment above it what its values mean$`
