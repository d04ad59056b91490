// SPDX-License-Identifier: Apache-2.0

package lists

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

type Alone struct { // want `^Alone: has no list: declare AloneList, with metav1.TypeMeta, metav1.ListMeta and items of Alone$`
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
}

type Widget struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
}

type WidgetList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"meta"` // want `^WidgetList.meta.ListMeta: it is called metadata`
	Items           []Part        `json:"items,omitempty"` // want `^WidgetList.items: the items of a list are always there` `^WidgetList.items: the items of WidgetList are of another kind: make it \[\]Widget$`
}

type Part struct {
	Name string `json:"name"`
}

type Gadget struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
}

type GadgetList struct { // want `^GadgetList: a list has metadata: embed metav1.ListMeta`
	metav1.TypeMeta `json:",inline"`
	Items           []Gadget `json:"items"`
}

type Thing struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
}

type ThingList struct { // want `^ThingList: a list has items: add Items, a slice of the kind`
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
}

type PartList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Part `json:"items"` // want `^PartList.items: the items of a list are objects of one kind: Part has no metav1.TypeMeta$`
}

type NameList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           map[string]Widget `json:"items"` // want `^NameList.items: the items of a list are objects of one kind: make it a slice of them$`
}

// AnyList holds objects of any kind.
type AnyList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []runtime.RawExtension `json:"items"`
}

// AccessReview is answered at once.
type AccessReview struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
}
