// SPDX-License-Identifier: Apache-2.0

package numbers

import (
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

type Widget struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec Spec `json:"spec"`
}

type Spec struct {
	Count   uint32             `json:"count"`   // want `^Widget.spec.count: uint32 is unsigned, which not every client can be: use int32 or int64`
	Ratio   float64            `json:"ratio"`   // want `^Widget.spec.ratio: float64 does not survive a round trip`
	Ratios  map[string]Percent `json:"ratios"`  // want `float32 does not survive a round trip`
	Length  *int               `json:"length"`  // want `^Widget.spec.length: int has no size that every client knows: use int32 or int64$`
	Lengths []int16            `json:"lengths"` // want `int16 has no size that every client knows`

	Size    int32             `json:"size"`
	Total   int64             `json:"total"`
	Content []byte            `json:"content"`
	Files   map[string][]byte `json:"files"`
	Memory  resource.Quantity `json:"memory"`
	Local   uint              `json:"-"`
}

type Percent float32
