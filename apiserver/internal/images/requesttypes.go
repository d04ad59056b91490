// SPDX-License-Identifier: Apache-2.0

package images

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// BuildRequest requests a build of an Image. It is created at the instantiate subresource of the Image, which returns
// the new ImageBuild.
type BuildRequest struct {
	metav1.TypeMeta
	metav1.ObjectMeta

	RequestID  string
	Reason     v1alpha1.TriggerReason
	Message    string
	Changes    []InputChange
	Parameters []Parameter
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// RerunRequest requests a new build with the inputs of an earlier build, and with what these inputs resolved to. It
// is created at the rerun subresource of the earlier build, which returns the new ImageBuild. The Image must still
// exist.
type RerunRequest struct {
	metav1.TypeMeta
	metav1.ObjectMeta

	RequestID string
	Message   string
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// BuildReport reports the progress of a builder. The builder creates it at the report subresource of the build, which
// returns the stored report. The request must use the token that is mounted in the pod of the current attempt. The
// server stores at most one report of a build each second.
type BuildReport struct {
	metav1.TypeMeta
	metav1.ObjectMeta

	Stage   string
	Percent *int32
	Message string
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ImageChannels is the list of an Image's channels, which name successful builds. The channels subresource of an
// Image reads it, and replaces it as a whole. An update with metadata.resourceVersion fails with a conflict if the
// Image has changed since.
type ImageChannels struct {
	metav1.TypeMeta
	metav1.ObjectMeta

	Channels []ImageChannel
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ImagePlan reports whether an Image would be built now, why or why not, and with which Job. It is not stored, and it
// starts no build. To plan an Image before it is applied, create an ImagePlan with the Image's name and spec. To plan
// an existing Image, get its plan subresource.
type ImagePlan struct {
	metav1.TypeMeta
	metav1.ObjectMeta

	Spec   ImageSpec
	Status ImagePlanStatus
}

// ImagePlanStatus is the result of a plan.
type ImagePlanStatus struct {
	Build            bool
	Reason           string
	Message          string
	Changes          []InputChange
	InputsDigest     string
	BaseDigest       string
	BuildName        string
	Job              *runtime.RawExtension
	NextScheduleTime *metav1.Time
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// QueuedBuild is the queue position of the ImageBuild of the same name. The server computes it for each request. It
// is not stored.
type QueuedBuild struct {
	metav1.TypeMeta
	metav1.ObjectMeta

	Status QueuedBuildStatus
}

// QueuedBuildStatus reports the position of a build in the queue.
type QueuedBuildStatus struct {
	Position           int32
	ImageName          string
	Priority           int32
	Message            string
	QueuedTime         *metav1.Time
	EstimatedStartTime *metav1.Time
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// QueuedBuildList is a list of waiting builds.
type QueuedBuildList struct {
	metav1.TypeMeta
	metav1.ListMeta

	Items []QueuedBuild
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// CancelRequest requests the cancellation of a build. It is created at the cancel subresource of the build, which
// returns the ImageBuild. It does not change a finished build.
type CancelRequest struct {
	metav1.TypeMeta
	metav1.ObjectMeta

	Reason       string
	SupersededBy string
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ImageBuildLogOptions are the query parameters of a build's log subresource.
type ImageBuildLogOptions struct {
	metav1.TypeMeta

	Attempt    *int32
	Follow     bool
	TailLines  *int64
	SinceTime  *metav1.Time
	Timestamps bool
	LimitBytes *int64
	UID        string
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ImageBuildDiff lists the differences between two builds of a namespace: their inputs and their artifacts. The diff
// subresource of a build returns it. It is not stored.
type ImageBuildDiff struct {
	metav1.TypeMeta
	metav1.ObjectMeta

	From      ComparedBuild
	To        ComparedBuild
	Inputs    []InputChange
	Artifacts []ArtifactChange
}

// ComparedBuild is one of the two compared builds.
type ComparedBuild struct {
	Name         string
	UID          types.UID
	Phase        v1alpha1.BuildPhase
	InputsDigest string
	Attempts     int32
	Failure      v1alpha1.FailureReason
	Duration     *metav1.Duration
}

// ArtifactChange is the difference of one artifact between two builds.
type ArtifactChange struct {
	Target string
	From   string
	To     string
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ImageBuildDiffOptions are the query parameters of a build's diff subresource.
type ImageBuildDiffOptions struct {
	metav1.TypeMeta

	With    string
	UID     string
	WithUID string
}
