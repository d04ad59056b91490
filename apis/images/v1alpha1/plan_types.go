// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// +genclient
// +genclient:onlyVerbs=create
// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ImagePlan says what would happen to an Image: whether it would be built now, why or why not, and with which Job. It is
// stored nowhere. Create one for an Image as it would be applied, of metadata.name; an Image as it is has one at its
// plan subresource. Nothing is started by asking.
type ImagePlan struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object's metadata. The name is that of the Image, which need not exist.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`

	// spec of the Image that is planned.
	Spec ImageSpec `json:"spec" protobuf:"bytes,2,opt,name=spec"`
	// status is the answer. It is ignored in requests.
	// +optional
	Status ImagePlanStatus `json:"status,omitempty" protobuf:"bytes,3,opt,name=status"`
}

// ImagePlanStatus is what would happen.
type ImagePlanStatus struct {
	// build says whether a build would be started now.
	// +optional
	Build bool `json:"build,omitempty" protobuf:"varint,1,opt,name=build"`
	// reason in one word: that of the trigger where there would be a build, otherwise why there would be none, as the
	// reason of a failure or of a condition.
	// +optional
	Reason string `json:"reason,omitempty" protobuf:"bytes,2,opt,name=reason"`
	// message for people: why, or why not and what to do.
	// +optional
	Message string `json:"message,omitempty" protobuf:"bytes,3,opt,name=message"`
	// changes of the inputs since the last attempted build, as far as that build is still there.
	// +optional
	// +listType=atomic
	Changes []InputChange `json:"changes,omitempty" protobuf:"bytes,4,rep,name=changes"`
	// inputsDigest is the digest of the inputs as they resolve now. Empty if they do not.
	// +optional
	InputsDigest string `json:"inputsDigest,omitempty" protobuf:"bytes,5,opt,name=inputsDigest"`
	// baseDigest is the digest of the base Image among them.
	// +optional
	BaseDigest string `json:"baseDigest,omitempty" protobuf:"bytes,6,opt,name=baseDigest"`
	// buildName is the name that the next build would get.
	// +optional
	BuildName string `json:"buildName,omitempty" protobuf:"bytes,7,opt,name=buildName"`
	// job is the batch/v1 Job of its first attempt, as it would be created: of a build that is due or that somebody asks
	// for. Its name and its owner's UID are those of a build with an empty UID. Empty if the inputs do not resolve.
	// +optional
	Job *runtime.RawExtension `json:"job,omitempty" protobuf:"bytes,8,opt,name=job"`
	// nextScheduleTime is when the schedule would start the next build.
	// +optional
	NextScheduleTime *metav1.Time `json:"nextScheduleTime,omitempty" protobuf:"bytes,9,opt,name=nextScheduleTime"`
}
