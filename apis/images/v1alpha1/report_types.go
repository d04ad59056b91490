// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// +genclient
// +genclient:onlyVerbs=get,list
// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ImageReport is how the Image of the same name has done in the last 30 days, or in the window that the field selector
// since=DURATION of a list asks for: 1m to 87600h. It is joined from the Image and the records database when it is asked for,
// and stored nowhere, so it cannot be watched. It looks the same to everybody: who may get a report needs no right to the
// subresources history, changes and notes of the Image for what it has of them. The field selector deleted=true of a list asks
// for the deleted Images of which there are records instead, the last deleted one first.
type ImageReport struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object's metadata. Name, namespace, uid, labels and creationTimestamp are those of the Image. Of a deleted Image
	// there are name, namespace and uid, and deletionTimestamp is when its deletion was recorded.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`

	// stats of the builds that finished in the window. None where there are no records of the Image.
	// +optional
	Stats *BuildStats `json:"stats,omitempty" protobuf:"bytes,2,opt,name=stats"`
	// health in one number. None where no build has succeeded or failed in the window.
	// +optional
	Health *ImageHealth `json:"health,omitempty" protobuf:"bytes,3,opt,name=health"`
	// history is the newest 20 builds, the newest first. Not in lists.
	// +optional
	// +listType=atomic
	History []BuildRecord `json:"history,omitempty" protobuf:"bytes,4,rep,name=history"`
	// changes is the newest 20 changes of the spec, the newest first. Not in lists.
	// +optional
	// +listType=atomic
	Changes []ImageChange `json:"changes,omitempty" protobuf:"bytes,5,rep,name=changes"`
	// notes is the newest 20 notes, the newest first. Not in lists.
	// +optional
	// +listType=atomic
	Notes []NoteRecord `json:"notes,omitempty" protobuf:"bytes,6,rep,name=notes"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ImageReportList is a list of reports, one for each Image.
type ImageReportList struct {
	metav1.TypeMeta `json:",inline"`
	// Standard list metadata.
	// +optional
	metav1.ListMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`

	// items is the list of reports, by namespace and name.
	Items []ImageReport `json:"items" protobuf:"bytes,2,rep,name=items"`
}
