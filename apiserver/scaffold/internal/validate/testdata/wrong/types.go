// SPDX-License-Identifier: Apache-2.0

// Package wrong is an API with faults. A comment after each of them names the rule that finds it.
package wrong

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Color is an enum.
// +enum
type Color string

const (
	// Red is documented.
	Red  Color = "red"
	Blue Color = "blue" // want enums
)

// Empty is an enum without values.
// +enum
type Empty string // want enums

type Widget struct { // want documented
	metav1.TypeMeta `json:",inline"`
	// metadata is the object's metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`
	// spec is the desired state.
	// +required
	Spec WidgetSpec `json:"spec"`
	// status is the observed state.
	// +optional
	Status WidgetStatus `json:"status,omitempty"`
	// size lies in the wrong place.
	// +required
	Size int32 `json:"size"` // want specstatus
}

// WidgetSpec is the desired state.
type WidgetSpec struct {
	// phase is observed.
	// +optional
	Phase string `json:"phase,omitempty"` // want nophase specstatus
	// made is a time.
	// +required
	Made time.Time `json:"made"` // want times
	// parts are merged by name.
	// +optional
	// +listType=map
	// +listMapKey=name
	Parts []Part `json:"parts,omitempty"` // want mergekeys
	// imageUrl is an address.
	// +optional
	ImageUrl string `json:"imageUrl,omitempty"` // want namingconventions
	// other is called differently.
	// +required
	Different string `json:"other"` // want jsontags
	// count has no size.
	// +required
	Count int `json:"count"` // want integers
	// unmarked may be absent.
	Unmarked string `json:"unmarked,omitempty"` // want optionalorrequired
	// always is always written.
	// +optional
	Always       string `json:"always"`       // want optionalfields
	Undocumented string `json:"undocumented"` // want commentstart optionalorrequired
}

// WidgetStatus is the observed state.
type WidgetStatus struct {
	// color is an enum.
	// +optional
	Color Color `json:"color,omitempty"`
	// conditions are what they should be.
	// +optional
	// +patchMergeKey=type
	// +patchStrategy=merge
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty" patchStrategy:"merge" patchMergeKey:"type"`
}

// Part is merged by its name.
type Part struct {
	// name is the key.
	// +required
	Name string `json:"name"`
}

// WidgetList has items of another kind.
type WidgetList struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the list's metadata.
	// +optional
	metav1.ListMeta `json:"metadata,omitempty"`
	// items are of another kind.
	// +optional
	// +listType=atomic
	Items []Part `json:"items,omitempty"` // want lists
}

// PartList has no items.
type PartList struct { // want lists
	metav1.TypeMeta `json:",inline"`
	// metadata is the list's metadata.
	// +optional
	metav1.ListMeta `json:"metadata,omitempty"`
}

// internal is part of no API.
type internal struct {
	Size int `json:"size"`
}
