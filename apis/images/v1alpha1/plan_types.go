// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// +genclient
// +genclient:onlyVerbs=create
// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ImagePlan reports whether a build of an Image would start now, with the reason and the Job of the build. The server
// does not store an ImagePlan, and starts no build. To plan an Image before it is applied, create an ImagePlan with the
// Image's name and spec. To plan an existing Image, get its plan subresource.
type ImagePlan struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object's metadata. The name is the name of the Image. The Image does not need to exist. Labels, annotations
	// and finalizers must be valid for an Image, and have no other effect.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`

	// spec is the whole spec of the planned Image. The server does not merge it with the stored spec.
	// +required
	Spec ImageSpec `json:"spec" protobuf:"bytes,2,opt,name=spec"`
	// status is the result of the plan. The server sets it, and ignores it in requests.
	// +optional
	Status ImagePlanStatus `json:"status,omitempty" protobuf:"bytes,3,opt,name=status"`
}

// ImagePlanStatus is the result of a plan.
type ImagePlanStatus struct {
	// build is true if a build would start now.
	// +optional
	Build bool `json:"build,omitempty" protobuf:"varint,1,opt,name=build"`
	// reason is the trigger reason if a build would start. Otherwise, reason is the reason of the failure or condition
	// that prevents a build, or Deleting for an Image that is being deleted.
	// +optional
	Reason string `json:"reason,omitempty" protobuf:"bytes,2,opt,name=reason"`
	// message explains the result for a human reader. If no build would start, message also describes the next step.
	// +optional
	Message string `json:"message,omitempty" protobuf:"bytes,3,opt,name=message"`
	// changes lists the inputs that differ from those of the last attempted build. changes is empty if that build is
	// deleted.
	// +optional
	// +listType=atomic
	Changes []InputChange `json:"changes,omitempty" protobuf:"bytes,4,rep,name=changes"`
	// inputsDigest is the digest of the inputs as they resolve now. inputsDigest is empty if the inputs cannot be
	// resolved.
	// +optional
	InputsDigest string `json:"inputsDigest,omitempty" protobuf:"bytes,5,opt,name=inputsDigest"`
	// baseDigest is the digest that base.imageRef resolves to now. baseDigest is empty if the base is not an Image, or
	// if the inputs cannot be resolved.
	// +optional
	BaseDigest string `json:"baseDigest,omitempty" protobuf:"bytes,6,opt,name=baseDigest"`
	// buildName is the name of the next build. buildName is empty if the Image is being deleted, or if the user does not
	// have permission to get the Image.
	// +optional
	BuildName string `json:"buildName,omitempty" protobuf:"bytes,7,opt,name=buildName"`
	// job is the batch/v1 Job for the first attempt of the next build. job is also set if build is false, because users
	// can still request the next build. The real Job has another name and another owner UID, because both depend on the
	// UID of the build. job is empty if the inputs cannot be resolved, if the build would fail before its first attempt, or if it would
	// only test the artifacts of an earlier build.
	// +optional
	Job *runtime.RawExtension `json:"job,omitempty" protobuf:"bytes,8,opt,name=job"`
	// nextScheduleTime is the time at which the schedule would start the next build. nextScheduleTime is empty if the
	// schedule would start no build.
	// +optional
	NextScheduleTime *metav1.Time `json:"nextScheduleTime,omitempty" protobuf:"bytes,9,opt,name=nextScheduleTime"`
	// packages reports whether newer versions of packages start a build. packages is empty if the Image has no
	// triggers.onPackageChange.
	// +optional
	Packages *PackagesPlan `json:"packages,omitempty" protobuf:"bytes,10,opt,name=packages"`
	// source is what source.git or source.oci resolved to in the last check. It is empty for other sources, and if the inputs cannot be resolved.
	// +optional
	Source *SourceRevision `json:"source,omitempty" protobuf:"bytes,11,opt,name=source"`
}

// PackagesPlan reports whether newer versions of packages in the latest successful build start a build. It is made from the stored status of
// the Image, which the controller compares with the archives.
type PackagesPlan struct {
	// reason is the reason of the build that would start now and install the newer versions. Otherwise, reason is the reason that prevents or
	// delays a build, or the reason of the condition PackagesUpToDate if no version starts a build.
	// +required
	Reason string `json:"reason" protobuf:"bytes,1,opt,name=reason"`
	// message explains the reason for a human reader.
	// +required
	Message string `json:"message" protobuf:"bytes,2,opt,name=message"`
	// startTime is the time at which a build would start: once minimumAge has passed, and the window is open. startTime is empty if a build
	// waits for no time.
	// +optional
	StartTime *metav1.Time `json:"startTime,omitempty" protobuf:"bytes,3,opt,name=startTime"`
	// checkTime is the time at which all archives of the packages had been checked. checkTime is empty if an archive was never checked, or if
	// the user does not have permission to get the archives.
	// +optional
	CheckTime *metav1.Time `json:"checkTime,omitempty" protobuf:"bytes,4,opt,name=checkTime"`
	// updates lists the newer versions that start a build, the oldest first. At most 64.
	// +optional
	// +listType=atomic
	Updates []PackageUpdate `json:"updates,omitempty" protobuf:"bytes,5,rep,name=updates"`
	// updateCount is the number of these versions, including those that updates does not list.
	// +optional
	UpdateCount int32 `json:"updateCount,omitempty" protobuf:"varint,6,opt,name=updateCount"`
}
