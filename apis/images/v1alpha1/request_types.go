// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// BuildRequest requests a build of an Image. Users create a BuildRequest at the instantiate subresource of the Image,
// which returns the new ImageBuild.
type BuildRequest struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object's metadata. The name is optional. If it is set, it must be the name of the Image.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`

	// requestID is the requester's ID for this request, at most 128 printable characters. If an earlier request for a
	// build or a rerun of the Image had the same ID, the server returns the build of that request. If that build was
	// deleted, the server answers 410. The server remembers IDs for 24 hours, but at most the last 500 of an Image.
	// Triggers use the IDs schedule:<time> and sha256:<digest>:<number>. The server refuses IDs of these two forms in
	// reruns and in requests with parameters. In other requests, it answers 409 unless a trigger of the Image requests a
	// build with this ID at that time. Defaults to a random ID. A repeated request without an ID creates a second build.
	// +optional
	RequestID string `json:"requestID,omitempty" protobuf:"bytes,2,opt,name=requestID"`
	// reason sets the trigger reason of the build: Created, SpecChange, BaseChange, Schedule or Manual. The server
	// refuses Rerun. Defaults to Manual.
	// +optional
	Reason TriggerReason `json:"reason,omitempty" protobuf:"bytes,3,opt,name=reason,casttype=TriggerReason"`
	// message explains the request for a human reader. One line of at most 1024 printable characters.
	// +optional
	Message string `json:"message,omitempty" protobuf:"bytes,4,opt,name=message"`
	// changes lists the inputs that differ from those of the last attempted build, at most 32.
	// +optional
	// +listType=atomic
	Changes []InputChange `json:"changes,omitempty" protobuf:"bytes,5,rep,name=changes"`
	// parameters lists parameters for this build only. Each parameter replaces the Image's parameter of the same name,
	// or is added to the Image's parameters. The resulting parameters have the limits of spec.parameters of an Image. If the resulting
	// parameters differ from the Image's parameters, the build is one-off. A one-off build does not change
	// latestSuccessful, lastAttempted and consecutiveFailures in the status of the Image.
	// +optional
	// +patchMergeKey=name
	// +patchStrategy=merge
	// +listType=map
	// +listMapKey=name
	Parameters []Parameter `json:"parameters,omitempty" patchStrategy:"merge" patchMergeKey:"name" protobuf:"bytes,6,rep,name=parameters"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// RerunRequest requests a new build with the resolved inputs of an earlier build. Users create a RerunRequest at the
// rerun subresource of the earlier build, which returns the new ImageBuild. The Image must still exist.
type RerunRequest struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object's metadata. The name and the uid are optional. If they are set, they must be those of the build.
	// With a records database, the uid also finds a deleted build. With a uid, the server never uses another build
	// of the same name.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`

	// requestID is the requester's ID for this request. It has the form and the effect of requestID of a BuildRequest.
	// +optional
	RequestID string `json:"requestID,omitempty" protobuf:"bytes,2,opt,name=requestID"`
	// message explains the request for a human reader. One line of at most 1024 printable characters.
	// +optional
	Message string `json:"message,omitempty" protobuf:"bytes,3,opt,name=message"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// BuildReport reports the progress of a builder. The builder creates a BuildReport at the report subresource of the
// build, which returns the stored report. The request must use the token that is mounted in the pod of the current
// attempt. The server stores at most one report of a build each second, and at most one in N seconds if the build has N
// times 16 KiB as JSON.
//
// If a report arrives too soon after the stored report, the server answers 429 with Retry-After. Until the
// controller has recorded the pod of the current attempt, the server answers 503 with Retry-After. After the attempt has
// ended, the server answers 409. If the token belongs to another pod, the server answers 403.
type BuildReport struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object's metadata. The name is optional. If it is set, it must be the name of the build.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`

	// stage is the current stage of the builder, at most 63 printable characters. A new stage completes the previous
	// stage. A builder cannot enter a completed stage again. Defaults to the stage of the previous report.
	// +optional
	Stage string `json:"stage,omitempty" protobuf:"bytes,2,opt,name=stage"`
	// percent is the completed part of the whole build, 0 to 100 percent.
	// +optional
	Percent *int32 `json:"percent,omitempty" protobuf:"varint,3,opt,name=percent"`
	// message describes the progress for a human reader. One line of at most 1024 printable characters.
	// +optional
	Message string `json:"message,omitempty" protobuf:"bytes,4,opt,name=message"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// CancelRequest requests the cancellation of a build. Users create a CancelRequest at the cancel subresource of the
// build, which returns the ImageBuild. A CancelRequest does not change a finished build.
type CancelRequest struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object's metadata. The name is optional. If it is set, it must be the name of the build.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`

	// reason explains the cancellation for a human reader. One line of at most 1024 printable characters.
	// +optional
	Reason string `json:"reason,omitempty" protobuf:"bytes,2,opt,name=reason"`
	// supersededBy is the name of a newer build of the same Image that makes this build unnecessary. With supersededBy,
	// the server cancels this build only while its phase is Pending or Queued. The reason of the cancellation is
	// Superseded.
	// +optional
	SupersededBy string `json:"supersededBy,omitempty" protobuf:"bytes,3,opt,name=supersededBy"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ImageBuildLogOptions are the query parameters of a build's log subresource.
type ImageBuildLogOptions struct {
	metav1.TypeMeta `json:",inline"`

	// attempt is the number of the attempt whose log is returned, starting at 1. Defaults to the current attempt. With
	// follow and without attempt, the server returns the logs of the current and all later attempts, one after the
	// other.
	// +optional
	Attempt *int32 `json:"attempt,omitempty" protobuf:"varint,1,opt,name=attempt"`
	// follow keeps the log open until the build has finished. If attempt is set, follow keeps the log open until that
	// attempt has ended. Defaults to false.
	// +optional
	Follow bool `json:"follow,omitempty" protobuf:"varint,2,opt,name=follow"`
	// tailLines is the number of lines to return, counted from the end of the log. With follow, tailLines applies only
	// to the first returned attempt. The server returns the logs of later attempts in full. 0 or more. Defaults to all
	// lines.
	// +optional
	TailLines *int64 `json:"tailLines,omitempty" protobuf:"varint,3,opt,name=tailLines"`
	// sinceTime omits lines that begin before this RFC 3339 time, to the nanosecond. Defaults to no limit.
	// +optional
	SinceTime *metav1.Time `json:"sinceTime,omitempty" protobuf:"bytes,4,opt,name=sinceTime"`
	// timestamps adds an RFC 3339 time to the beginning of each line. Defaults to false.
	// +optional
	Timestamps bool `json:"timestamps,omitempty" protobuf:"varint,5,opt,name=timestamps"`
	// limitBytes is the maximum number of bytes of the log to return. Timestamps do not count. 1 or more. Defaults to no
	// limit.
	// +optional
	LimitBytes *int64 `json:"limitBytes,omitempty" protobuf:"varint,6,opt,name=limitBytes"`
	// uid is the UID of the build, at most 63 letters, digits and hyphens. With a log archive, name and UID also find
	// the log of a deleted build. With a UID, the server never uses another build of the same name. Defaults to
	// the UID of the existing build of this name.
	// +optional
	UID string `json:"uid,omitempty" protobuf:"bytes,7,opt,name=uid"`
}
