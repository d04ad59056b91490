// SPDX-License-Identifier: Apache-2.0

// Package v1 has what the rules know of the real package of this path.
package v1

type TypeMeta struct {
	Kind       string `json:"kind,omitempty"`
	APIVersion string `json:"apiVersion,omitempty"`
}

type ObjectMeta struct {
	Name string `json:"name,omitempty"`
}

type ListMeta struct {
	ResourceVersion string `json:"resourceVersion,omitempty"`
}

type Condition struct {
	Type   string `json:"type"`
	Status string `json:"status"`
}

type Time struct{}

func (Time) MarshalJSON() ([]byte, error) { return nil, nil }
