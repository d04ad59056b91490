// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// BuildRequest asks for a build of an Image. It is created at the Image's instantiate subresource, which answers
// with the ImageBuild.
type BuildRequest struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object's metadata. The name, if given, is the Image's.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`

	// requestID is the requester's name for this request, 1 to 128 printable characters. The same requestID is
	// answered with the same build, as long as it is among the last 32. Names that begin with "schedule:", or are a
	// digest with a number, are those of builds that start by themselves: parameters are refused with them, and reruns.
	// Defaults to a random one, with which a request that is sent twice makes two builds.
	// +optional
	RequestID string `json:"requestID,omitempty" protobuf:"bytes,2,opt,name=requestID"`
	// reason is what the build is said to be started by: Created, SpecChange, BaseChange, Schedule or Manual. Defaults to
	// Manual.
	// +optional
	Reason TriggerReason `json:"reason,omitempty" protobuf:"bytes,3,opt,name=reason,casttype=TriggerReason"`
	// message for people: one line of printable characters, at most 1024.
	// +optional
	Message string `json:"message,omitempty" protobuf:"bytes,4,opt,name=message"`
	// changes since the last attempted build, at most 32.
	// +optional
	// +listType=atomic
	Changes []InputChange `json:"changes,omitempty" protobuf:"bytes,5,rep,name=changes"`
	// parameters for this build only: each replaces the Image's parameter of its name, or is added. Together with the
	// Image's they are within the limits of an Image. If they change the Image's own parameters, the build is one-off and does
	// not count for the Image.
	// +optional
	// +listType=map
	// +listMapKey=name
	Parameters []Parameter `json:"parameters,omitempty" protobuf:"bytes,6,rep,name=parameters"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// RerunRequest asks for another build of what a build of an Image was made from: its inputs, and what they resolved to.
// It is created at the build's rerun subresource, which answers with the new ImageBuild. The Image must still exist.
type RerunRequest struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object's metadata. The name and the uid, if given, are the build's. With its uid a deleted build is found, where
	// builds are recorded. A build of the same name and another uid is not the one that is meant.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`

	// requestID is the requester's name for this request, as that of a BuildRequest.
	// +optional
	RequestID string `json:"requestID,omitempty" protobuf:"bytes,2,opt,name=requestID"`
	// message for people: one line of printable characters, at most 1024.
	// +optional
	Message string `json:"message,omitempty" protobuf:"bytes,3,opt,name=message"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// BuildReport says how far a builder is. It is created at the build's report subresource from inside the pod of the
// build's current attempt, with the token that is mounted there, and answered with what was stored. The server stores at
// most one report a second for a build: sooner ones get 429 with Retry-After. Before the pod is recorded the answer is
// 503 with Retry-After, and any other pod's is 403.
type BuildReport struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object's metadata. The name, if given, is the build's.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`

	// stage that the builder is in, at most 63 printable characters. A new one ends the one before; one that was left is
	// not entered again. Defaults to the stage of the report before.
	// +optional
	Stage string `json:"stage,omitempty" protobuf:"bytes,2,opt,name=stage"`
	// percent of the whole build that is done, 0 to 100.
	// +optional
	Percent *int32 `json:"percent,omitempty" protobuf:"varint,3,opt,name=percent"`
	// message for people: one line of printable characters, at most 1024.
	// +optional
	Message string `json:"message,omitempty" protobuf:"bytes,4,opt,name=message"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// CancelRequest asks for a build to be cancelled. It is created at the build's cancel subresource, which answers
// with the ImageBuild. A build that has finished stays as it is.
type CancelRequest struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object's metadata. The name, if given, is the build's.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`

	// reason for people: one line of printable characters, at most 1024.
	// +optional
	Reason string `json:"reason,omitempty" protobuf:"bytes,2,opt,name=reason"`
	// supersededBy is the name of a newer build of the same Image that makes this one unnecessary. Such a request cancels
	// a build only while it is Pending or Queued, with the reason Superseded.
	// +optional
	SupersededBy string `json:"supersededBy,omitempty" protobuf:"bytes,3,opt,name=supersededBy"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object
// +k8s:conversion-gen:explicit-from=net/url.Values

// ImageBuildLogOptions are the query parameters of a build's log subresource.
type ImageBuildLogOptions struct {
	metav1.TypeMeta `json:",inline"`

	// attempt whose log is asked for, from 1. Defaults to the current attempt; with follow, to the current one and
	// all that come after it, one after the other. The logs of earlier attempts are asked for by their numbers.
	// +optional
	Attempt *int32 `json:"attempt,omitempty" protobuf:"varint,1,opt,name=attempt"`
	// follow keeps the log open until the build has finished; with attempt, until that attempt has ended. Defaults to
	// false.
	// +optional
	Follow bool `json:"follow,omitempty" protobuf:"varint,2,opt,name=follow"`
	// tailLines is how many lines from the end are shown. Not negative. Defaults to all. With follow it counts from
	// the end of the first log; all of those after it is shown.
	// +optional
	TailLines *int64 `json:"tailLines,omitempty" protobuf:"varint,3,opt,name=tailLines"`
	// sinceTime leaves out lines before this time (RFC 3339).
	// +optional
	SinceTime *metav1.Time `json:"sinceTime,omitempty" protobuf:"bytes,4,opt,name=sinceTime"`
	// timestamps puts the time (RFC 3339) at the beginning of each line. Defaults to false.
	// +optional
	Timestamps bool `json:"timestamps,omitempty" protobuf:"varint,5,opt,name=timestamps"`
	// limitBytes ends the log after this many bytes. At least 1. Defaults to no limit.
	// +optional
	LimitBytes *int64 `json:"limitBytes,omitempty" protobuf:"varint,6,opt,name=limitBytes"`
	// uid of the build, at most 63 letters, digits and hyphens. Where there is an archive of logs, that of a build that is
	// there no more is asked for by the build's name together with this. A build of the same name and another uid is not
	// the one that is meant. Defaults to the build of this name that is there now.
	// +optional
	UID string `json:"uid,omitempty" protobuf:"bytes,7,opt,name=uid"`
}
