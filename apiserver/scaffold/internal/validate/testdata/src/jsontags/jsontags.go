// SPDX-License-Identifier: Apache-2.0

package jsontags

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

type Widget struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec Spec `json:"spec"`
}

type Spec struct {
	Common // want `^Widget.spec.Common: does not say where its fields lie: tag it`

	Size     int32  // want `^Widget.spec.Size: has no name in JSON: tag it .json:"size".$`
	HTTPPort *int32 // want `^Widget.spec.HTTPPort: has no name in JSON: tag it .json:"httpPort,omitempty".$`
	Digest   string `json:",omitempty"`  // want `^Widget.spec.Digest: has no name in JSON`
	Number   int64  `protobuf:"bytes,1"` // want `^Widget.spec.Number: has no name in JSON: tag it`
	// +optional
	Note   string // want `^Widget.spec.Note: has no name in JSON: tag it .json:"note,omitempty".$`
	Hidden string `json:"-"`
	local  string
}

type Common struct {
	Name string `json:"name"`
}

// internal is no part of the API, as nothing of it leads here.
type internal struct {
	Name string
}
