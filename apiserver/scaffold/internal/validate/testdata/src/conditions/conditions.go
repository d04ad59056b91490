// SPDX-License-Identifier: Apache-2.0

package conditions

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

type Widget struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Status Status `json:"status"`
}

type Status struct {
	// conditions have no markers.
	Conditions []metav1.Condition `json:"conditions"` // want `^Widget.status.conditions: writers of conditions replace each other's: mark it // \+listType=map and // \+listMapKey=type$`

	Parts []Part `json:"parts"`
	Other Other  `json:"other"`
	Fine  Fine   `json:"fine"`
}

type Part struct {
	// +listType=atomic
	Conditions []metav1.Condition `json:"conditions"` // want `^Widget.status.parts\[\].conditions: writers of conditions replace`
}

type Other struct {
	Conditions []Condition `json:"conditions"` // want `^Widget.status.other.conditions: conditions are the same in every kind: make it \[\]metav1.Condition$`
}

type Condition struct {
	Type   string `json:"type"`
	Status string `json:"status"`
}

type Fine struct {
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions"`
}
