// SPDX-License-Identifier: Apache-2.0

package keyedlists

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
	Parts   map[string]Part   `json:"parts"`   // want `^Widget.spec.parts: is a map of objects: make it a list of them`
	Spares  map[string]*Part  `json:"spares"`  // want `^Widget.spec.spares: is a map of objects`
	Numbers map[int32]string  `json:"numbers"` // want `^Widget.spec.numbers: keys in JSON are strings: use a string as the key$`
	Labels  map[string]string `json:"labels"`
	Limits  Limits            `json:"limits"`

	// +listType=map
	// +listMapKey=name
	Replaced []Part `json:"replaced"` // want `^Widget.spec.replaced: strategic merge patches replace the list: tag it patchStrategy:"merge" patchMergeKey:"name"$`
	// +k8s:listType=map
	// +k8s:listMapKey=name
	Wrong []Part `json:"wrong" patchStrategy:"merge" patchMergeKey:"type"` // want `^Widget.spec.wrong: strategic merge patches replace the list`
	// +listType=map
	// +listMapKey=name
	Merged []Part `json:"merged" patchStrategy:"merge" patchMergeKey:"name"`
	// +listType=map
	// +listMapKey=name
	// +listMapKey=format
	TwoKeys []Part `json:"twoKeys"`
}

type Name string

type Limits map[Name]resource.Quantity

type Part struct {
	Name string `json:"name"`
}
