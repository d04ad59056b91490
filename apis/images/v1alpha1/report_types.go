// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// +genclient
// +genclient:onlyVerbs=get,list
// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ImageReport contains statistics and the newest records of the Image of the same name. The statistics cover the last
// 30 days. In a list, the field selector since=DURATION sets another length of the time window: 1m to 3650d. With the
// field selector deleted=true, a list contains only deleted Images that have records, newest deletion first.
//
// The server computes each report from the Image and the records database. The server does not store reports, and
// reports cannot be watched. A user who can get a report also sees the newest history, changes and notes in the report,
// without permissions for these subresources.
type ImageReport struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object's metadata: name, namespace, uid, labels and creationTimestamp of the Image. For a deleted Image,
	// metadata contains name, namespace, uid and deletionTimestamp. deletionTimestamp is the time at which the deletion
	// was recorded.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`

	// stats contains the statistics of the builds that finished in the window. stats is empty if the database has no
	// records of the Image.
	// +optional
	Stats *BuildStats `json:"stats,omitempty" protobuf:"bytes,2,opt,name=stats"`
	// health rates the builds in one number. health is empty if no build succeeded or failed in the window.
	// +optional
	Health *ImageHealth `json:"health,omitempty" protobuf:"bytes,3,opt,name=health"`
	// history lists the newest 20 builds, newest first. history is empty in lists.
	// +optional
	// +listType=atomic
	History []BuildRecord `json:"history,omitempty" protobuf:"bytes,4,rep,name=history"`
	// changes lists the newest 20 changes of the spec, newest first. changes is empty in lists.
	// +optional
	// +listType=atomic
	Changes []ImageChange `json:"changes,omitempty" protobuf:"bytes,5,rep,name=changes"`
	// notes lists the newest 20 notes, newest first. notes is empty in lists.
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

	// items lists the reports, sorted by namespace and name.
	Items []ImageReport `json:"items" protobuf:"bytes,2,rep,name=items"`
	// fixes tells how long the fixes of archives took over all Images that the list selects, as fixes in the statistics of one Image.
	// It is empty on pages, which a limit makes.
	// +optional
	// +patchMergeKey=reached
	// +patchStrategy=merge
	// +listType=map
	// +listMapKey=reached
	Fixes []FixCount `json:"fixes,omitempty" patchStrategy:"merge" patchMergeKey:"reached" protobuf:"bytes,3,rep,name=fixes"`
}
